//! Definitions that are made to hurt, and what must not depend on chance.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_compiler::{Options, Outcome, Project, compile};
use tollgate_filter_api::Severity;
use tollgate_testkit::cpu_time;

fn outcome(files: &[(&str, String)], definitions: &[&str]) -> Outcome {
    let files: BTreeMap<String, Vec<u8>> = files.iter().map(|(n, t)| ((*n).to_owned(), t.clone().into_bytes())).collect();
    let project = Project {
        name: "p".to_owned(),
        definitions: definitions.iter().map(|d| (*d).to_owned()).collect(),
        policies: None,
        settings: None,
        interceptors: Some("interceptors".to_owned()),
        files: Box::new(files),
    };
    let begin = cpu_time();
    let outcome = compile(&project, &Options::default());
    let took = cpu_time() - begin;
    // A release build takes a tenth.
    assert!(took < Duration::from_secs(20), "{took:?}");
    outcome
}

fn refused(text: String, code: &str) {
    let outcome = outcome(&[("a.yaml", text)], &["a.yaml"]);
    assert!(outcome.plan.is_none());
    let found = outcome.problems.0.iter().any(|p| p.code == code && p.severity == Severity::Error);
    assert!(found, "no {code} among the first: {:?}", outcome.problems.0.first());
    assert!(outcome.problems.0.len() < 1000, "{} problems", outcome.problems.0.len());
}

const HEAD: &str = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\nservers: [{url: 'https://a.example/a'}]\n";

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = format!("{HEAD}paths: {{}}\nx-0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("x-{level}: &a{level} [{}]\n", vec![alias; 10].join(",")));
    }
    refused(text, "document.too_large");
}

#[test]
fn fifty_megabytes_are_refused() {
    refused(format!("{HEAD}paths: {{}}\nx-a: {}\n", "a".repeat(50 << 20)), "document.too_large");
}

#[test]
fn deep_schemas_are_refused() {
    let deep = "{not: ".repeat(120) + &"}".repeat(120);
    refused(format!("{HEAD}paths: {{}}\ncomponents: {{schemas: {{a: {deep}}}}}\n"), "document.too_deep");
}

#[test]
fn references_in_a_circle_end() {
    let text = format!(
        "{HEAD}paths:\n  /a: {{$ref: '#/paths/~1b'}}\n  /b: {{$ref: '#/paths/~1a'}}\ncomponents:\n  parameters: {{p: {{$ref: '#/components/parameters/p'}}}}\n"
    );
    refused(text, "ref.cycle");
}

#[test]
fn schemas_in_a_circle_are_fine() {
    let text = format!(
        "{HEAD}paths: {{}}\ncomponents:\n  schemas:\n    a: {{$ref: '#/components/schemas/b'}}\n    b: {{$ref: '#/components/schemas/a'}}\n    c: {{properties: {{c: {{$ref: '#/components/schemas/c'}}}}}}\n"
    );
    assert!(outcome(&[("a.yaml", text)], &["a.yaml"]).plan.is_some());
}

#[test]
fn files_that_refer_to_each_other_are_read_once() {
    let root = format!("{HEAD}paths: {{}}\ncomponents: {{schemas: {{a: {{$ref: 'b.yaml#/x'}}}}}}\n");
    let other = "x: {properties: {y: {$ref: 'a.yaml#/components/schemas/a'}, z: {$ref: 'b.yaml#/x'}}}\n".to_owned();
    let outcome = outcome(&[("a.yaml", root), ("b.yaml", other)], &["a.yaml"]);
    assert_eq!(outcome.plan.map(|p| p.documents.len()), Some(2), "{}", outcome.problems);
}

#[test]
fn a_hundred_thousand_paths_compile() {
    let mut text = HEAD.replace("openapi: 3.1.0", "openapi: 3.1.0\nx-wso2-cors: {}") + "paths:\n";
    for i in 0..100_000 {
        text.push_str(&format!("  /p{i}/x: {{get: {{}}}}\n"));
    }
    let outcome = outcome(&[("a.yaml", text)], &["a.yaml"]);
    let plan = outcome.plan.expect("it is only long");
    assert_eq!(plan.apis[0].operations.len(), 200_000);
}

#[test]
fn a_hundred_thousand_wrong_keys_are_reported_but_not_all() {
    let keys: String = (0..100_000).map(|i| format!("pathz{i}: 1\n")).collect();
    refused(format!("{HEAD}paths: {{}}\n{keys}"), "structure.unknown_key");
}

#[test]
fn fifty_thousand_extensions_are_compared_in_time() {
    for prefix in ["x-", "x-wso2-", "x-wso2-mutual-sl"] {
        let keys: String = (0..50_000).map(|i| format!("{prefix}{i:030}: 1\n")).collect();
        outcome(&[("a.yaml", format!("{HEAD}paths: {{}}\n{keys}"))], &["a.yaml"]);
    }
}

#[test]
fn a_hundred_thousand_references_to_nothing_are_reported_but_not_all() {
    let items: String = (0..100_000).map(|i| format!("  /p{i}: {{$ref: '#/paths/q{i}'}}\n")).collect();
    refused(format!("{HEAD}paths:\n{items}"), "ref.unknown");
}

#[test]
fn what_every_operation_repeats_is_bounded() {
    let origins = "'http://origin.example',".repeat(50_000);
    let mut text = HEAD
        .replace("openapi: 3.1.0", &format!("openapi: 3.1.0\nx-wso2-cors: {{allow_origins: [], accessControlAllowOrigins: [{origins}]}}"));
    text.push_str("paths:\n");
    for i in 0..2000 {
        text.push_str(&format!("  /p{i}: {{get: {{}}}}\n"));
    }
    refused(text, "plan.too_large");
}

