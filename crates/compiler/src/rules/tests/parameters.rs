use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_document::Limits;
use tollgate_filter_api::Problems;

use super::*;
use crate::model;

/// What was read: rules, pointers of schemas by number, problems.
struct Read {
    rules: Vec<ParameterRule>,
    schemas: Vec<String>,
    problems: Vec<Problem>,
}

impl Read {
    /// The rules without what every one has.
    fn brief(&self) -> Vec<Value> {
        let brief = |rule: &ParameterRule| {
            let mut rule = serde_json::to_value(rule).unwrap();
            rule.as_object_mut().unwrap().remove("source");
            rule
        };
        self.rules.iter().map(brief).collect()
    }
}

/// Reads what `each` asks for of the only operation of `api.yaml`.
fn read_with(
    files: &[(&str, &str)],
    version: Version,
    each: impl for<'a> Fn(&mut Reader<'_, 'a>, &PathItem<'a>, &Operation<'a>) -> Vec<ParameterRule>,
) -> Read {
    let files: BTreeMap<String, Vec<u8>> = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    let mut found = Problems::default();
    let sources = Sources::load(&files, &["api.yaml".to_owned()], &Limits::default(), &mut found);
    assert!(found.0.is_empty(), "{found}");
    let root = sources.root(sources.index("api.yaml").unwrap());
    let definition = model::read(&sources, root, version);
    let item = &definition.paths[0];
    let (mut schemas, mut problems) = (Vec::new(), Vec::new());
    let mut number = |spot: &Spot<'_>| {
        schemas.push(spot.pointer.clone());
        schemas.len() as SchemaNumber - 1
    };
    let mut reader = Reader { sources: &sources, version, number: &mut number, problems: &mut problems };
    let rules = each(&mut reader, item, &item.operations[0]);
    Read { rules, schemas, problems }
}

fn read(text: &str, version: Version) -> Read {
    read_with(&[("api.yaml", text)], version, |reader, item, operation| reader.parameters(item, operation))
}

/// A definition whose operation has those parameters, in YAML's flow style.
fn operation(parameters: &str) -> String {
    format!(
        "paths:\n  /a/{{n}}:\n    get:\n      parameters:\n{}",
        parameters.lines().map(|line| format!("      - {line}\n")).collect::<String>()
    )
}

/// The style of one parameter, or the problem with it, its line and its hint.
fn style(version: Version, parameter: &str) -> Result<Value, (u32, String, String)> {
    let mut read = read(&operation(parameter), version);
    match read.problems.pop() {
        Some(problem) => {
            assert_eq!((problem.code, problem.severity, read.problems.len()), ("rules.style", severity(), 0));
            assert!(read.rules.iter().all(|rule| rule.schema.is_none()));
            Err((problem.line, problem.message, problem.hint))
        }
        None => Ok(read.brief()[0]["form"]["style"].clone()),
    }
}

#[test]
fn the_operations_parameters_stand_above_those_of_its_path() {
    let api = "
paths:
  /a/{n}:
    $ref: 'item.yaml'
    parameters:
    - {name: page, in: query, schema: {type: string}}
    - {name: X-A, in: header, schema: {type: string}}
    - {name: page, in: header, schema: {type: integer}}
";
    let item = "
parameters:
- {name: n, in: path, required: true, schema: {type: integer}}
- {name: stray, in: path, required: true, schema: {type: integer}}
- {name: x-a, in: header, schema: {type: boolean}}
get:
  parameters:
  - {name: page, in: query, required: true, schema: {type: integer}}
  - {$ref: 'item.yaml#/shared/q'}
shared:
  q: {name: q, in: query, allowEmptyValue: true, schema: {type: string}}
";
    let read =
        read_with(&[("api.yaml", api), ("item.yaml", item)], Version::V30, |reader, item, operation| reader.parameters(item, operation));
    assert!(read.problems.is_empty());
    assert_eq!(
        read.brief(),
        [
            json!({"in": "query", "name": "page", "required": true, "form": {"style": "form_explode"}, "schema": 0}),
            json!({"in": "query", "name": "q", "allow_empty": true, "form": {"style": "form_explode"}, "schema": 1}),
            json!({"in": "header", "name": "X-A", "form": {"style": "simple"}, "schema": 2}),
            json!({"in": "header", "name": "page", "form": {"style": "simple"}, "schema": 3}),
            json!({"in": "path", "name": "n", "required": true, "form": {"style": "simple"}, "schema": 4}),
        ]
    );
    assert_eq!(read.schemas[0], "/get/parameters/0/schema");
    assert_eq!(read.schemas[1], "/shared/q/schema");
    assert_eq!(read.rules[1].source, "item.yaml:11");
}

