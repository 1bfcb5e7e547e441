//! What of a definition traffic has used, from the first request to a definition that says so: the steps of `docs/coverage.md`.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Message, Project, Ran, Reply, Settings, Upstream, project::open_api, tollgate, until};

/// Answers by the last segment of the path, when that is a number.
fn upstream() -> Upstream {
    Upstream::answering(|request: &Message| {
        let path = request.target().split('?').next().unwrap_or_default();
        let status = path.rsplit('/').next().and_then(|last| last.parse().ok()).unwrap_or(200);
        Reply::with(status, &["Content-Type: application/json"], "{}")
    })
}

fn definition(endpoint: &str) -> Value {
    let parameter =
        |place: &str, name: &str, kind: &str| json!({ "in": place, "name": name, "required": place == "path", "schema": { "type": kind } });
    let answers = json!({ "200": { "description": "ok" }, "404": { "description": "none" }, "5XX": { "description": "broken" } });
    let pet =
        json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" }, "owner": { "type": "string" } } });
    open_api(
        "/v1",
        endpoint,
        json!({
            "/pets/{id}": {
                "get": {
                    "operationId": "getPet",
                    "parameters": [parameter("path", "id", "integer"), parameter("query", "limit", "integer"), parameter("query", "verbose", "boolean")],
                    "responses": answers,
                },
                "delete": { "operationId": "deletePet", "parameters": [parameter("path", "id", "integer")], "responses": answers },
            },
            "/pets": {
                "post": {
                    "operationId": "addPet",
                    "requestBody": { "content": { "application/json": { "schema": pet }, "text/plain": {} } },
                    "responses": { "200": { "description": "ok" } },
                },
            },
        }),
    )
}

/// A gateway over it, with this chain.
fn serving(upstream: &Upstream, chain: &Value) -> Gateway {
    Gateway::serving(&definition(&upstream.url()), Settings::of(json!({ "chain": chain })))
}

fn operation(gateway: &Gateway, id: &str) -> Value {
    let coverage: Value = serde_json::from_slice(&gateway.admin("/coverage").body).unwrap();
    coverage["operations"].as_array().unwrap().iter().find(|operation| operation["operation"] == id).unwrap().clone()
}

/// The operation, once so many of its requests are counted: that happens after their answers.
fn after(gateway: &Gateway, id: &str, requests: u64) -> Value {
    until("the requests to be counted", || Some(operation(gateway, id)).filter(|operation| operation["requests"] == requests))
}

fn run(gateway: &Gateway, arguments: &[&str]) -> Ran {
    let admin = format!("http://127.0.0.1:{}", gateway.ports.admin);
    tollgate(["coverage", "--admin", &admin].iter().chain(arguments))
}

/// The names that a target of an overlay goes through.
fn names(target: &str) -> Vec<String> {
    let (mut names, mut rest) = (Vec::new(), target.strip_prefix('$').unwrap());
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("['") {
            let end = quoted.find("']").unwrap();
            names.push(quoted[..end].to_owned());
            rest = &quoted[end + 2..];
        } else {
            let plain = rest.strip_prefix('.').unwrap();
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            names.push(plain[..end].to_owned());
            rest = &plain[end..];
        }
    }
    names
}

/// As the Overlay Specification has it: objects are merged, and everything else is replaced.
fn merge(target: &mut Value, update: &Value) {
    match (target, update) {
        (Value::Object(target), Value::Object(update)) => {
            update.iter().for_each(|(name, value)| merge(target.entry(name.clone()).or_insert(Value::Null), value));
        }
        (target, update) => *target = update.clone(),
    }
}

fn apply(mut definition: Value, overlay: &Value) -> Value {
    for action in overlay["actions"].as_array().unwrap() {
        assert!(action.get("remove").is_none(), "{action}");
        let names = names(action["target"].as_str().unwrap());
        let target = names.iter().try_fold(&mut definition, |place, name| place.get_mut(name.as_str()));
        merge(target.unwrap_or_else(|| panic!("{action} has no target")), &action["update"]);
    }
    definition
}

