//! All schemas of a project, and those of them that somebody asked for, compiled once each.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use jsonschema::{
    Draft, EmailOptions, Keyword, PatternCache, PatternOptions, Registry, ValidationError, ValidationOptions, Validator, json::Node,
    paths::Location,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    branches::Branches,
    cycles,
    decides::{Decides, remembering},
    explain,
    kept::Kept,
};
use crate::{
    finding::{Finding, Part},
    json::{Item, OurJson, Tree},
    rules::{self, SchemaNumber, URI},
};

/// Bytes of a compiled pattern. What is larger may take minutes for one text.
pub(super) const PATTERN_BYTES: usize = 256 << 10;
/// Steps of a pattern that looks back or around.
pub(super) const PATTERN_STEPS: usize = 20_000;

/// Which way a message goes, when members that belong to the other way are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client: what is `readOnly` is refused.
    Request,
    /// To the client: what is `writeOnly` is refused.
    Answer,
}

/// Why a schema cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub message: String,
    /// `file:line`.
    pub source: String,
    /// JSON Pointer to the keyword, within the schema of that number.
    pub at: Option<(SchemaNumber, String)>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}

/// The schemas of a project. Cheap to clone.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "rules::Schemas")]
pub struct Library(Arc<Inner>);

#[derive(Default)]
pub(super) struct Inner {
    pub written: rules::Schemas,
    registry: OnceLock<Prepared>,
    /// Of schemas whose circles are cut; `None` when there are none.
    cut: OnceLock<Option<Circles>>,
    patterns: PatternCache,
    compiled: Mutex<Compiled>,
    validators: Mutex<Validators>,
    /// Names of members that some schema has. What else a client calls something is not repeated.
    names: OnceLock<HashSet<String>>,
    kept: Kept,
}

type Prepared = Result<Registry<'static>, String>;

/// Schemas whose circles are cut.
struct Circles {
    registry: Prepared,
    /// They also decide.
    decides: bool,
}

/// By number, and by the way whose members are refused. Weak: each has its library, which would never be freed.
type Compiled = HashMap<(SchemaNumber, Option<Direction>), Weak<Schema>>;

/// The same, and whether it says why.
type Validators = HashMap<(SchemaNumber, Option<Direction>, bool), Arc<Validator<OurJson>>>;

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({} schemas)", self.0.written.schemas.len())
    }
}

impl From<rules::Schemas> for Library {
    fn from(written: rules::Schemas) -> Self {
        Self(Arc::new(Inner { written, ..Inner::default() }))
    }
}

/// One schema, compiled.
pub struct Schema {
    library: Library,
    number: SchemaNumber,
    direction: Option<Direction>,
    decides: Arc<Validator<OurJson>>,
    /// It has references that only decide.
    remembers: bool,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.number)
    }
}

