mod hostile;
mod round_trip;
mod schema;
mod wso2;

use serde_json::{Value, json};
use tollgate_validation::rules::{Schemas, WrittenSchema};

use super::*;

fn hints(schema: Value) -> Hints {
    let library = Library::from(Schemas { schemas: vec![WrittenSchema { schema, file: "api.yaml".to_owned() }] });
    Hints::of(&library, Some(0)).unwrap()
}

/// Of a body of which nothing is said.
fn unsaid() -> Hints {
    Hints::of(&Library::default(), None).unwrap()
}

fn of(convention: Convention) -> Options {
    Options { convention, ..Options::default() }
}

/// What a JSON text becomes, and the error with its pointer if there is none.
fn xml(convention: Convention, schema: &Value, body: &str) -> String {
    let made = ToXml::new(of(convention), hints(schema.clone())).unwrap().convert(body.as_bytes());
    made.map_or_else(|broken| format!("{broken} at {:?}", broken.pointer()), |document| String::from_utf8(document).unwrap())
}

fn json_of(convention: Convention, schema: &Value, body: &str) -> String {
    let made = ToJson::new(of(convention), hints(schema.clone())).convert(body.as_bytes());
    made.map_or_else(|broken| broken.to_string(), |text| String::from_utf8(text).unwrap())
}

/// A JSON text and a document stand for each other.
#[track_caller]
fn both(schema: Value, body: &str, document: &str) {
    let written = xml(Convention::Schema, &schema, body);
    assert_eq!(written.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), Some(document), "{written}");
    assert_eq!(json_of(Convention::Schema, &schema, &written), body);
}

#[test]
fn names_that_no_document_can_have_are_found_at_load() {
    let of_schema = |schema: Value| ToXml::new(Options::default(), hints(schema)).map(drop);
    assert_eq!(of_schema(json!({"xml": {"name": "1a"}})), Err(Unusable::Name("1a".to_owned())));
    assert_eq!(of_schema(json!({"properties": {"a b": {"type": "string"}}})), Err(Unusable::Name("a b".to_owned())));
    assert_eq!(of_schema(json!({"properties": {"a b": {"xml": {"name": "ab"}}}})), Ok(()));
    let xmlns = "http://www.w3.org/2000/xmlns/";
    assert_eq!(of_schema(json!({"xml": {"name": "a", "namespace": xmlns}})), Err(Unusable::Namespace(xmlns.to_owned())));
    assert_eq!(of_schema(json!({"xml": {"name": "a", "namespace": "u", "prefix": "XMLa"}})), Err(Unusable::Prefix("XMLa".to_owned())));
    let options = Options { root: "a:b".to_owned(), ..Options::default() };
    assert_eq!(ToXml::new(options, unsaid()).map(drop), Err(Unusable::Name("a:b".to_owned())));
}
