//! Each cell of the table of styles, and what is near to one and is none.

use super::*;

fn integers() -> Value {
    json!({"x-line": 1, "type": "array", "items": {"type": "integer"}})
}

fn strings() -> Value {
    json!({"x-line": 1, "type": "array", "items": {"type": "string"}})
}

fn colour() -> Value {
    json!({"x-line": 1, "type": "object", "properties": {"R": {"type": "integer"}, "G": {"type": "integer"}, "s": {"type": "string"}}, "additionalProperties": false})
}

fn string() -> Value {
    json!({"x-line": 1, "type": "string"})
}

#[test]
fn every_style_of_a_path_reads_scalars_arrays_and_objects() {
    let rgb = json!({"R": 1, "G": 2});
    for (style, scalar, array, object) in [
        (Style::Simple, "a%2Cb", "1,2", "R,1,G,2"),
        (Style::SimpleExplode, "a%2Cb", "1,2", "R=1,G=2"),
        (Style::Label, ".a%2Cb", ".1,2", ".R,1,G,2"),
        (Style::LabelExplode, ".a%2Cb", ".1.2", ".R=1.G=2"),
        (Style::Matrix, ";n=a%2Cb", ";n=1,2", ";n=R,1,G,2"),
        (Style::MatrixExplode, ";n=a%2Cb", ";n=1;n=2", ";R=1;G=2"),
    ] {
        let rule = rule(Place::Path, style);
        reads(&rule, &string(), scalar, &json!("a,b"));
        reads(&rule, &integers(), array, &json!([1, 2]));
        reads(&rule, &colour(), object, &rgb);
    }
    reads(&rule(Place::Path, Style::Matrix), &string(), ";n", &json!(""));
    reads(&rule(Place::Path, Style::Simple), &string(), "a+b", &json!("a+b"));
}

#[test]
fn every_style_of_a_query_reads_arrays_and_objects() {
    let rgb = json!({"R": 1, "G": 2});
    for (style, arrays, objects) in [
        (Style::Form, vec!["n=1,2"], vec!["n=R,1,G,2"]),
        (Style::FormExplode, vec!["n=1&n=2", "n=1&&n=2&"], vec!["R=1&G=2", "G=2&R=1"]),
        (Style::SpaceDelimited, vec!["n=1%202", "n=1+2"], vec!["n=R%201%20G%202", "n=R+1+G+2"]),
        (Style::PipeDelimited, vec!["n=1%7C2", "n=1%7c2", "n=1|2"], vec!["n=R%7C1%7CG%7C2", "n=R|1|G|2"]),
        (Style::TabDelimited, vec!["n=1%092"], vec!["n=R%091%09G%092"]),
    ] {
        let rule = rule(Place::Query, style);
        arrays.into_iter().for_each(|text| reads(&rule, &integers(), text, &json!([1, 2])));
        objects.into_iter().for_each(|text| reads(&rule, &colour(), text, &rgb));
        reads(&rule, &integers(), "n=1", &json!([1]));
    }
    let deep = rule(Place::Query, Style::DeepObject);
    for text in ["n%5BR%5D=1&n%5BG%5D=2", "n[R]=1&n[G]=2", "n%5bR]=1&%6E[G]=2"] {
        reads(&deep, &colour(), text, &rgb);
    }
}

#[test]
fn a_scalar_is_read_in_every_place() {
    for style in [Style::Form, Style::FormExplode] {
        let query = rule(Place::Query, style);
        reads(&query, &string(), "n=a+b%2Bc", &json!("a b+c"));
        reads(&query, &string(), "%6E=x", &json!("x"));
        for text in ["n=", "n"] {
            reads(&query, &string(), text, &json!(""));
        }
        reads(&rule(Place::Cookie, style), &string(), "m=y; n=a%2C+b; o=z", &json!("a,+b"));
    }
    reads(&rule(Place::Cookie, Style::Cookie), &string(), "n=a%2Cb", &json!("a%2Cb"));
    reads(&rule(Place::Header, Style::Simple), &string(), "  a%2C, b ", &json!("a%2C, b"));
}

