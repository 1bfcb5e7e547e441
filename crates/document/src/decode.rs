//! A part of a document to a Rust type; what does not fit is a [`Problem`] with its place.

use serde::de::DeserializeOwned;
use tollgate_filter_api::Problem;

use crate::Document;

impl Document {
    /// Decodes the value at `pointer` (the whole document for an empty one).
    ///
    /// # Errors
    /// A `decode.unknown_key`, `decode.missing` or `decode.value` problem at the place that does not fit, with what
    /// was expected; at the nearest existing ancestor when nothing stands at `pointer`.
    pub fn decode<T: DeserializeOwned>(&self, pointer: &str) -> Result<T, Problem> {
        let value = self.at(pointer).map_or(serde_json::Value::Null, |node| node.value());
        tollgate_filter_api::decode(value).map_err(|problem| {
            let place = format!("{pointer}{}", problem.pointer);
            self.locate(problem, &place)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::{Document, Limits};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code)]
        name: String,
        #[allow(dead_code)]
        port: Option<u16>,
    }

    fn wrong(text: &str) -> tollgate_filter_api::Problem {
        let document = Document::parse("c.yaml", text.as_bytes(), &Limits::default()).expect("it parses");
        document.decode::<Outer>("").expect_err("it does not fit")
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest_known_one() {
        let problem = wrong("inner:\n- name: a\n  prot: 1\n");
        assert_eq!((problem.line, problem.pointer.as_str()), (3, "/inner/0/prot"));
        assert_eq!(problem.code, "decode.unknown_key");
        assert!(problem.hint.starts_with("did you mean `port`?"), "{}", problem.hint);
    }

    #[test]
    fn a_missing_key_is_named_at_its_parent() {
        let problem = wrong("inner:\n- name: a\n- port: 1\n");
        assert_eq!((problem.line, problem.pointer.as_str()), (3, "/inner/1"));
        assert_eq!(problem.message, "the key `name` is missing");
    }

    #[test]
    fn a_wrong_value_is_named_where_it_stands() {
        let problem = wrong("inner:\n- name: a\n  port: 70000\n");
        assert_eq!((problem.line, problem.pointer.as_str()), (3, "/inner/0/port"));
    }

    #[test]
    fn a_pointer_into_the_document_is_part_of_the_place() {
        let text = "a:\n  b:\n    inner: 1\n";
        let document = Document::parse("c.yaml", text.as_bytes(), &Limits::default()).expect("it parses");
        let problem = document.decode::<Outer>("/a/b").expect_err("it does not fit");
        assert_eq!((problem.line, problem.pointer.as_str()), (3, "/a/b/inner"));
    }
}