#[test]
fn path_items_that_multiply_are_bounded() {
    let mut text = HEAD.replace("3.1.0", "3.2.0") + "paths:\n";
    for i in 0..2000 {
        text.push_str(&format!("  /p{i}: {{$ref: '#/components/pathItems/i'}}\n"));
    }
    text.push_str("components:\n  pathItems:\n    i:\n      additionalOperations:\n");
    for i in 0..2000 {
        text.push_str(&format!("        M{i}: {{}}\n"));
    }
    refused(text, "definition.too_large");
}

#[test]
fn server_variables_that_multiply_are_bounded() {
    let url = "{a}".repeat(100_000);
    let default = "x".repeat(100_000);
    let text = format!(
        "openapi: 3.1.0\ninfo: {{title: A, version: '1'}}\nservers: [{{url: 'https://h/{url}', variables: {{a: {{default: {default}}}}}}}]\npaths: {{/a: {{get: {{}}}}}}\n"
    );
    refused(text, "base_path.form");
}

#[test]
fn many_named_endpoints_are_found_without_searching_all_for_each() {
    let mut text = String::from("openapi: 3.1.0\ninfo: {title: A, version: '1'}\nx-wso2-basePath: /a\nx-wso2-endpoints:\n");
    for i in 0..5000 {
        text.push_str(&format!("- e{i}: {{urls: ['http://h{i}.example']}}\n"));
    }
    text.push_str("paths:\n");
    for i in 0..5000 {
        text.push_str(&format!("  /p{i}: {{get: {{x-wso2-production-endpoints: '#/x-wso2-endpoints/e{i}'}}}}\n"));
    }
    let outcome = outcome(&[("a.yaml", text)], &["a.yaml"]);
    assert_eq!(outcome.plan.map(|p| p.endpoints.len()), Some(5000));
}

#[test]
fn the_plan_does_not_depend_on_the_order_of_files() {
    let definition = |title: &str, base: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{title: {title}, version: '1'}}\nx-wso2-basePath: {base}\nx-wso2-production-endpoints: {{urls: ['http://{title}.example']}}\npaths:\n  /b: {{put: {{}}, get: {{}}}}\n  /a: {{$ref: 'c.yaml#/i'}}\n"
        )
    };
    let files = [("a.yaml", definition("one", "/z")), ("b.yaml", definition("two", "/y")), ("c.yaml", "i: {get: {}}\n".to_owned())];
    let bytes = |order: &[&str]| {
        let outcome = outcome(&files, order);
        serde_json::to_vec(&(outcome.plan.expect("it compiles"), outcome.texts)).expect("it serialises")
    };
    let expected = bytes(&["a.yaml", "b.yaml"]);
    assert_eq!(expected, bytes(&["b.yaml", "a.yaml"]));
    assert_eq!(expected, bytes(&["b.yaml", "a.yaml", "b.yaml"]));
}

const PROTO: &str = "syntax = \"proto3\";\nimport \"wso2_options.proto\";\nmessage M {}\n";

fn services(files: &[(&str, String)], code: &str) {
    let named: Vec<(String, String)> = files.iter().map(|(name, text)| (format!("grpc_definitions/a/{name}"), text.clone())).collect();
    let files: Vec<(&str, String)> = named.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let definitions: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let outcome = outcome(&files, &definitions);
    assert!(outcome.plan.is_none());
    let found = outcome.problems.0.iter().any(|p| p.code == code && p.severity == Severity::Error);
    assert!(found, "no {code} among the first: {:?}", outcome.problems.0.first());
    assert!(outcome.problems.0.len() < 1000, "{} problems", outcome.problems.0.len());
}

#[test]
fn services_that_are_too_much_are_refused() {
    services(&[("a.proto", format!("{PROTO}// {}\n", "a".repeat(50 << 20)))], "document.too_large");
    let deep =
        "message D { D d = 1; }\nextend google.protobuf.FileOptions { D deep = 50999; }\nimport \"google/protobuf/descriptor.proto\";\n";
    let nested = format!("{PROTO}{deep}option (deep) = {{ {} {} }};\n", "d {".repeat(100_000), "}".repeat(100_000));
    services(&[("a.proto", nested)], "document.too_deep");
    services(&[("a.proto", format!("{PROTO}{}", "message A { ".repeat(50)))], "grpc.proto");
    services(&[("a.proto", format!("{PROTO}{}", "message A { B b = 1; }\n".repeat(20_000)))], "grpc.proto");
    let imports = |other: &str| format!("syntax = \"proto3\";\nimport \"{other}\";\n");
    services(&[("a.proto", imports("b.proto")), ("b.proto", imports("a.proto"))], "grpc.proto");
    let chain: Vec<(String, String)> = (0..1000).map(|n| (format!("{n}.proto"), imports(&format!("{}.proto", n + 1)))).collect();
    let chain: Vec<(&str, String)> = chain.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    services(&chain, "grpc.import");
}

#[test]
fn a_file_full_of_services_is_read_in_time() {
    let service = |n| format!("service S{n} {{ option (wso2.production_endpoints) = {{ url: \"http://a:1\" }}; rpc G(M) returns (M); }}\n");
    let many: String = (0..5000).map(service).collect();
    let outcome = outcome(&[("grpc_definitions/a/a.proto", format!("{PROTO}{many}"))], &["grpc_definitions/a/a.proto"]);
    let plan = outcome.plan.unwrap_or_else(|| panic!("{}", outcome.problems));
    assert_eq!((plan.apis.len(), plan.apis[4999].source.line > 3), (5000, true));
}
