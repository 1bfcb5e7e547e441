//! Trees out of other notations than YAML and JSON, whose readers know the lines.

use serde_json::Number;
use tollgate_filter_api::{Problem, Problems};

use crate::{Document, Limits, builder::Builder, tree::Kind};

/// A value and the line it was written on.
#[derive(Clone, Debug)]
pub struct Written {
    /// Counted from 1.
    pub line: u32,
    /// The value.
    pub value: Form,
}

/// What was written.
#[derive(Clone, Debug)]
pub enum Form {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Written>),
    /// Keys and values. A key has its value's line.
    Map(Vec<(String, Written)>),
}

impl Document {
    /// A document whose values another reader has found in a file of that name.
    ///
    /// # Errors
    /// A limit, and all keys that stand twice.
    pub fn of(name: &str, root: &Written, limits: &Limits) -> Result<Self, Problems> {
        let mut builder = Builder::new(name, limits);
        add(root, &mut builder)?;
        builder.finish()
    }
}

/// Recurses no deeper than the limits allow: the builder refuses what is below.
fn add(written: &Written, builder: &mut Builder<'_>) -> Result<(), Problem> {
    let line = written.line;
    match &written.value {
        Form::Bool(value) => builder.scalar(Kind::Bool(*value), line).map(drop),
        Form::Number(number) => builder.scalar(Kind::number(number.clone(), &number.to_string()), line).map(drop),
        Form::Text(text) => builder.scalar(Kind::String(text.as_str().into()), line).map(drop),
        Form::List(items) => {
            builder.open_array(line)?;
            items.iter().try_for_each(|item| add(item, builder))?;
            builder.close().map(drop)
        }
        Form::Map(members) => {
            builder.open_object(line)?;
            for (key, value) in members {
                builder.key(key, value.line)?;
                add(value, builder)?;
            }
            builder.close().map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, value: Form) -> Written {
        Written { line, value }
    }

    #[test]
    fn what_another_reader_found_keeps_its_lines_and_its_order() {
        let items = vec![at(3, Form::Text("x".into())), at(4, Form::Number(5.into()))];
        let members = vec![("b".to_owned(), at(2, Form::List(items))), ("a".to_owned(), at(7, Form::Bool(true)))];
        let document = Document::of("a.proto", &at(1, Form::Map(members)), &Limits::default()).expect("it is small");
        assert_eq!(document.value().to_string(), r#"{"b":["x",5],"a":true}"#);
        assert_eq!(["/b", "/b/0", "/b/1", "/a"].map(|pointer| document.line(pointer)), [2, 3, 4, 7]);
    }

    #[test]
    fn its_limits_hold() {
        let deep = (0..200).fold(at(1, Form::Bool(true)), |inner, _| at(1, Form::List(vec![inner])));
        let problems = Document::of("a.proto", &deep, &Limits::default()).expect_err("it is too deep");
        assert_eq!(problems.0[0].code, "document.too_deep");
        let twice = vec![("a".to_owned(), at(2, Form::Bool(true))), ("a".to_owned(), at(3, Form::Bool(true)))];
        let problems = Document::of("a.proto", &at(1, Form::Map(twice)), &Limits::default()).expect_err("a key stands twice");
        assert_eq!((problems.0[0].code, problems.0[0].line), ("document.duplicate_key", 3));
    }
}
