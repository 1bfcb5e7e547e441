//! The reference product's own definitions of endpoints before a backend that answers as its tests want it: load balance, failover, references,
//! credentials, time, retry and circuit breaker.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Project, Reply, Response, Settings, Upstream, shared_cases, until};

/// What the definitions ask for and a gateway without a chain does not have.
const NOT_IN_CHAIN: [&str; 5] = ["throttle", "oauth2", "jwt", "api_key", "basic_auth"];

/// A backend whose answer to a path can be set.
struct Backend {
    upstream: Upstream,
    replies: Arc<Mutex<BTreeMap<&'static str, Reply>>>,
}

impl Backend {
    fn new() -> Self {
        let replies = Arc::<Mutex<BTreeMap<&'static str, Reply>>>::default();
        let set = replies.clone();
        let upstream = Upstream::answering(move |request| {
            let path = request.start.split(' ').nth(1).unwrap().to_owned();
            let set = set.lock().unwrap().iter().find(|(part, _)| path.contains(**part)).map(|(_, reply)| reply.clone());
            set.unwrap_or_else(|| Reply::new(200, path))
        });
        Self { upstream, replies }
    }

    fn says(&self, part: &'static str, reply: Reply) {
        self.replies.lock().unwrap().insert(part, reply);
    }

    /// A gateway over one of the definitions, whose `localhost:2380` is this backend. `None` when the cases are not there.
    fn before(&self, definition: &str, endpoints: Value) -> Option<Gateway> {
        let cases = shared_cases("12-wso2/tests")?;
        let text = fs::read_to_string(cases.join("openAPIs/endpoints").join(definition)).unwrap();
        let text = text.replace("https://localhost:2380", &self.upstream.url());
        let policies = fs::read(cases.join("policies.yaml")).unwrap();
        let project = Project::new().definition(definition, text).file("policies.yaml", policies);
        let artifact = project.build(&[]);
        let config = json!({ "errors": "wso2", "waive_to_open": NOT_IN_CHAIN, "endpoints": endpoints });
        Some(Gateway::start(&artifact, Settings::of(config)))
    }
}

fn code(answer: &Response) -> (u16, Value) {
    let body: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    (answer.status(), body["fault"]["code"].clone())
}

#[test]
fn load_balance_goes_round_from_the_first() {
    let backend = Backend::new();
    let Some(gateway) = backend.before("load_balance.yaml", json!({})) else { return };
    let seen: Vec<String> = (0..4).map(|_| gateway.get("/petstore/v4/pet/findByStatus?status=sold").text()).collect();
    assert_eq!(seen, ["v1", "v2", "v1", "v2"].map(|target| format!("/{target}/pet/findByStatus?status=sold")));
}

#[test]
fn failover_leaves_one_that_cannot_be_reached_or_answers_503_and_stays_with_the_other() {
    let backend = Backend::new();
    let Some(gateway) = backend.before("fail_over.yaml", json!({})) else { return };
    let seen: Vec<String> = (0..3).map(|_| gateway.get("/petstore/v3/pet/findByStatus?status=sold").text()).collect();
    assert_eq!(seen, ["/v2/pet/findByStatus?status=sold"; 3]);
    backend.says("/v2/", Reply::new(503, "busy"));
    assert_eq!(code(&gateway.get("/petstore/v3/pet/findByStatus?status=sold")), (500, json!(101_503)), "every target failed");
}

#[test]
fn references_lead_to_their_endpoints() {
    let backend = Backend::new();
    let Some(gateway) = backend.before("endpoints_by_reference.yaml", json!({})) else { return };
    let get = |path: &str| gateway.get(&format!("/petstore/v1{path}")).text();
    assert_eq!(get("/pet/findByStatus?status=sold"), "/v1/pet/findByStatus?status=sold");
    assert_eq!(get("/user/login?username=a&password=b"), "/v2/user/login?username=a&password=b");
    let mut pair = [get("/pet/findByTags?tags=a"), get("/pet/findByTags?tags=a")];
    pair.sort();
    assert_eq!(pair, ["/v1/pet/findByTags?tags=a", "/v2/pet/findByTags?tags=a"]);
    assert_eq!(get("/store/inventory"), "/v2/store/inventory");
}

#[test]
fn credentials_come_from_the_environment() {
    let backend = Backend::new();
    let folder = tollgate_tests::Folder::new();
    let password = format!("${{file:{}}}", folder.write("password", "admin").display());
    let entry = json!({ "*": { "basic": { "password": password } } });
    let Some(gateway) = backend.before("endpoint_security.yaml", entry) else { return };
    assert_eq!(gateway.get("/petstore/v5/pet/findByStatus?status=sold").text(), "/v1Basic/pet/findByStatus?status=sold");
    assert_eq!(backend.upstream.only().field("authorization"), Some("Basic YWRtaW46YWRtaW4="));
}

#[test]
fn time_retry_and_circuit_breaker_are_kept() {
    let backend = Backend::new();
    let Some(gateway) = backend.before("advance_config.yaml", json!({})) else { return };
    let get = |path: &str| gateway.get(&format!("/advanceEp{path}"));
    backend.says("/timeout", Reply::raw("").then(Duration::from_secs(30), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let begun = Instant::now();
    assert_eq!(code(&get("/timeout")), (500, json!(101_503)));
    assert!((Duration::from_secs(3)..Duration::from_secs(10)).contains(&begun.elapsed()), "{:?}", begun.elapsed());

    backend.says("/retry", Reply::new(504, "slow"));
    backend.upstream.forget();
    let begun = Instant::now();
    assert_eq!(get("/retry").status(), 504, "the last answer is passed on");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(backend.upstream.count(), 2);

    backend.says("/circuitBreaker", Reply::new(500, "mine"));
    backend.upstream.forget();
    assert_eq!(get("/circuitBreaker").text(), "mine");
    assert_eq!(code(&get("/circuitBreaker")), (500, json!(101_503)));
    assert_eq!(backend.upstream.count(), 1);
    backend.says("/circuitBreaker", Reply::new(200, "well"));
    until("the circuit breaker to close", || (get("/circuitBreaker").text() == "well").then_some(()));
}