#[test]
fn fields_that_other_parts_speak_of_are_no_parameters() {
    let parameters = ["Accept", "content-type", "AUTHORIZATION", "a b", "Accept-Language"]
        .map(|name| format!("{{name: {name}, in: header, schema: {{}}}}"));
    let read = read(&operation(&parameters.join("\n")), Version::V31);
    assert_eq!(read.brief(), [json!({"in": "header", "name": "Accept-Language", "form": {"style": "simple"}, "schema": 0})]);
}

const ARRAY: &str = "schema: {type: array, items: {type: integer}}";
const OBJECT: &str = "schema: {type: object, properties: {a: {type: integer}}}";

#[test]
fn every_style_of_every_place_is_read() {
    for (place, named, explode, expected) in [
        ("path", "", "", "simple"),
        ("path", "", "explode: true", "simple_explode"),
        ("path", "style: label", "", "label"),
        ("path", "style: label", "explode: true", "label_explode"),
        ("path", "style: matrix", "", "matrix"),
        ("path", "style: matrix", "explode: true", "matrix_explode"),
        ("header", "", "", "simple"),
        ("header", "style: simple", "explode: true", "simple_explode"),
        ("query", "", "", "form_explode"),
        ("query", "style: form", "explode: false", "form"),
        ("query", "style: spaceDelimited", "", "space_delimited"),
        ("query", "style: pipeDelimited", "explode: false", "pipe_delimited"),
        ("cookie", "", "explode: false", "form"),
        ("cookie", "style: cookie", "", "cookie_explode"),
        ("cookie", "style: cookie", "explode: false", "cookie"),
    ] {
        for schema in [ARRAY, OBJECT] {
            let parts: Vec<&str> = [named, explode, schema].into_iter().filter(|part| !part.is_empty()).collect();
            let parameter = format!("{{name: n, in: {place}, {}}}", parts.join(", "));
            assert_eq!(style(Version::V32, &parameter).unwrap(), expected, "{parameter}");
        }
    }
    for explode in ["explode: true,", ""] {
        assert_eq!(style(Version::V31, &format!("{{name: n, in: query, style: deepObject, {explode} {OBJECT}}}")).unwrap(), "deep_object");
    }
    assert_eq!(style(Version::V30, "{name: n, in: cookie, schema: {type: string}}").unwrap(), "form_explode");
}

#[test]
fn what_the_specification_does_not_say_is_a_problem_with_a_way_out() {
    for (parameter, hint) in [
        (format!("{{name: n, in: query, style: pipeDelimited, explode: true, {ARRAY}}}"), "explode: false"),
        (format!("{{name: n, in: query, style: spaceDelimited, explode: true, {ARRAY}}}"), "explode: false"),
        ("{name: n, in: query, style: spaceDelimited, schema: {type: string}}".to_owned(), "style: form"),
        (format!("{{name: n, in: query, style: deepObject, explode: false, {OBJECT}}}"), "explode: true"),
        (format!("{{name: n, in: query, style: deepObject, explode: true, {ARRAY}}}"), "style: form"),
        ("{name: n, in: query, style: deepObject, explode: true, schema: {type: integer}}".to_owned(), "style: form"),
        (
            format!(
                "{{name: n, in: query, style: deepObject, explode: true, schema: {{properties: {{m: {{{}}}}}}}}}",
                &OBJECT[9..OBJECT.len() - 1]
            ),
            "content",
        ),
        ("{name: n, in: query, schema: {type: array, items: {type: array}}}".to_owned(), "content"),
        ("{name: n, in: query, schema: {properties: {m: {type: object}}}}".to_owned(), "content"),
        ("{name: n, in: query, explode: false, schema: {properties: {m: {type: array}}}}".to_owned(), "content"),
        ("{name: n, in: query, schema: {oneOf: [{type: object}, {type: string}]}}".to_owned(), "explode: false"),
        (format!("{{name: n, in: cookie, {ARRAY}}}"), "explode: false"),
        (format!("{{name: n, in: cookie, {OBJECT}}}"), "explode: false"),
        (format!("{{name: n, in: path, style: form, {ARRAY}}}"), "style: simple"),
        (format!("{{name: n, in: cookie, style: simple, {ARRAY}}}"), "style: form"),
    ] {
        let (line, message, said) = style(Version::V31, &parameter).unwrap_err();
        assert!(
            line == 5 && message.starts_with("the value of `n` is not judged: ") && said.contains(hint),
            "{parameter}: {message}; {said}"
        );
    }
}

