//! F18 with what the UK publishes: its own definitions, as they are.

use serde_json::{Value, json};
use tollgate_tests::shared_cases;

use super::world::Plan;

/// A path of an operation, and the fields of a request that is good for it.
struct Operation {
    method: String,
    path: String,
    fields: Vec<&'static str>,
    /// Whether its body's and its answers' media types are declared.
    declares: (bool, bool),
}

fn operations(plan: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for api in plan["apis"].as_array().unwrap() {
        let base = api["base_path"].as_str().unwrap();
        for operation in api["operations"].as_array().unwrap().iter().filter(|operation| !operation["target"]["endpoints"].is_null()) {
            let template = operation["template"].as_str().unwrap();
            let path: Vec<&str> = template.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment }).collect();
            let mut declarations = operation["declarations"].as_array().into_iter().flatten();
            let media_types = declarations.rfind(|declaration| declaration["filter"] == "media_types");
            let declared = |list: &str| media_types.is_some_and(|types| types["content"][list].is_array());
            let declares = (declared("consumes"), declared("produces"));
            let mut fields = vec!["Accept: application/json"];
            fields.extend(declares.0.then_some("Content-Type: application/json"));
            let (method, path) = (operation["method"].as_str().unwrap().to_owned(), format!("{base}{}", path.join("/")));
            found.push(Operation { method, path, fields, declares });
        }
    }
    found
}

#[test]
fn f18_the_published_definitions_are_kept_as_they_are() {
    let Some(folder) = shared_cases("08-openbanking") else { return };
    let mut plan = Plan::new();
    plan.definitions = ["confirmation-funds-openapi.yaml", "events-openapi.yaml"]
        .map(|name| (name.to_owned(), std::fs::read_to_string(folder.join(name)).unwrap()))
        .to_vec();
    let world = plan.start();
    let token = world.token(json!({ "scope": "accounts payments fundsconfirmations" }));
    let plan: Value = serde_json::from_slice(&world.gateway.admin("/plan").body).unwrap();
    let operations = operations(&plan);
    let mut counts = [0; 3];
    for Operation { method, path, fields, declares } in &operations {
        let body: &[u8] = if declares.0 { b"{}" } else { b"" };
        let ask = |method: &str, fields: &[&str]| world.ask(method, path, &token, fields, body).status();
        assert!((200..300).contains(&ask(method, fields)), "{method} {path}");
        if declares.1 {
            counts[0] += 1;
            let fields = [&["Accept: application/xml"], &fields[1..]].concat();
            assert_eq!(ask(method, &fields), 406, "{method} {path}");
        }
        if declares.0 {
            counts[1] += 1;
            assert_eq!(ask(method, &["Content-Type: application/xml"]), 415, "{method} {path}");
        }
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter();
        for other in methods.filter(|other| !operations.iter().any(|operation| operation.path == *path && operation.method == *other)) {
            counts[2] += 1;
            assert_eq!(ask(other, fields), 405, "{other} {path}");
        }
        assert_eq!(world.ask(method, &format!("{path}/x/y"), &token, fields, body).status(), 404);
    }
    assert_eq!(world.upstream.count(), operations.len());
    assert!(operations.len() >= 8 && counts.iter().all(|count| *count > 0), "{} operations, {counts:?}", operations.len());
}
