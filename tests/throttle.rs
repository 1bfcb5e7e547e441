//! Limits on requests, end to end: what is over them never reaches the upstream, and not one request more or less does.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Settings, Upstream,
    project::{open_api, operation},
    token::Issuer,
};

/// Policies over a year: no window ends while a test runs.
const POLICIES: &str = "resourcePolicies:
  - One: { count: 1, unitTime: 1, timeUnit: year }
  - Three: { count: 3, unitTime: 1, timeUnit: year }
  - Hundred: { count: 100, unitTime: 1, timeUnit: year }
";

fn project(definition: &Value) -> Project {
    Project::new().definition("a.json", definition.to_string()).file("policies.yaml", POLICIES)
}

#[test]
fn tiers_of_the_definition_count_without_any_setting_and_say_so_to_clients() {
    let upstream = Upstream::start();
    let mut limited = operation();
    limited["x-wso2-throttling-tier"] = "Three".into();
    let definition = open_api("/a", &upstream.url(), json!({ "/few": { "get": limited }, "/any": { "get": operation() } }));
    let gateway = Gateway::start(&project(&definition).build(&[]), Settings::default());
    for left in [2, 1, 0] {
        let answer = gateway.get("/a/few");
        assert_eq!(answer.status(), 200);
        let said = answer.field("ratelimit").unwrap_or_default();
        assert!(said.starts_with(&format!("\"Three\";r={left};t=")), "{said}");
        assert_eq!(answer.field("ratelimit-policy"), Some("\"Three\";q=3;w=31536000"));
    }
    let refused = gateway.get("/a/few");
    assert_eq!((refused.status(), upstream.count()), (429, 3));
    assert!(refused.text().contains("throttle.operation") && refused.text().contains("900802"), "{}", refused.text());
    let document: Value = serde_json::from_str(&refused.text()).unwrap();
    assert_eq!(document["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(document["violated-policies"], json!(["Three"]));
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!(wait > 0 && wait <= 366 * 86_400 * 11 / 10, "{wait}");
    assert_eq!(gateway.get("/a/any").status(), 200, "an operation without a tier is not concerned");
    let log = gateway.log_of(5);
    let line = log.iter().find(|line| line["status"] == 429).unwrap();
    assert_eq!((&line["reason"], &line["cause"]), (&json!("throttle.operation"), &json!("over_limit")), "{line}");
    assert!(line["asked_by"].as_str().is_some_and(|by| by.contains("a.json:")), "{line}");
    gateway.metric_reaches("tollgate_throttle_over_total{policy=\"Three\"}", 1.0);
    let quotas: Value = serde_json::from_str(&gateway.admin("/quotas").text()).unwrap();
    let top = quotas["top"].as_array().unwrap();
    assert!(
        top.iter().any(|line| line["policy"] == "Three" && line["over"] == 1 && line["key"] == "api operation: /a GET /few"),
        "{quotas}"
    );
    assert_eq!(quotas["keys"], 1);
}

#[test]
fn of_64_connections_that_race_exactly_as_many_requests_pass_as_the_limit_says_and_a_reload_forgets_none() {
    let upstream = Upstream::start();
    let mut limited = operation();
    limited["x-wso2-throttling-tier"] = "Hundred".into();
    let mut single = operation();
    single["x-wso2-throttling-tier"] = "One".into();
    let project = project(&open_api("/a", &upstream.url(), json!({ "/x": { "get": limited }, "/one": { "get": single } })));
    let gateway = Gateway::start(&project.build(&[]), Settings::default());
    let port = gateway.ports.plain;
    let race = |target: &str, each: usize| {
        let (passed, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let mut client = Client::connect(port);
                    for _ in 0..each {
                        match client.ask("GET", target, &[], b"").unwrap().status() {
                            200 => passed.fetch_add(1, SeqCst),
                            429 => refused.fetch_add(1, SeqCst),
                            other => panic!("{other}"),
                        };
                    }
                });
            }
        });
        (passed.into_inner(), refused.into_inner())
    };
    assert_eq!(race("/a/x", 5), (100, 220));
    assert_eq!(race("/a/one", 1), (1, 63), "a limit of one lets one pass");
    assert_eq!(upstream.count(), 101);
    let reloaded = gateway.reload();
    assert_eq!(reloaded.status(), 200, "{}", reloaded.text());
    assert_eq!((gateway.get("/a/x").status(), gateway.get("/a/one").status(), upstream.count()), (429, 429, 101));
}

