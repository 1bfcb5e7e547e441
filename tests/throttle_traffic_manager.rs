//! WSO2's traffic manager, end to end: what it decides over a real ActiveMQ, and the events that it is told.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Reply, Response, Settings, TrafficManager, Upstream,
    project::{open_api, operation},
    token::Issuer,
    until,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A gateway with a traffic manager, and a caller with a token of the reference product's form.
struct World {
    manager: TrafficManager,
    gateway: Gateway,
    upstream: Upstream,
    bearer: String,
    _folder: (Folder, Project),
}

impl World {
    fn start(manager: TrafficManager) -> Self {
        Self::with(manager, json!({}), Gateway::start)
    }

    /// `changes` of `stores.traffic_manager`.
    fn with(manager: TrafficManager, changes: Value, start: fn(&Path, Settings) -> Gateway) -> Self {
        let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
        let mut limited = operation();
        limited["x-wso2-throttling-tier"] = "10PerMin".into();
        let mut definition = open_api("/a/v1", &upstream.url(), json!({ "/pets/{id}": { "get": limited } }));
        definition["x-wso2-disable-security"] = false.into();
        definition["security"] = json!([{ "oauth": [] }]);
        definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "http", "scheme": "bearer" } } });
        definition["paths"]["/open"] = json!({ "get": operation() });
        definition["paths"]["/open"]["get"]["x-wso2-disable-security"] = true.into();
        let mut config = example(&folder);
        let mut settings = config["stores"]["traffic_manager"].take();
        settings.as_object_mut().unwrap().remove("ca");
        for (name, value) in manager.settings(&folder).as_object().unwrap().iter().chain(changes.as_object().unwrap()) {
            settings[name] = value.clone();
        }
        config["stores"]["traffic_manager"] = settings;
        config["listeners"] = json!([]);
        config["chain"][1]["jwt"]["issuers"] = json!([issuer.config(&issuer.write(&folder, "issuer.pem"))]);
        let policies = "resourcePolicies: [{ 10PerMin: { count: 10000, unitTime: 1, timeUnit: min } }]\n";
        let project = Project::new().definition("a.json", definition.to_string()).file("policies.yaml", policies);
        let gateway = start(&project.build(&[]), Settings::of(config));
        let bearer = format!(
            "Authorization: Bearer {}",
            issuer.token(json!({
                "sub": "alice", "plan": "trial",
                "application": { "id": 7, "name": "App", "owner": "bob", "tier": "50PerMin" },
                "subscribedAPIs": [{ "name": "a-v1", "version": "1", "subscriptionTier": "Gold", "subscriberTenantDomain": "carbon.super" }],
            }))
        );
        Self { manager, gateway, upstream, bearer, _folder: (folder, project) }
    }

    fn listens(self) -> Self {
        self.gateway.metric_reaches("tollgate_traffic_manager_connected", 1.0);
        self
    }

    fn ask(&self) -> Response {
        self.gateway.send("GET", "/a/v1/pets/1", &[&self.bearer, "X-Kind: new"], b"")
    }

    /// Waits until the caller is answered like that.
    fn answers(&self, status: u16, code: u32) -> Response {
        until(&format!("{status} {code}"), || {
            let answer = self.ask();
            let is_it = answer.status() == status && (status == 200 || answer.text().contains(&code.to_string()));
            is_it.then_some(answer)
        })
    }

    fn counted(&self, series: &str) -> f64 {
        self.gateway.metric(&format!("tollgate_traffic_manager_{series}")).unwrap()
    }
}

/// The example configuration, with secrets of the folder.
fn example(folder: &Folder) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/traffic-manager.yaml");
    let text = fs::read_to_string(path).unwrap().replace("/run/secrets", &folder.path().display().to_string());
    Document::parse("traffic-manager.yaml", text.as_bytes(), &Limits::default()).unwrap().value()
}

fn nothing() -> TrafficManager {
    TrafficManager::start(json!([]), json!({ "api": [], "application": [], "user": [], "ip": [], "custom": [] }))
}

