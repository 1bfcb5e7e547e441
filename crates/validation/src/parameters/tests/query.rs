//! What is there, what is missing, and what nobody declared.

use super::*;

fn text() -> Value {
    json!({"type": "string"})
}

#[test]
fn a_required_parameter_that_is_missing_is_told() {
    for (place, text) in [(Place::Query, "m=1"), (Place::Header, ""), (Place::Cookie, "m=1"), (Place::Querystring, "")] {
        for schema in [None, Some(0)] {
            let rule = ParameterRule { required: true, schema, name: "k".to_owned(), ..rule(place, Style::FormExplode) };
            let rule =
                if place == Place::Querystring { ParameterRule { form: Form::Content("text/plain".to_owned()), ..rule } } else { rule };
            let found = judged(&rule, &self::text(), text);
            assert_eq!((found.rules(), &found.present), (vec!["required"], &vec![]), "{place:?}");
            assert_eq!(
                found.findings[0].told(),
                json!({"in": Part::word(found.findings[0].part), "name": "k", "rule": "required", "detail": "is missing"})
            );
            let found = judged(&ParameterRule { required: false, ..rule }, &self::text(), text);
            assert_eq!((found.rules(), found.present.clone()), (vec![], vec![]), "{place:?}");
        }
    }
}

#[test]
fn an_object_of_the_query_is_missing_when_none_of_its_members_is_there() {
    let object = json!({"x-line": 1, "type": "object", "required": ["a"], "properties": {"a": {}, "b": {}}});
    let optional = rule(Place::Query, Style::FormExplode);
    assert_eq!(judged(&optional, &object, "c=1").rules(), [""; 0]);
    refuses(&optional, &object, "b=1", "required");
    let required = ParameterRule { required: true, ..optional };
    assert_eq!(judged(&required, &object, "c=1").findings[0].says, "is missing");
}

#[test]
fn an_empty_value_that_may_be_empty_is_not_judged() {
    let schema = json!({"x-line": 1, "type": "integer"});
    let strict = ParameterRule { required: true, ..rule(Place::Query, Style::Form) };
    let lenient = ParameterRule { allow_empty: true, ..strict.clone() };
    for text in ["n", "n="] {
        refuses(&strict, &schema, text, "type");
        let found = judged(&lenient, &schema, text);
        assert_eq!((found.rules(), found.present.clone()), (vec![], vec![0]));
    }
    refuses(&lenient, &schema, "n=x", "type");
    refuses(&lenient, &schema, "m=1", "required");
}

#[test]
fn a_parameter_without_schema_is_counted_and_nothing_else() {
    let rules = [
        ParameterRule { schema: None, ..rule(Place::Query, Style::Form) },
        named("m", ParameterRule { schema: None, ..rule(Place::Header, Style::Simple) }),
    ];
    let found = judge(&compiled(&rules, "/x", &[]), &request(Place::Query, "n=%zz&n=2"));
    assert_eq!((found.rules(), found.present.clone(), found.unknown), (vec![], vec![0], 0));
}

#[test]
fn pairs_that_nobody_declared_are_counted_after_all_parameters_took_theirs() {
    let deep = named("f", rule(Place::Query, Style::DeepObject));
    let rules = [ParameterRule { schema: Some(1), ..rule(Place::Query, Style::FormExplode) }, deep];
    let mut parameters = compiled(&rules, "/x", &[json!({"type": "object"}), text()]);
    let head = request(Place::Query, "N=1&n=1&f[a]=1&f%5Bb]=2&g[a]=1&api_key=k&n%20=1");
    assert_eq!(judge(&parameters, &head).unknown, 4);
    parameters.know(["api_key"]);
    assert_eq!(judge(&parameters, &head).unknown, 3);
    assert_eq!(
        unknown_query(3).told(),
        json!({"in": "query", "rule": "unknown_query", "detail": "has 3 parameters that the definition does not have"})
    );
    assert_eq!(judge(&Parameters::default(), &head).unknown, 7);
}

#[test]
fn a_query_is_looked_at_only_as_far_as_somebody_would_send_it() {
    let parameters = compiled(&[rule(Place::Query, Style::FormExplode)], "/x", &[json!({"type": "array"})]);
    assert_eq!(judge(&parameters, &request(Place::Query, &"n=1&".repeat(1_000))).rules(), [""; 0]);
    assert_eq!(judge(&parameters, &request(Place::Query, &"n=1&".repeat(1_001))).rules(), ["limit"]);
    let whole =
        ParameterRule { form: Form::Content("application/x-www-form-urlencoded".to_owned()), ..rule(Place::Querystring, Style::Form) };
    assert_eq!(judged(&whole, &json!({}), &"n=1&".repeat(1_001)).rules(), ["limit"]);
}

#[test]
fn a_document_in_a_parameter_is_decoded_once_and_read_as_its_media_type() {
    let content = |place, media_type: &str| ParameterRule { form: Form::Content(media_type.to_owned()), ..rule(place, Style::Form) };
    let json = content(Place::Query, "application/problem+JSON; charset=utf-8");
    let object = json!({"type": "object"});
    reads(&json, &object, "n=%7B%22a%22:%5B1,+%22%2525%22%5D%7D", &json!({"a": [1, "%25"]}));
    reads(&content(Place::Header, "application/json"), &object, "{\"a\": \"%41\"}", &json!({"a": "%41"}));
    reads(&content(Place::Query, "text/plain"), &text(), "n=%7B1", &json!("{1"));
    reads(&content(Place::Query, "text/plain"), &text(), "n=1", &json!("1"));
    refuses(&json, &object, "n=%7B", "json");
    refuses(&json, &object, "n={}&n={}", "repeated");
    refuses(&json, &object, "n={\"a\":1,\"a\":2}".replace('"', "%22").as_str(), "duplicate-name");
    refuses(&json, &json!({"x-line": 1, "type": "array"}), "n={}", "type");
}

#[test]
fn the_whole_query_is_one_value() {
    let content = |media_type: &str| ParameterRule { form: Form::Content(media_type.to_owned()), ..rule(Place::Querystring, Style::Form) };
    let form = content("application/x-www-form-urlencoded");
    let schema = json!({"x-line": 1, "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "integer"}}, "c": {"type": "string"}}});
    reads(&form, &schema, "a=1&b=2&c=x+y%2B&b=3", &json!({"a": 1, "b": [2, 3], "c": "x y+"}));
    refuses(&form, &schema, "a=1&a=1", "repeated");
    refuses(&form, &schema, "a=x", "type");
    refuses(&form, &schema, "%zz=x", "encoding");
    reads(&content("application/json"), &json!({"type": "array"}), "%5B1,%22a+b%22%5D", &json!([1, "a+b"]));
    assert_eq!(judged(&form, &schema, "z=1").unknown, 0);
}