#[test]
fn lists_and_objects_in_fields_and_cookies_are_read() {
    let rgb = json!({"R": 1, "G": 2});
    for style in [Style::Simple, Style::SimpleExplode] {
        let rule = rule(Place::Header, style);
        for text in ["1,2", "1 ,\t2", "1\n2"] {
            reads(&rule, &integers(), text, &json!([1, 2]));
        }
        reads(&rule, &integers(), "1, 2\n3,4", &json!([1, 2, 3, 4]));
    }
    reads(&rule(Place::Header, Style::Simple), &colour(), "R, 1\nG, 2", &rgb);
    reads(&rule(Place::Header, Style::SimpleExplode), &colour(), "R=1\nG=2", &rgb);
    for style in [Style::Form, Style::Cookie] {
        reads(&rule(Place::Cookie, style), &integers(), "n=1,2", &json!([1, 2]));
        reads(&rule(Place::Cookie, style), &colour(), "n=R,1,G,2", &rgb);
    }
    reads(&rule(Place::Cookie, Style::CookieExplode), &integers(), "n=1; n=2", &json!([1, 2]));
    reads(&rule(Place::Cookie, Style::CookieExplode), &colour(), "R=1; G=2", &rgb);
}

#[test]
fn what_is_escaped_separates_nothing() {
    let a = json!(["a,b", "c"]);
    for (place, style, text) in [
        (Place::Path, Style::Simple, "a%2Cb,c"),
        (Place::Query, Style::Form, "n=a%2cb,c"),
        (Place::Query, Style::FormExplode, "n=a%2Cb&n=c"),
        (Place::Query, Style::FormExplode, "n=a,b&n=c"),
        (Place::Cookie, Style::Form, "n=a%2Cb,c"),
    ] {
        reads(&rule(place, style), &strings(), text, &a);
    }
    reads(&rule(Place::Query, Style::Form), &strings(), "n=a%2Cb", &json!(["a,b"]));
    reads(&rule(Place::Query, Style::Form), &strings(), "n=a%252Cb", &json!(["a%2Cb"]));
    reads(&rule(Place::Query, Style::Form), &strings(), "n=a%26n%3Db", &json!(["a&n=b"]));
    reads(&rule(Place::Query, Style::PipeDelimited), &strings(), "n=a,b|c", &a);
    reads(&rule(Place::Path, Style::MatrixExplode), &strings(), ";n=a%3Bn%3Db", &json!(["a;n=b"]));
}

#[test]
fn each_item_is_held_to_the_schema_of_items() {
    let colours = json!({"x-line": 1, "type": "array", "items": {"x-line": 2, "enum": ["red", "blue"]}, "maxItems": 3});
    for (style, good, bad) in [
        (Style::Form, "n=red,blue", "n=red,green"),
        (Style::FormExplode, "n=red&n=blue", "n=red&n=green"),
        (Style::FormExplode, "n=red", "n=red,blue"),
    ] {
        let rule = rule(Place::Query, style);
        assert_eq!(judged(&rule, &colours, good).rules(), [""; 0]);
        refuses(&rule, &colours, bad, "enum");
    }
    let found = judged(&rule(Place::Query, Style::Form), &colours, "n=red,green,blue");
    assert_eq!((found.findings[0].pointer.as_str(), found.findings[0].source.as_deref()), ("/1", Some("api.yaml:2")));
    refuses(&rule(Place::Query, Style::Form), &colours, "n=red,red,red,red", "maxItems");
}

#[test]
fn a_value_that_its_style_does_not_write_is_refused() {
    for (place, style, schema, text) in [
        (Place::Path, Style::Label, string(), "a"),
        (Place::Path, Style::LabelExplode, integers(), "1.2"),
        (Place::Path, Style::Matrix, string(), "n=a"),
        (Place::Path, Style::Matrix, string(), ";m=a"),
        (Place::Path, Style::MatrixExplode, integers(), ";n=1;m=2"),
        (Place::Path, Style::SimpleExplode, colour(), "R,1"),
        (Place::Path, Style::Simple, colour(), "R,1,G"),
        (Place::Query, Style::Form, colour(), "n="),
        (Place::Query, Style::DeepObject, colour(), "n=R,1"),
        (Place::Query, Style::DeepObject, colour(), "n[R][x]=1"),
        (Place::Query, Style::DeepObject, colour(), "n[R]=1&n=x"),
    ] {
        refuses(&rule(place, style), &schema, text, "style");
    }
}

