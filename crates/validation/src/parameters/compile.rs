//! Rules to what a request is judged by.

use tollgate_filter_api::HeaderName;

use super::{
    Parameters,
    fields::Field,
    path::Segments,
    query::Query,
    read::{Notation, Parameter, Value},
    text::Escapes,
    wanted::Wanted,
};
use crate::{
    Broken, Direction, Library, Shape,
    finding::Part,
    rules::{Form, ParameterRule, Place, Style},
};

impl Parameters {
    /// Prepares the parameters of an operation with that path template, or, with an empty one, the fields of an answer.
    ///
    /// # Errors
    /// When a schema cannot be compiled, a field has a name that no field can have, or a parameter of the path is not in the template.
    pub fn compile(rules: &[ParameterRule], template: &str, library: &Library, direction: Option<Direction>) -> Result<Self, Broken> {
        let compiler = Compiler { library, direction };
        let mut compiled = Self::default();
        let mut in_path = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let parameter = compiler.parameter(number, rule)?;
            match rule.place {
                Place::Path => in_path.push(Some(parameter)),
                Place::Header => compiled.fields.push(Field { name: field_name(rule)?, parameter }),
                Place::Cookie => compiled.cookies.add(parameter, style(rule)),
                Place::Querystring => compiled.query = Query::Whole(parameter),
                Place::Query => match &mut compiled.query {
                    Query::Named(named) => named.add(parameter, style(rule)),
                    Query::Whole(_) => return Err(broken(rule, "the whole query is one parameter already".to_owned())),
                },
            }
        }
        compiled.path =
            Segments::of(template, |name| in_path.iter_mut().find(|one| one.as_ref().is_some_and(|p| *p.name == *name))?.take());
        match in_path.into_iter().flatten().next() {
            Some(lost) => Err(broken(&rules[lost.number], format!("the template `{template}` has no parameter `{}`", lost.name))),
            None => Ok(compiled),
        }
    }
}

struct Compiler<'c> {
    library: &'c Library,
    direction: Option<Direction>,
}

impl Compiler<'_> {
    fn parameter(&self, number: usize, rule: &ParameterRule) -> Result<Parameter, Broken> {
        let (part, escapes) = match rule.place {
            Place::Path => (Part::Path, Escapes::Percent),
            Place::Query => (Part::Query, Escapes::Form),
            Place::Querystring if notation(rule) == Notation::Form => (Part::Query, Escapes::Form),
            // A plus sign stands for itself in a document that is no form.
            Place::Querystring => (Part::Query, Escapes::Percent),
            Place::Header => (Part::Header, Escapes::Nothing),
            Place::Cookie if matches!(style(rule), Some(Style::Cookie | Style::CookieExplode)) => (Part::Cookie, Escapes::Nothing),
            Place::Cookie => (Part::Cookie, Escapes::Percent),
        };
        let schema = rule.schema.map(|schema| self.library.schema(schema, self.direction)).transpose()?;
        let wanted = || Wanted::of(Shape::of(self.library, rule.schema));
        Ok(Parameter {
            number,
            name: rule.name.as_str().into(),
            part,
            required: rule.required,
            allow_empty: rule.allow_empty,
            source: rule.source.as_str().into(),
            escapes,
            value: schema.map(|schema| Value { notation: notation(rule), schema, wanted: wanted() }),
        })
    }
}

fn notation(rule: &ParameterRule) -> Notation {
    match &rule.form {
        Form::Style(style) => Notation::Style(*style),
        Form::Content(media_type) => {
            let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            match essence.as_str() {
                "application/json" => Notation::Json,
                essence if essence.ends_with("+json") => Notation::Json,
                "application/x-www-form-urlencoded" if rule.place == Place::Querystring => Notation::Form,
                _ => Notation::Text,
            }
        }
    }
}

fn style(rule: &ParameterRule) -> Option<Style> {
    match rule.form {
        Form::Style(style) => Some(style),
        Form::Content(_) => None,
    }
}

fn field_name(rule: &ParameterRule) -> Result<HeaderName, Broken> {
    HeaderName::from_bytes(rule.name.as_bytes()).map_err(|_| broken(rule, format!("`{}` is not the name of a field", rule.name)))
}

fn broken(rule: &ParameterRule, message: String) -> Broken {
    Broken { message, source: rule.source.clone(), at: None }
}