impl Library {
    /// The schema of that number; whoever asks for the same gets the same.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn schema(&self, number: SchemaNumber, direction: Option<Direction>) -> Result<Arc<Schema>, Broken> {
        let mut compiled = self.0.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(&(number, direction)).and_then(Weak::upgrade) {
            return Ok(found);
        }
        let decides = self.validator(number, direction, false).map_err(|error| self.broken(number, &error))?;
        let remembers = self.circles().is_some_and(|circles| circles.decides);
        let made = Arc::new(Schema { library: self.clone(), number, direction, decides, remembers });
        compiled.insert((number, direction), Arc::downgrade(&made));
        Ok(made)
    }

    /// Why schemas cannot be compiled; each is looked at once when none is broken, and nothing of it is kept.
    pub fn broken_ones(&self) -> Vec<Broken> {
        let numbers = || (0..self.0.written.schemas.len()).map(|number| number as SchemaNumber);
        let all: Vec<Value> = numbers().map(|number| json!({ "$ref": rules::reference(number) })).collect();
        if all.is_empty() || self.compiled(&json!({ "prefixItems": all }), None, false).is_ok() {
            return Vec::new();
        }
        numbers().filter_map(|number| Some(self.broken(number, &self.build(&rules::reference(number), None, false).err()?))).collect()
    }

    /// What decides about the schema of that number, or says why a value does not fit it; made when it is asked for first.
    pub(super) fn validator(
        &self,
        number: SchemaNumber,
        direction: Option<Direction>,
        explains: bool,
    ) -> Result<Arc<Validator<OurJson>>, String> {
        let key = (number, direction, explains);
        let known = || self.0.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&key) {
            return Ok(found.clone());
        }
        let made = Arc::new(self.build(&rules::reference(number), direction, explains)?);
        Ok(known().entry(key).or_insert(made).clone())
    }

    /// The schema of that number as it was written.
    pub fn written(&self, number: SchemaNumber) -> Option<&rules::WrittenSchema> {
        self.0.written.schemas.get(number as usize)
    }

    /// What is made of the schema of that number, once for all who ask.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn kept<T: Any + Send + Sync, E>(&self, number: SchemaNumber, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        self.0.kept.get(number, make)
    }

    /// What a reference between schemas leads to.
    pub fn follow(&self, reference: &str) -> Option<&Value> {
        Some(&self.written(self.number(reference)?)?.schema)
    }

    /// The number of the schema that a reference leads to.
    pub fn number(&self, reference: &str) -> Option<SchemaNumber> {
        cycles::number(reference)
    }

    /// Whether both are clones of one and have their schemas at the same places in memory.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn build(&self, reference: &str, direction: Option<Direction>, explains: bool) -> Result<Validator<OurJson>, String> {
        self.compiled(&json!({ "$ref": reference }), direction, explains)
    }

    fn compiled(&self, schema: &Value, direction: Option<Direction>, explains: bool) -> Result<Validator<OurJson>, String> {
        let registry = self.registry(explains).as_ref().map_err(String::clone)?;
        let options = self.cutting(options(registry, &self.0.patterns, direction), direction, explains);
        let options = if explains { self.explaining(options, direction) } else { options };
        options.build(schema).map_err(|error| said(&error))
    }

    fn registry(&self, explains: bool) -> &Prepared {
        if let Some(circles) = self.circles().filter(|circles| explains || circles.decides) {
            return &circles.registry;
        }
        self.0.registry.get_or_init(|| prepared(self.0.written.schemas.iter().map(|one| one.schema.clone()).collect()))
    }

    fn circles(&self) -> Option<&Circles> {
        let cut = || cycles::cut(&self.0.written).map(|cut| Circles { registry: prepared(cut.schemas), decides: cut.decides });
        self.0.cut.get_or_init(cut).as_ref()
    }

    /// With references that only decide.
    fn cutting<'i>(&self, options: Options<'i>, direction: Option<Direction>, explains: bool) -> Options<'i> {
        // Only as long as the schemas are there: the validator that holds this is in them.
        let library = Arc::downgrade(&self.0);
        options.with_keyword(cycles::KEYWORD, move |_, number, _| {
            let number = number.as_u64().and_then(|number| SchemaNumber::try_from(number).ok()).unwrap_or(SchemaNumber::MAX);
            Ok(Box::new(Decides::new(library.clone(), number, direction, explains)))
        })
    }

    /// With the keywords replaced that would collect without end.
    fn explaining<'i>(&self, options: Options<'i>, direction: Option<Direction>) -> Options<'i> {
        ["oneOf", "anyOf"].into_iter().fold(options, |options, keyword| {
            // Only as long as the schemas are there: the validator that holds this is in them.
            let library = Arc::downgrade(&self.0);
            options.with_keyword(keyword, move |_, value, path| {
                let branches = value.as_array().map_or(0, Vec::len);
                Ok(Box::new(Branches::new(library.clone(), &path, branches, keyword == "oneOf", direction)))
            })
        })
    }

    pub(super) fn of(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    #[cfg(test)]
    pub(super) fn downgraded(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    fn broken(&self, number: SchemaNumber, message: &str) -> Broken {
        let (at, message) = match message.split_once('\n') {
            Some((place, message)) => (explain::place(place), message),
            None => (None, message),
        };
        let (number, pointer) = at.clone().unwrap_or((number, String::new()));
        Broken { message: message.to_owned(), source: self.line(number, &pointer).unwrap_or_default(), at }
    }

    /// `file:line` of what stands there in a schema, or of what stands around it.
    pub(super) fn line(&self, number: SchemaNumber, pointer: &str) -> Option<String> {
        let written = self.written(number)?;
        let mut line = written.schema.get("x-line");
        let ends = pointer.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at).skip(1).chain([pointer.len()]);
        for end in ends {
            line = written.schema.pointer(&pointer[..end]).and_then(|inner| inner.get("x-line")).or(line);
        }
        Some(format!("{}:{}", written.file, line?))
    }

    /// Whether some schema has a member of that name.
    pub(super) fn names(&self, name: &str) -> bool {
        let names = self.0.names.get_or_init(|| {
            let mut names = HashSet::new();
            self.0.written.schemas.iter().for_each(|one| declared_names(&one.schema, &mut names));
            names
        });
        names.contains(name)
    }
}