#[test]
fn what_the_traffic_manager_decides_is_refused_until_it_is_taken_back_or_over() {
    let mut world = World::start(nothing()).listens();
    assert_eq!(world.ask().status(), 200);
    world.manager.says(&[("keyTemplateValue", "$userId:$apiContext"), ("keyTemplateState", "add")]);
    for (key, code) in [
        ("/a/v1:1", 900_800),
        ("/a/v1/1/pets/{id}:GET_default", 900_802),
        ("7:/a/v1:1", 900_804),
        ("7:alice", 900_803),
        ("alice:/a/v1", 900_806),
    ] {
        world.manager.throttles(key, HOUR);
        let refused = world.answers(429, code);
        let body =
            format!(r#"{{"fault":{{"code":{code}, "message":"Message throttled out", "description":"You have exceeded your quota"}}}}"#);
        assert_eq!(refused.text(), body);
        let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((3500..=3960).contains(&wait), "{wait}");
        let passed = world.upstream.count();
        assert_eq!(world.ask().status(), 429);
        assert_eq!(world.upstream.count(), passed);
        world.manager.releases(key);
        world.answers(200, 0);
    }
    world.manager.throttles("alice:/a/v1", HOUR);
    world.answers(429, 900_806);
    world.manager.says(&[("keyTemplateValue", "$userId:$apiContext"), ("keyTemplateState", "remove")]);
    world.answers(200, 0);
    let until_then = std::time::SystemTime::now() + Duration::from_secs(3);
    let millis = until_then.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    world.manager.writes(&json!({ "throttleKey": "/a/v1:1", "isThrottled": true, "expiryTimeStamp": millis }));
    world.answers(429, 900_800);
    world.answers(200, 0);
    assert!(std::time::SystemTime::now() > until_then, "it passed before its end");
    world.manager.says(&[("throttleKey", "/a/v1:1"), ("isThrottled", "maybe")]);
    world.gateway.metric_reaches("tollgate_traffic_manager_dropped_total", 1.0);
    assert_eq!(world.ask().status(), 200);
}

#[test]
fn a_decision_is_for_those_alone_to_whom_its_conditions_apply() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let mut world = World::start(nothing()).listens();
    let end = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64 + 3_600_000;
    let conditions = STANDARD
        .encode(r#"[{"header":{"invert":false,"values":{"X-Kind":"^new$"}},"jwtclaims":{"invert":false,"values":{"plan":"trial"}}}]"#);
    world.manager.writes(&json!({
        "throttleKey": "/a/v1/1/pets/{id}:GET_condition_0", "isThrottled": "true", "expiryTimeStamp": end.to_string(),
        "evaluatedConditions": conditions,
    }));
    world.answers(429, 900_802);
    assert_eq!(world.gateway.send("GET", "/a/v1/pets/1", &[&world.bearer, "X-Kind: old"], b"").status(), 200);
}

#[test]
fn whom_the_traffic_manager_blocks_is_refused_until_it_is_let_go() {
    let world = World::start(TrafficManager::start(json!(["$appId"]), json!({ "user": ["alice"] })));
    let body =
        r#"{"fault":{"code":900805, "message":"Message blocked", "description":"You have been blocked from accessing the resource"}}"#;
    let refused = world.ask();
    assert_eq!((refused.status(), refused.text().as_str()), (403, body), "the list is known before the gateway is ready");
    let mut world = world.listens();
    world.manager.blocks("USER", "alice", false);
    world.answers(200, 0);
    let address = r#"{"fixedIp":"127.0.0.1","invert":false}"#;
    let range = r#"{"startingIp":"126.0.0.0","endingIp":"127.0.0.9","invert":false}"#;
    for (condition, value) in [("API", "/a/v1"), ("APPLICATION", "bob:App"), ("USER", "alice"), ("IP", address), ("IPRANGE", range)] {
        world.manager.blocks(condition, value, true);
        assert_eq!(world.answers(403, 900_805).text(), body);
        world.manager.blocks(condition, value, false);
        world.answers(200, 0);
    }
    world.manager.throttles("7", HOUR);
    world.answers(429, 900_806);
}

#[test]
fn each_request_that_passed_is_told_with_its_keys_and_no_other() {
    let mut world = World::start(nothing()).listens();
    assert_eq!(world.ask().status(), 200);
    let event = world.manager.has_events(1).remove(0);
    let properties: Value = serde_json::from_str(event["properties"].as_str().unwrap()).unwrap();
    assert_eq!(properties, json!({ "ip": 2_130_706_433, "ipv6": 0, "X-Kind": "new", "plan": "trial" }));
    let line = &world.gateway.log_of(1)[0];
    for (name, expected) in [
        ("messageID", line["request_id"].as_str().unwrap()),
        ("appKey", "7:alice"),
        ("appTier", "50PerMin"),
        ("apiKey", "/a/v1:1"),
        ("apiTier", "Unlimited"),
        ("subscriptionKey", "7:/a/v1:1"),
        ("subscriptionTier", "Gold"),
        ("resourceKey", "/a/v1/1/pets/{id}:GET"),
        ("resourceTier", "10PerMin"),
        ("userId", "alice"),
        ("apiContext", "/a/v1"),
        ("apiVersion", "1"),
        ("appTenant", "carbon.super"),
        ("apiTenant", "carbon.super"),
        ("appId", "7"),
        ("apiName", "a-v1"),
    ] {
        assert_eq!(event[name], expected, "{name}");
    }
    assert_eq!(event.as_object().unwrap().len(), 17);
    assert_eq!(world.gateway.get("/a/v1/open").status(), 200);
    let event = world.manager.has_events(2).remove(1);
    let of = |name: &str| event[name].as_str().unwrap().to_owned();
    assert_eq!([of("subscriptionKey"), of("subscriptionTier"), of("userId")], ["127.0.0.1:/a/v1:1", "Unauthenticated", "anonymous"]);

    world.manager.throttles("7:alice", HOUR);
    world.answers(429, 900_803);
    let passed = world.upstream.count();
    let mut client = Client::connect(world.gateway.ports.plain);
    for _ in 0..100 {
        assert_eq!(client.ask("GET", "/a/v1/open", &[], b"").unwrap().status(), 200);
        assert_eq!(client.ask("GET", "/a/v1/pets/2", &[&world.bearer], b"").unwrap().status(), 429);
    }
    world.manager.has_events(passed + 100);
    world.gateway.metric_reaches("tollgate_traffic_manager_events_waiting", 0.0);
    let counts = ["events_total", "events_lost_total"].map(|series| world.counted(series));
    assert_eq!((world.manager.events().len(), counts), (passed + 100, [passed as f64 + 100.0, 0.0]));
    assert!(world.manager.connections() < 40, "{} connections", world.manager.connections());
}

#[test]
fn a_traffic_manager_that_is_slow_or_away_costs_no_request_and_what_it_does_not_get_is_counted() {
    let world = World::with(nothing(), json!({ "timeout": "300ms", "queue": 20 }), Gateway::start).listens();
    world.manager.pauses(Duration::from_secs(2));
    let many = |count: usize| {
        let mut client = Client::connect(world.gateway.ports.plain);
        let slowest = (0..count).map(|_| {
            let begun = Instant::now();
            assert_eq!(client.ask("GET", "/a/v1/open", &[], b"").unwrap().status(), 200);
            begun.elapsed()
        });
        slowest.max().unwrap()
    };
    let slowest = many(200);
    assert!(slowest < Duration::from_millis(1500), "{slowest:?}");
    world.gateway.metric_reaches("tollgate_traffic_manager_events_lost_total", 200.0);
    assert_eq!(world.counted("events_total"), 200.0, "none was taken, none is counted twice");

    world.manager.pauses(Duration::ZERO);
    let before = world.manager.events().len();
    // After failures in a row the server is left alone for a moment, and what is sent meanwhile is lost.
    until("an event to arrive", || {
        many(1);
        (world.manager.events().len() > before).then_some(())
    });
    let lost = until("all events to be over", || {
        let over = world.counted("events_total") - world.counted("events_lost_total");
        (over == (world.manager.events().len() - before) as f64).then(|| world.counted("events_lost_total"))
    });
    many(20);
    world.manager.has_events(before + (world.counted("events_total") - lost) as usize);
    assert_eq!(world.counted("events_lost_total"), lost);
}

#[test]
fn a_gateway_is_not_ready_before_it_has_the_lists_and_hears_a_broker_that_comes_again() {
    let mut world = World::with(TrafficManager::without_lists(), json!({}), Gateway::start_listening).listens();
    let ready = |world: &World| {
        let answer = world.gateway.admin("/readyz");
        (answer.status(), answer.text())
    };
    until("the reason", || ready(&world).1.contains("traffic manager").then_some(()));
    assert_eq!(ready(&world).0, 503);
    world.manager.has(json!([]), json!({ "api": ["/a/v1"] }));
    until("readiness", || (ready(&world).0 == 200).then_some(()));
    assert_eq!(world.ask().status(), 403);
    world.manager.broker.kill();
    world.gateway.metric_reaches("tollgate_traffic_manager_connected", 0.0);
    assert_eq!(world.ask().status(), 403, "what it said stays");
    world.manager.has(json!([]), json!({ "api": [] }));
    world.manager.broker.restart();
    world.answers(200, 0);
}

#[test]
fn events_that_wait_are_posted_before_the_process_ends() {
    let mut world = World::start(nothing());
    world.manager.pauses(Duration::from_millis(100));
    let mut client = Client::connect(world.gateway.ports.plain);
    for _ in 0..40 {
        assert_eq!(client.ask("GET", "/a/v1/open", &[], b"").unwrap().status(), 200);
    }
    drop(client);
    world.gateway.signal("TERM");
    assert_eq!(world.gateway.wait(), 0);
    assert_eq!(world.manager.events().len(), 40, "{}", world.gateway.stderr());
}

#[test]
fn a_reload_takes_new_settings_and_refuses_what_needs_a_new_process() {
    let world = World::start(nothing()).listens();
    let other = Upstream::answering(|_| Reply::new(200, ""));
    let path = world.gateway.folder.join("gateway.yaml");
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let reload = |change: &dyn Fn(&mut Value)| {
        let mut config = written.clone();
        change(&mut config["stores"]);
        fs::write(&path, config.to_string()).unwrap();
        world.gateway.reload()
    };
    for change in
        [&(|stores: &mut Value| stores["traffic_manager"]["queue"] = 7.into()) as &dyn Fn(&mut Value), &|stores| *stores = json!({})]
    {
        let refused = reload(change);
        assert!(refused.status() == 409 && refused.text().contains("reload.needs_restart"), "{}", refused.text());
    }
    assert_eq!(reload(&|stores| stores["traffic_manager"]["events"] = other.url().into()).status(), 200);
    until("an event at the new place", || {
        assert_eq!(world.ask().status(), 200);
        (other.count() > 0).then_some(())
    });
    let told = world.manager.events().len();
    assert_eq!(world.ask().status(), 200);
    until("all events to be over", || (world.counted("events_total") == (told + other.count()) as f64).then_some(()));
    assert_eq!((world.manager.events().len(), world.counted("events_lost_total")), (told, 0.0));
}

#[test]
fn a_traffic_manager_that_cannot_be_used_or_that_nobody_obeys_does_not_start() {
    let manager = |changes: Value| {
        let mut settings = json!({ "events": "http://127.0.0.1:1/", "broker": { "url": "stomp://127.0.0.1:1" } });
        changes.as_object().unwrap().iter().for_each(|(name, value)| settings[name] = value.clone());
        settings
    };
    for (changes, chain, pointer) in [
        (json!({ "events": "ftp://x" }), json!(["throttle"]), "/stores/traffic_manager/events"),
        (json!({ "blocks": "x" }), json!(["throttle"]), "/stores/traffic_manager/blocks"),
        (json!({ "ca": "none.pem" }), json!(["throttle"]), "/stores/traffic_manager/ca"),
        (json!({ "queue": 0 }), json!(["throttle"]), "/stores/traffic_manager/queue"),
        (json!({ "username": "a:b" }), json!(["throttle"]), "/stores/traffic_manager/username"),
        (json!({ "broker": { "url": "http://x" } }), json!(["throttle"]), "/stores/traffic_manager/broker/url"),
        (json!({}), json!([]), "/stores/traffic_manager"),
    ] {
        let said = refused(&json!({ "stores": { "traffic_manager": manager(changes) }, "chain": chain }));
        assert!(said.contains(pointer), "{pointer}: {said}");
    }
    let said = refused(&json!({ "chain": [{ "throttle": { "traffic_manager": { "local": "off" } } }] }));
    assert!(said.contains("stores.traffic_manager"), "{said}");
}

/// What a gateway says that does not start.
fn refused(config: &Value) -> String {
    let folder = Folder::new();
    let definition = open_api("/a", "http://127.0.0.1:1", json!({ "/x": { "get": operation() } }));
    let artifact = tollgate_tests::project::artifact(&folder, &definition);
    let mut config = config.clone();
    config["listeners"] = json!([{ "address": "127.0.0.1:0" }]);
    let config = folder.write("gateway.yaml", config.to_string());
    let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()]);
    assert_ne!(ran.code, 0, "it starts");
    ran.stderr
}