#[test]
fn what_cannot_be_read_keeps_its_names() {
    let parameters = "{name: f, in: query, required: true, schema: {$ref: '#/components/schemas/F'}}\n{name: c, in: cookie, required: true, schema: {type: array}}";
    let schemas = "components:\n  schemas:\n    F:\n      allOf:\n      - {properties: {b: {type: object}, a: {}}}\n      - {type: object, properties: {a: {}}}\n";
    let read = read(&format!("{}{schemas}", operation(parameters)), Version::V31);
    assert_eq!(
        read.brief(),
        [
            json!({"in": "query", "name": "a", "form": {"style": "form_explode"}}),
            json!({"in": "query", "name": "b", "form": {"style": "form_explode"}}),
            json!({"in": "cookie", "name": "c", "required": true, "form": {"style": "form_explode"}}),
        ]
    );
    assert_eq!(read.problems.len(), 2);
}

#[test]
fn kinds_are_found_through_references_and_alternatives() {
    let schemas = "components:\n  schemas:\n    A: {allOf: [{$ref: '#/components/schemas/B'}]}\n    B: {anyOf: [{type: array, items: {type: string}}, {enum: [[1]]}]}\n    C: {oneOf: [{type: [integer, 'null']}, {const: a}]}\n    D: {$ref: '#/components/schemas/D'}\n";
    for (name, is_scalar) in [("A", false), ("B", false), ("C", true), ("D", true)] {
        let parameter = format!("{{name: n, in: query, style: spaceDelimited, schema: {{$ref: '#/components/schemas/{name}'}}}}");
        let read = read(&format!("{}{schemas}", operation(&parameter)), Version::V31);
        assert_eq!(read.problems.len(), usize::from(is_scalar), "{name}");
    }
    // What stands beside a reference has no meaning in 3.0, and narrows it in 3.1.
    let parameter = "{name: n, in: query, style: spaceDelimited, schema: {$ref: '#/components/schemas/E', type: string}}";
    let schema = "components:\n  schemas:\n    E: {type: [array, string]}\n";
    let problems = |version| read(&format!("{}{schema}", operation(parameter)), version).problems.len();
    assert_eq!((problems(Version::V30), problems(Version::V31)), (0, 1));
}

/// Each schema has ten ways to the next: ten to the power of sixteen to the last.
#[test]
fn a_schema_that_is_reached_by_many_ways_is_looked_at_once() {
    let mut schemas =
        "components:\n  schemas:\n    S16: {type: object, properties: {a: {type: array, items: {type: object}}}}\n".to_owned();
    for number in 0..16 {
        let ways = vec![format!("{{$ref: '#/components/schemas/S{}'}}", number + 1); 10].join(", ");
        schemas.push_str(&format!("    S{number}: {{anyOf: [{ways}], allOf: [{{$ref: '#/components/schemas/S{number}'}}]}}\n"));
    }
    let read = read(&format!("{}{schemas}", operation("{name: n, in: query, schema: {$ref: '#/components/schemas/S0'}}")), Version::V31);
    assert_eq!(read.brief(), [json!({"in": "query", "name": "a", "form": {"style": "form_explode"}})]);
    assert_eq!(read.problems.len(), 1);
}

