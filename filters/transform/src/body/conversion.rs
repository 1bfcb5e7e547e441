//! JSON to XML and back, by what the definition says of the body.

use tollgate_filter_api::{Env, Problem};
use tollgate_validation::{
    Library, Status,
    rules::{AnswerRule, MediaRule, OperationRules, SchemaNumber},
};
use tollgate_xml::{Broken, Hints, Limits as XmlLimits, Options, ToJson, ToXml, Why};

use super::{Notation, Wrong, pipeline::Limits};
use crate::config;

/// What a definition says of bodies: those of requests, or those of answers by status.
pub struct Declared<'d> {
    library: &'d Library,
    /// Of each status; of a request, one for every status.
    schemas: Vec<(Status, Option<SchemaNumber>)>,
}

impl<'d> Declared<'d> {
    /// Of the bodies of requests.
    pub fn requests(rules: &OperationRules, library: &'d Library) -> Self {
        let schema = rules.body.as_ref().and_then(|body| schema(&body.content));
        Self { library, schemas: vec![(Status::Default, schema)] }
    }

    /// Of the bodies of answers.
    pub fn answers(rules: &OperationRules, library: &'d Library) -> Self {
        let read = |answer: &AnswerRule| (Status::read(&answer.status), schema(&answer.content));
        let mut schemas: Vec<_> = rules.answers.iter().map(read).collect();
        schemas.sort_by_key(|(status, _)| *status);
        Self { library, schemas }
    }
}

/// The schemas of a project; none, when its definitions say nothing.
///
/// # Errors
/// The Plan holds what are none.
pub fn library(rules: &OperationRules, env: &Env) -> Result<std::sync::Arc<Library>, Problem> {
    let says = rules.body.is_some() || !rules.answers.is_empty();
    if says { env.declared.get::<Library>() } else { Ok(std::sync::Arc::default()) }
}

/// The schema of a body in one of the two notations; JSON's, when there are two.
fn schema(content: &[MediaRule]) -> Option<SchemaNumber> {
    let of = |notation| content.iter().find(|media| Notation::of(&media.range) == Some(notation));
    of(Notation::Json).or_else(|| of(Notation::Xml))?.schema
}

/// One conversion, prepared for each status that is declared.
#[derive(Debug)]
pub struct Conversion(Vec<(Status, Converter)>);

#[derive(Debug)]
enum Converter {
    ToXml(ToXml),
    ToJson(ToJson),
}

impl Conversion {
    /// Prepares it; `place` is where it is written.
    ///
    /// # Errors
    /// A name that no document can have, in the settings or in the definition.
    pub fn parse(
        to: Notation,
        written: &config::Conversion,
        place: &str,
        declared: &Declared<'_>,
        limits: &Limits,
    ) -> Result<Self, Problem> {
        let convention = match written.convention {
            config::Convention::Schema => tollgate_xml::Convention::Schema,
            config::Convention::Wso2 => tollgate_xml::Convention::Wso2,
        };
        let limits = XmlLimits { value: limits.json, output: limits.bytes };
        let options = Options { convention, root: written.root.clone(), item: written.item.clone(), limits };
        let undeclared = declared.schemas.iter().all(|(status, _)| *status != Status::Default).then_some((Status::Default, None));
        let of = |(status, schema): (Status, Option<SchemaNumber>)| {
            let wrong = |why: String| Problem::setting(place, format!("the body cannot be converted: {why}"));
            let hints = Hints::of(declared.library, schema).map_err(wrong)?;
            let converter = match to {
                Notation::Xml => Converter::ToXml(ToXml::new(options.clone(), hints).map_err(|why| wrong(why.to_string()))?),
                Notation::Json => Converter::ToJson(ToJson::new(options.clone(), hints)),
            };
            Ok((status, converter))
        };
        declared.schemas.iter().copied().chain(undeclared).map(of).collect::<Result<_, _>>().map(Self)
    }

    /// The other notation of a body; `status` is that of its answer, or 0.
    ///
    /// # Errors
    /// Step `at` cannot be done.
    pub fn run(&self, at: usize, body: &[u8], status: u16) -> Result<Vec<u8>, Wrong> {
        let found = self.0.iter().find(|(declared, _)| declared.has(status)).map(|(_, converter)| converter);
        let converted = match found {
            Some(Converter::ToXml(converter)) => converter.convert(body),
            Some(Converter::ToJson(converter)) => converter.convert(body),
            None => return Err(Wrong::Unfit(at + 1, "nothing says how".to_owned())),
        };
        converted.map_err(|broken| wrong(at, &broken))
    }
}

fn wrong(at: usize, broken: &Broken) -> Wrong {
    match &broken.why {
        Why::Large => Wrong::TooLong,
        Why::Json(malformed) => Wrong::Malformed(malformed.words().into()),
        Why::Xml(words) => Wrong::Malformed(words.clone().into()),
        why => Wrong::Unfit(at + 1, format!("{why}, at `{}`", broken.pointer())),
    }
}