/// By number, in one document.
fn prepared(schemas: Vec<Value>) -> Prepared {
    let all: Map<String, Value> = schemas.into_iter().enumerate().map(|(number, schema)| (number.to_string(), schema)).collect();
    let registry = Registry::new().draft(Draft::Draft202012).add(URI, json!({ "$defs": all }));
    registry.and_then(|registry| registry.prepare()).map_err(|error| error.to_string())
}

/// Where an error is, and what it says.
fn said(error: &ValidationError<'_>) -> String {
    let place = error.absolute_keyword_location().map_or_else(|| error.schema_path().to_string(), ToString::to_string);
    format!("{place}\n{error}")
}

type Options<'i> = ValidationOptions<'i, Arc<dyn jsonschema::Retrieve>, OurJson>;

fn options<'i>(registry: &'i Registry<'static>, patterns: &PatternCache, direction: Option<Direction>) -> Options<'i> {
    let bounded = PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS).size_limit(PATTERN_BYTES);
    let options = jsonschema::options_for::<OurJson>().with_draft(Draft::Draft202012).with_registry(registry).offline();
    let options = options.should_validate_formats(true).with_pattern_options(bounded).with_pattern_cache(patterns.clone());
    let options = options.with_email_options(EmailOptions::default().without_display_text().with_required_tld());
    let options = options.with_format("byte", is_base64).with_keyword("x-int", |_, bits, _| Ok(Box::new(Integer { bits: bits.as_u64() })));
    let refused = match direction {
        None => return options,
        Some(Direction::Request) => "readOnly",
        Some(Direction::Answer) => "writeOnly",
    };
    options.with_keyword(refused, |_, value, _| Ok(Box::new(Absent { refused: *value == true })))
}

/// RFC 4648 §4, with its padding.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4) && padding <= 2 && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// The least number above all integers of 64 bits.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// `format: int32` and `int64`, which are about numbers.
struct Integer {
    bits: Option<u64>,
}

impl<'i> Keyword<'i, OurJson> for Integer {
    fn validate(&self, item: Item<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(item) {
            Ok(())
        } else {
            Err(ValidationError::custom(format!("is no integer of {} bits", self.bits.unwrap_or(64))))
        }
    }

    fn is_valid(&self, item: Item<'i>) -> bool {
        let Some(number) = item.as_number() else { return true };
        let whole = number.as_i64().or_else(|| {
            number.as_f64().filter(|float| float.fract() == 0.0 && (-TWO_63..TWO_63).contains(float)).map(|float| float as i64)
        });
        match self.bits {
            // What has a fraction is for `type` to refuse.
            _ if number.as_f64().is_some_and(|float| float.fract() != 0.0) => true,
            Some(32) => whole.is_some_and(|whole| i32::try_from(whole).is_ok()),
            _ => whole.is_some(),
        }
    }
}

/// A member that goes the other way only.
struct Absent {
    refused: bool,
}

impl<'i> Keyword<'i, OurJson> for Absent {
    fn validate(&self, item: Item<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(item) { Ok(()) } else { Err(ValidationError::custom("goes the other way only")) }
    }

    fn is_valid(&self, _: Item<'i>) -> bool {
        !self.refused
    }
}

fn declared_names(schema: &Value, names: &mut HashSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                if let ("properties", Value::Object(properties)) = (key.as_str(), value) {
                    names.extend(properties.keys().cloned());
                }
                declared_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| declared_names(item, names)),
        _ => {}
    }
}

impl Schema {
    /// Its number.
    pub fn number(&self) -> SchemaNumber {
        self.number
    }

    /// The schemas it is one of.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Whether a value fits.
    pub fn is_valid(&self, value: &Tree<'_>) -> bool {
        let decide = || self.decides.is_valid(value.root());
        if self.remembers { remembering(decide) } else { decide() }
    }

    /// What is wrong with a value that does not fit; never nothing.
    pub fn findings(&self, value: &Tree<'_>, part: Part) -> Vec<Finding> {
        explain::Explainer::new(&self.library, self.direction, part, value).findings(self.number, value.root())
    }
}

/// A place that `with_keyword` names.
pub(super) fn text_of(location: &Location) -> String {
    location.as_str().to_owned()
}