#[test]
fn a_status_that_is_not_declared_is_seen_and_an_overlay_declares_it() {
    let upstream = upstream();
    let gateway = serving(&upstream, &json!([]));
    for target in ["/v1/pets/200", "/v1/pets/200", "/v1/pets/429", "/v1/pets/503"] {
        gateway.get(target);
    }
    gateway.send("POST", "/v1/nothing", &[], b"");
    let seen = after(&gateway, "getPet", 4);
    assert_eq!(seen["undeclared"], json!({ "429": 1 }));
    let answers: Vec<_> = seen["answers"].as_array().unwrap().iter().map(|answer| (&answer["status"], &answer["answers"])).collect();
    assert_eq!(answers, [(&json!("200"), &json!(2)), (&json!("404"), &json!(0)), (&json!("5XX"), &json!(1))]);
    assert!(seen["source"].as_str().unwrap().contains("api.json:"), "{seen}");
    assert_eq!(operation(&gateway, "deletePet")["requests"], 0);

    let table = run(&gateway, &[]).ok().stdout;
    let row = table.lines().find(|line| line.starts_with("GET ")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["GET", "/v1/pets/{id}", "4", "not", "looked", "at", "404", "429", "(1)", "0"],
        "{table}"
    );

    let file = gateway.folder.join("overlay.json");
    run(&gateway, &["--overlay", file.to_str().unwrap()]).ok();
    let overlay: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(overlay["overlay"], "1.0.0");
    let changed = apply(definition(&upstream.url()), &overlay);
    assert!(changed["paths"]["/pets/{id}"]["get"]["responses"]["429"]["description"].is_string());
    assert!(changed["paths"]["/pets/{id}"]["get"]["responses"]["404"].is_object());
    let project = Project::new().definition("api.json", changed.to_string());
    assert_eq!(gateway.reload_with(&std::fs::read(project.build(&[])).unwrap()).status(), 200);

    // The new definition declares it, and what was counted before is counted still.
    let seen = operation(&gateway, "getPet");
    assert_eq!((&seen["undeclared"], &seen["requests"]), (&json!({}), &json!(4)));
    let ran = run(&gateway, &["--overlay", "-"]).ok();
    assert!(ran.stdout.is_empty() && ran.stderr.contains("nothing to overlay"), "{ran:?}");
}

#[test]
fn parameters_bodies_members_and_findings_are_counted_where_requests_are_validated() {
    let upstream = upstream();
    let gateway = serving(&upstream, &json!([{ "validate": {} }]));
    gateway.get("/v1/pets/200?limit=5");
    gateway.get("/v1/pets/200");
    let refused = gateway.send("GET", "/v1/pets/200?limit=secret", &[], b"");
    assert_eq!(refused.status(), 400);
    let json = ["Content-Type: application/json"];
    assert_eq!(gateway.send("POST", "/v1/pets", &json, b"{\"name\":\"Rex\"}").status(), 200);
    assert_eq!(gateway.send("POST", "/v1/pets", &json, b"{\"secret\":1}").status(), 400);

    let seen = after(&gateway, "getPet", 3);
    assert_eq!((&seen["judged"], &seen["not_answered_by_upstream"]), (&json!(3), &json!(1)));
    let counts: Vec<_> = seen["parameters"].as_array().unwrap().iter().map(|one| (&one["name"], &one["requests"])).collect();
    assert_eq!(counts, [(&json!("id"), &json!(3)), (&json!("limit"), &json!(2)), (&json!("verbose"), &json!(0))]);
    assert_eq!(
        seen["findings"],
        json!([{ "direction": "request", "in": "query", "name": "limit", "rule": "type", "refused": 1, "reported": 0 }])
    );
    let last = &seen["last_findings"][0];
    assert_eq!((&last["refused"], &last["rule"]), (&json!(true), &json!("type")), "{last}");
    assert!(last["source"].as_str().unwrap().starts_with("api_definitions/api.json:") && last["time"].is_string(), "{last}");
    let lines = gateway.log_of(5);
    assert!(lines.iter().any(|line| line["request_id"] == last["request_id"] && line["status"] == 400), "{last} {lines:?}");

    let added = after(&gateway, "addPet", 2);
    let bodies: Vec<_> = added["bodies"].as_array().unwrap().iter().map(|one| (&one["media_type"], &one["requests"])).collect();
    assert_eq!(bodies, [(&json!("application/json"), &json!(2)), (&json!("text/plain"), &json!(0))]);
    let schema = &added["schemas"][0];
    assert_eq!((&schema["direction"], &schema["bodies"], &schema["places"]), (&json!("request"), &json!(1), &json!(2)), "{schema}");
    assert_eq!(schema["never_seen"][0]["pointer"], "/owner");
    assert!(!gateway.admin("/coverage").text().contains("secret"));

    let unused: Value = serde_json::from_str(&run(&gateway, &["--unused", "--format", "json"]).ok().stdout).unwrap();
    let unused: Vec<_> = unused.as_array().unwrap().iter().map(|one| format!("{} {}", one["kind"], one["name"]).replace('"', "")).collect();
    let expected = [
        "body text/plain",
        "member request /owner (1 sampled)",
        "operation deletePet",
        "parameter query verbose",
        "answer 404",
        "answer 5XX",
    ];
    assert_eq!(unused, expected);
    let table = run(&gateway, &["--unused"]).ok().stdout;
    assert!(table.contains("query verbose") && table.contains("api_definitions/api.json:"), "{table}");
}