#[test]
fn a_document_in_a_parameter_is_read_by_its_media_type() {
    let parameters = "{name: n, in: query, content: {application/json: {schema: {type: object}}}}\n{name: q, in: querystring, content: {text/plain: {}}}";
    let text = operation(parameters);
    let read = |version| read(&text, version);
    assert_eq!(
        read(Version::V32).brief(),
        [
            json!({"in": "query", "name": "n", "form": {"content": "application/json"}, "schema": 0}),
            json!({"in": "querystring", "name": "q", "form": {"content": "text/plain"}}),
        ]
    );
    assert_eq!(read(Version::V31).rules.len(), 1);
    assert_eq!(read(Version::V32).schemas, ["/paths/~1a~1{n}/get/parameters/0/content/application~1json/schema"]);
}

#[test]
fn collection_formats_of_2_0_become_styles() {
    for (place, format, expected) in [
        ("path", "", "simple"),
        ("header", "collectionFormat: csv,", "simple"),
        ("query", "", "form"),
        ("query", "collectionFormat: csv,", "form"),
        ("query", "collectionFormat: ssv,", "space_delimited"),
        ("query", "collectionFormat: tsv,", "tab_delimited"),
        ("query", "collectionFormat: pipes,", "pipe_delimited"),
        ("query", "collectionFormat: multi,", "form_explode"),
        ("header", "collectionFormat: pipes,", "pipe_delimited"),
    ] {
        let parameter = format!("{{name: n, in: {place}, required: true, {format} type: array, items: {{type: string}}}}");
        assert_eq!(style(Version::V20, &parameter).unwrap(), expected, "{parameter}");
    }
    for (parameter, hint) in [
        ("{name: n, in: header, type: array, collectionFormat: multi, items: {type: string}}", "csv"),
        ("{name: n, in: query, type: array, items: {type: array, items: {type: string}}}", "pattern"),
    ] {
        assert!(style(Version::V20, parameter).unwrap_err().2.contains(hint), "{parameter}");
    }
    let read = read(
        &operation(
            "{name: n, in: query, type: integer, maximum: 3}\n{name: b, in: body, schema: {}}\n{name: f, in: formData, type: string}",
        ),
        Version::V20,
    );
    assert_eq!(read.brief(), [json!({"in": "query", "name": "n", "form": {"style": "form"}, "schema": 0})]);
    assert_eq!(read.schemas, ["/paths/~1a~1{n}/get/parameters/0"]);
}

#[test]
fn fields_of_answers_are_read_as_parameters_are() {
    let text = "
paths:
  /a:
    get:
      responses:
        '200':
          headers:
            X-Left: {required: true, schema: {type: integer}}
            Content-Type: {schema: {type: string}}
            X-Tags: {$ref: '#/components/headers/Tags'}
            X-Doc: {content: {application/json: {schema: {}}}}
components:
  headers:
    Tags: {explode: true, schema: {type: array, items: {type: string}}}
";
    let read = read_with(&[("api.yaml", text)], Version::V31, |reader, _, operation| {
        reader.fields(&operation.spot.get("responses").unwrap().get("200").unwrap())
    });
    assert_eq!(
        read.brief(),
        [
            json!({"in": "header", "name": "X-Left", "required": true, "form": {"style": "simple"}, "schema": 0}),
            json!({"in": "header", "name": "X-Tags", "form": {"style": "simple_explode"}, "schema": 1}),
            json!({"in": "header", "name": "X-Doc", "form": {"content": "application/json"}, "schema": 2}),
        ]
    );
    let old = "paths: {/a: {get: {responses: {'200': {headers: {X-Tags: {type: array, collectionFormat: ssv, items: {type: string}}}}}}}}";
    let read = read_with(&[("api.yaml", old)], Version::V20, |reader, _, operation| {
        reader.fields(&operation.spot.get("responses").unwrap().get("200").unwrap())
    });
    assert_eq!(read.brief(), [json!({"in": "header", "name": "X-Tags", "form": {"style": "space_delimited"}, "schema": 0})]);
}