#[test]
fn what_is_repeated_and_is_no_list_is_refused() {
    for (place, style, schema, text) in [
        (Place::Query, Style::Form, string(), "n=a&n=a"),
        (Place::Query, Style::FormExplode, string(), "n=a&m=1&%6e=b"),
        (Place::Query, Style::Form, integers(), "n=1&n=2"),
        (Place::Query, Style::PipeDelimited, integers(), "n=1&n=2"),
        (Place::Query, Style::FormExplode, colour(), "R=1&R=2"),
        (Place::Query, Style::DeepObject, colour(), "n[R]=1&n%5BR%5D=2"),
        (Place::Header, Style::Simple, string(), "a\nb"),
        (Place::Cookie, Style::Form, string(), "n=a; n=b"),
        (Place::Cookie, Style::Form, integers(), "n=1; n=2"),
    ] {
        refuses(&rule(place, style), &schema, text, "repeated");
    }
    for (place, style, text) in [
        (Place::Query, Style::Form, "n=R,1,R,1"),
        (Place::Path, Style::SimpleExplode, "R=1,%52=2"),
        (Place::Header, Style::SimpleExplode, "R=1\nR=2"),
    ] {
        refuses(&rule(place, style), &colour(), text, "duplicate-name");
    }
}

#[test]
fn the_delimiters_of_2_0_are_read_outside_of_queries_too() {
    let a = json!(["a+", "b"]);
    for (style, path, field) in
        [(Style::SpaceDelimited, "a+%20b", "a+ b"), (Style::PipeDelimited, "a+%7Cb", "a+|b"), (Style::TabDelimited, "a+%09b", "a+\tb")]
    {
        reads(&rule(Place::Path, style), &strings(), path, &a);
        reads(&rule(Place::Header, style), &strings(), field, &a);
    }
    reads(&rule(Place::Header, Style::PipeDelimited), &strings(), "a%7Cb", &json!(["a%7Cb"]));
}

#[test]
fn an_object_of_the_query_takes_the_names_that_are_nobodys_when_it_is_open() {
    let open = json!({"type": "object", "properties": {"page": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}});
    let closed = json!({"type": "object", "properties": {"page": {"type": "integer"}}, "additionalProperties": false});
    let bare = json!({"type": "object", "properties": {"page": {"type": "integer"}}});
    let free = json!({"type": "object"});
    let rules = [rule(Place::Query, Style::FormExplode), named("q", ParameterRule { schema: Some(1), ..rule(Place::Query, Style::Form) })];
    for (schema, findings, unknown) in [(open, vec!["type"], 0), (closed, vec![], 1), (bare, vec![], 1), (free, vec![], 0)] {
        let parameters = compiled(&rules, "/x", &[schema.clone(), string()]);
        let found = judge(&parameters, &request(Place::Query, "page=1&q=x&other=1"));
        assert_eq!((found.rules(), found.unknown, found.present.clone()), (findings, unknown, vec![0, 1]), "{schema}");
    }
}

#[test]
fn a_member_that_is_a_list_is_repeated() {
    let pageable =
        json!({"type": "object", "properties": {"page": {"type": "integer"}, "sort": {"type": "array", "items": {"type": "string"}}}});
    let rule = rule(Place::Query, Style::FormExplode);
    reads(&rule, &pageable, "sort=a,asc&page=1&sort=b", &json!({"page": 1, "sort": ["a,asc", "b"]}));
    refuses(&rule, &pageable, "sort=a&page=1&page=2", "repeated");
    // One text is a text where that is allowed.
    let either = json!({"type": "object", "properties": {"id": {"oneOf": [{"type": "integer"}, {"type": "array", "minItems": 2, "items": {"type": "integer"}}]}}});
    reads(&rule, &either, "id=1", &json!({"id": 1}));
    reads(&rule, &either, "id=1&id=2", &json!({"id": [1, 2]}));
}