#[test]
fn an_operation_that_a_reload_takes_away_is_forgotten_and_a_reload_that_fails_forgets_nothing() {
    let upstream = upstream();
    let gateway = serving(&upstream, &json!([{ "validate": {} }]));
    let built = |definition: &Value| {
        let project = Project::new().definition("api.json", definition.to_string());
        std::fs::read(project.build(&[])).unwrap()
    };
    let whole = definition(&upstream.url());
    let mut smaller = whole.clone();
    smaller["paths"]["/pets/{id}"].as_object_mut().unwrap().remove("get");
    gateway.get("/v1/pets/418");
    after(&gateway, "getPet", 1);
    assert_eq!(gateway.reload_with(b"no artifact").status(), 409);
    let seen = operation(&gateway, "getPet");
    assert_eq!((&seen["judged"], &seen["undeclared"]), (&json!(1), &json!({ "418": 1 })));
    assert_eq!(gateway.reload_with(&built(&smaller)).status(), 200);
    assert_eq!(gateway.reload_with(&built(&whole)).status(), 200);
    let seen = operation(&gateway, "getPet");
    assert_eq!((&seen["judged"], &seen["undeclared"], &seen["requests"]), (&Value::Null, &json!({}), &json!(0)));
}

/// What names the operation needs no explanation.
const NAMES: [&str; 8] = ["api", "version", "operation", "method", "path", "document", "pointer", "source"];

#[test]
fn the_guide_explains_every_count() {
    let upstream = upstream();
    let gateway = serving(&upstream, &json!([]));
    let page = include_str!("../docs/coverage.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| member |")).skip(2).take_while(|line| line.starts_with('|'));
    let mut explained: Vec<&str> = table.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let operation = operation(&gateway, "getPet");
    let mut told: Vec<&str> = operation.as_object().unwrap().keys().map(String::as_str).filter(|name| !NAMES.contains(name)).collect();
    explained.sort_unstable();
    told.sort_unstable();
    assert_eq!(explained, told);
}

#[test]
fn what_the_gateway_answers_itself_is_no_answer_of_the_upstream() {
    let upstream = upstream();
    let gateway = serving(&upstream, &json!([{ "respond": { "status": 418 } }]));
    gateway.get("/v1/pets/200");
    let seen = after(&gateway, "getPet", 1);
    assert_eq!((&seen["not_answered_by_upstream"], &seen["undeclared"]), (&json!(1), &json!({})));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn without_a_gateway_there_is_nothing_to_tell() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = tollgate(["coverage", "--admin", &format!("http://127.0.0.1:{port}")]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stdout.is_empty() && ran.stderr.contains("--admin"), "{ran:?}");
}
