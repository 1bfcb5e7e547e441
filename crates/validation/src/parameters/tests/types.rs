//! What type a text has.

use super::*;

#[test]
fn a_text_has_the_narrowest_type_that_its_schema_allows() {
    let rule = rule(Place::Query, Style::Form);
    let max = json!({"type": "integer"});
    for (schema, text, value) in [
        (json!({"type": "integer"}), "n=-12", json!(-12)),
        (json!({"type": "integer"}), "n=9223372036854775807", json!(i64::MAX)),
        (json!({"type": "number"}), "n=1.50", json!(1.5)),
        (json!({"type": "number"}), "n=-1e2", json!(-100.0)),
        (json!({"type": "number"}), "n=7", json!(7)),
        (json!({"type": "boolean"}), "n=true", json!(true)),
        (json!({"type": "boolean"}), "n=false", json!(false)),
        (json!({"type": "string"}), "n=12", json!("12")),
        (json!({"type": "string"}), "n=true", json!("true")),
        (json!({"minLength": 1}), "n=12", json!("12")),
        (json!({"maximum": 20}), "n=12", json!(12)),
        (json!({}), "n=12", json!("12")),
        (json!({"allOf": [{"$ref": crate::rules::reference(1)}]}), "n=12", json!(12)),
        (json!({"type": ["integer", "null"]}), "n=12", json!(12)),
    ] {
        for (keyword, rules) in [("const", vec![]), ("not", vec!["not"])] {
            let part = if keyword == "const" { json!({"const": value}) } else { json!({"not": {"const": value}}) };
            let parameters = compiled(std::slice::from_ref(&rule), "/x", &[json!({"allOf": [schema, part]}), max.clone()]);
            assert_eq!(judge(&parameters, &request(Place::Query, text)).rules(), rules, "{schema} {text}");
        }
    }
}

#[test]
fn what_does_not_have_the_grammar_of_its_type_is_refused() {
    let rule = rule(Place::Query, Style::Form);
    for (kind, texts) in [
        ("integer", vec!["", "+1", "01", "1.0", "1e3", "--1", "-", "0x1", "1 ", "1%00", "\u{0661}", "true", "null"]),
        ("number", vec!["", ".5", "5.", "01", "1e", "NaN", "Infinity", "1,5", "1_0"]),
        ("boolean", vec!["", "True", "1", "0", "yes", "TRUE"]),
        ("null", vec!["", "null"]),
    ] {
        for text in texts {
            let escaped: String = text.bytes().map(|byte| if byte == b',' { ",".to_owned() } else { format!("%{byte:02x}") }).collect();
            refuses(&rule, &json!({"x-line": 1, "type": kind}), &format!("n={escaped}"), "type");
        }
    }
    refuses(&rule, &json!({"type": "number"}), "n=1e400", "number");
    refuses(&rule, &json!({"type": "integer"}), &format!("n={}", "1".repeat(200)), "number");
}

#[test]
fn a_text_that_does_not_fit_as_a_number_may_fit_as_a_string() {
    let rule = rule(Place::Query, Style::Form);
    let either = json!({"x-line": 1, "oneOf": [{"type": "integer", "maximum": 9}, {"type": "string", "pattern": "^[0-9]{3}$"}]});
    for text in ["n=7", "n=007", "n=123"] {
        assert_eq!(judged(&rule, &either, text).rules(), [""; 0], "{text}");
    }
    refuses(&rule, &either, "n=12", "oneOf");
    let huge = json!({"type": ["number", "string"]});
    assert_eq!(judged(&rule, &huge, "n=1e400").rules(), [""; 0]);
    let one_or_many = json!({"x-line": 1, "oneOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]});
    for text in ["n=7", "n=7,8"] {
        assert_eq!(judged(&rule, &one_or_many, text).rules(), [""; 0], "{text}");
    }
    refuses(&rule, &one_or_many, "n=7,x", "oneOf");
}

#[test]
fn each_item_and_each_member_has_a_type_of_its_own() {
    let tuple = json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": {"type": "string"}});
    reads(&rule(Place::Query, Style::Form), &tuple, "n=1,true,3,false", &json!([1, true, "3", "false"]));
    let object = json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "string"}}, "additionalProperties": {"type": "boolean"}});
    reads(&rule(Place::Query, Style::Form), &object, "n=a,1.5,b,2,c,true", &json!({"a": 1.5, "b": "2", "c": true}));
}