#[test]
fn a_claim_that_is_verified_names_the_plan_and_callers_without_a_token_are_counted_by_their_address() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    definition["security"] = json!([{ "oauth": [] }, {}]);
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "http", "scheme": "bearer" } } });
    let throttle = json!({ "throttle": {
        "policies": {
            "gold": { "requests": 3, "per": "365d" }, "silver": { "requests": 1, "per": "365d" }, "guests": { "requests": 2, "per": "365d" },
        },
        "limits": [{ "key": ["principal.subject"], "plan": { "claim": "plan", "policies": ["gold", "silver"], "otherwise": "silver" } }],
        "anonymous": "guests",
    } });
    let config = json!({ "chain": [{ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } }, throttle] });
    let gateway = Gateway::serving(&definition, Settings::of(config));
    let bearer = |claims: Value| format!("Authorization: Bearer {}", issuer.token(claims));
    let passing = |fields: &[&str]| (0..5).filter(|_| gateway.send("GET", "/a/x", fields, b"").status() == 200).count();
    let gold = bearer(json!({ "sub": "one", "plan": "gold" }));
    assert_eq!(passing(&[&gold]), 3);
    assert_eq!(
        passing(&[&bearer(json!({ "sub": "two", "plan": "platinum" }))]),
        1,
        "a plan that was not declared is the one for all others"
    );
    let forged = Issuer::new("https://issuer.example").token(json!({ "sub": "three", "plan": "gold" }));
    assert_eq!(passing(&[&format!("Authorization: Bearer {forged}")]), 0);
    assert_eq!(passing(&[]), 1, "the anonymous share the plan of those without a subject, of which there is one request");
    assert_eq!(upstream.count(), 5);
}

#[test]
fn the_reference_products_bodies_and_codes_are_given_where_they_are_wanted() {
    let upstream = Upstream::start();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-throttling-tier"] = "One".into();
    let gateway = Gateway::start(&project(&definition).build(&[]), Settings::of(json!({ "errors": "wso2" })));
    assert_eq!(gateway.get("/a/x").status(), 200);
    let refused = gateway.get("/a/x");
    assert_eq!((refused.status(), refused.field("content-type")), (429, Some("application/json")));
    assert_eq!(
        refused.text(),
        r#"{"fault":{"code":900800, "message":"Message throttled out", "description":"You have exceeded your quota"}}"#
    );
}

#[test]
fn tiers_that_a_token_names_count_by_application_and_subscription_with_the_reference_products_codes() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let closed = |title: &str, base: &str| {
        let mut definition = open_api(base, &upstream.url(), json!({ "/x": { "get": operation() } }));
        definition["info"]["title"] = title.into();
        definition["x-wso2-disable-security"] = false.into();
        definition["security"] = json!([{ "oauth": [] }]);
        definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "http", "scheme": "bearer" } } });
        definition.to_string()
    };
    let policies = "applicationPolicies:
  - Silver: { count: 2, unitTime: 1, timeUnit: year }
subscriptionPolicies:
  - Silver: { count: 3, unitTime: 1, timeUnit: year }
  - Default: { count: 1, unitTime: 1, timeUnit: year }
";
    let project =
        Project::new().definition("a.json", closed("A", "/a")).definition("b.json", closed("B", "/b")).file("policies.yaml", policies);
    let tiers = json!({ "tiers": { "application": true, "subscription": true, "unsubscribed": "Default" } });
    let jwt = json!({ "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] });
    let config = json!({ "errors": "wso2", "chain": [{ "jwt": jwt }, { "throttle": tiers }] });
    let gateway = Gateway::start(&project.build(&[]), Settings::of(config));
    let subscribed = |tier: &str| json!([{ "name": "A", "version": "*", "subscriptionTier": tier }]);
    let token = |user: &str, application: Value, subscribed: Value| {
        let claims = json!({ "sub": user, "application": application, "subscribedAPIs": subscribed });
        format!("Authorization: Bearer {}", issuer.token(claims))
    };
    let code = |target: &str, token: &str| {
        let answer = gateway.send("GET", target, &[token], b"");
        let fault = serde_json::from_str::<Value>(&answer.text()).unwrap_or_default();
        (answer.status(), fault["fault"]["code"].as_u64().unwrap_or_default())
    };
    let ann = token("ann", json!({ "id": 1, "tier": "Silver" }), subscribed("Silver"));
    assert_eq!([code("/a/x", &ann), code("/a/x", &ann)], [(200, 0); 2]);
    assert_eq!(code("/a/x", &ann), (429, 900_803), "two for one user of the application");
    let bob = token("bob", json!({ "id": 1, "tier": "Silver" }), subscribed("Silver"));
    assert_eq!(code("/a/x", &bob), (200, 0), "the third and last of the subscription");
    assert_eq!(code("/a/x", &bob), (429, 900_804));
    assert_eq!(code("/a/x", &ann), (429, 900_804), "the subscription answers before the application");
    let another = token("bob", json!({ "id": 2, "tier": "Silver" }), subscribed("Silver"));
    assert_eq!(code("/a/x", &another), (200, 0), "another application");
    assert_eq!(code("/b/x", &another), (200, 0), "to which the other API gives its tier for those without a subscription");
    assert_eq!(code("/b/x", &token("eve", json!({ "id": 2, "tier": "Unlimited" }), subscribed("Silver"))), (429, 900_804));
    assert_eq!(code("/a/x", &token("eve", json!({ "id": 3, "tier": "Platinum" }), subscribed("Silver"))), (500, 900_809));
    assert_eq!(upstream.count(), 5);
}
