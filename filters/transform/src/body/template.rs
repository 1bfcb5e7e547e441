//! Whole bodies made from a template (Jinja, by minijinja).
//!
//! What stands between `{{` and `}}` is escaped by what the template writes: JSON values stay JSON values, text in XML stays text. It runs on
//! a budget; what it makes is of so many bytes at most.

use std::io;

use http::HeaderValue;
use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    value::{Serde, Value},
};
use tollgate_filter_api::{Problem, essence};
use tollgate_validation::json;

use super::{Known, Notation, Wrong, pipeline::Limits};
use crate::config::TemplateStep;

/// Instructions, and bytes of values and of what is written, for one body.
const FUEL: u64 = 4 << 20;
/// Calls in each other.
const DEEPEST: usize = 100;
/// The only template of its environment.
const NAME: &str = "body";

/// A template, compiled.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    /// What it writes; `None` for what only people read.
    pub notation: Option<Notation>,
    /// `Content-Type` of what it writes.
    pub media_type: HeaderValue,
}

impl Template {
    /// Compiles a template; `place` is where it is written.
    ///
    /// # Errors
    /// It is none, or writes a media type that is none.
    pub fn parse(written: &TemplateStep, place: &str) -> Result<Self, Problem> {
        let wrong_type = || {
            let problem = Problem::setting(format!("{place}/type"), format!("`{}` is not a media type", written.media_type));
            problem.hint("write type and subtype, such as `application/json`")
        };
        let kind = essence(&written.media_type).ok_or_else(wrong_type)?;
        let (notation, escape) = match Notation::of(kind) {
            Some(Notation::Json) => (Some(Notation::Json), AutoEscape::Json),
            Some(Notation::Xml) => (Some(Notation::Xml), AutoEscape::Html),
            None if kind == "text/html" => (None, AutoEscape::Html),
            _ => (None, AutoEscape::None),
        };
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_recursion_limit(DEEPEST);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.add_template_owned(NAME, written.text.clone()).map_err(|error| {
            let line = error.line().map_or_else(String::new, |line| format!(", line {line} of it"));
            Problem::setting(format!("{place}/text"), format!("the template cannot be read{line}: {error}"))
        })?;
        let media_type = HeaderValue::from_str(&written.media_type).map_err(|_| wrong_type())?;
        Ok(Self { environment, notation, media_type })
    }

    /// What it writes about a body. `known` is what is known besides.
    ///
    /// # Errors
    /// Something it needs is not there, its budget is spent, or what it wrote is not what it says.
    pub fn render(&self, at: usize, body: &[u8], known: &Known, limits: &Limits) -> Result<Vec<u8>, Wrong> {
        let mut context = known.clone();
        context.insert("text".to_owned(), String::from_utf8_lossy(body).into());
        context.extend(serde_json::from_slice(body).ok().map(|value| ("body".to_owned(), value)));
        let unfit = |error: minijinja::Error| Wrong::Unfit(at + 1, words(&error));
        let template = self.environment.get_template(NAME).map_err(unfit)?;
        let mut out = Bounded { bytes: Vec::new(), most: limits.bytes, is_over: false };
        let rendered = template.render_captured_to(Value::from(Serde(&context)), &mut out).map(drop);
        if out.is_over {
            return Err(Wrong::TooLong);
        }
        rendered.map_err(unfit)?;
        if self.notation == Some(Notation::Json) {
            let wrong = |why: json::Malformed| Wrong::Unfit(at + 1, format!("what the template wrote {why}"));
            json::parse(&out.bytes, &limits.json).map_err(wrong)?;
        }
        Ok(out.bytes)
    }
}

/// What went wrong and where in the template, without a value of the message.
fn words(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!(" in line {line} of the template"));
    format!("{}{line}", error.kind())
}

/// A writer that stops at a bound.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_over: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
