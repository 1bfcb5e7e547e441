//! The `headers` filter from outside.

use filter_headers::{Headers, KIND};
use serde_json::{Value, json};
use tollgate_filter_api::{Certificate, Peer, Principal, PrincipalParts};
use tollgate_filter_testkit::{Conformance, Harness, principal};

#[test]
fn it_conforms() {
    Conformance::<Headers>::new(&KIND).value("4097 letters", "a".repeat(4097)).run();
}

#[test]
fn without_changes_there_is_nothing_to_do() {
    let setup = Harness::<Headers>::setup();
    assert!(setup.is_idle("{}"));
    assert!(setup.is_idle("{request: {set: {}}, response: {remove: []}}"));
}

#[test]
fn framing_hop_by_hop_and_the_gateways_own_headers_are_refused_at_load() {
    let names = [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Trailer",
        "Proxy-Connection",
        "Expect",
        "X-Forwarded-For",
        "x_forwarded_for",
        "Forwarded",
        "Via",
        "Content_Length",
    ];
    for name in names {
        for settings in [
            format!("{{request: {{set: {{{name}: a}}}}}}"),
            format!("{{request: {{remove: [{name}]}}}}"),
            format!("{{request: {{rename: {{x-a: {name}}}}}}}"),
            format!("{{response: {{rename: {{{name}: x-a}}}}}}"),
            format!("{{response: {{add: {{{name}: a}}}}}}"),
        ] {
            let problem = Harness::<Headers>::problem(&settings);
            assert!(problem.message.contains("cannot be changed"), "{settings}: {problem}");
        }
    }
}

#[test]
fn a_problem_names_the_place() {
    for (settings, pointer) in [
        ("{request: {set: {X-A: '${nobody}'}}}", "/request/set/X-A"),
        ("{response: {remove: [X-A, 'X B']}}", "/response/remove/1"),
        ("{response: {add: {X-A: \"a\\nb\"}}}", "/response/add/X-A"),
    ] {
        assert_eq!(Harness::<Headers>::problem(settings).pointer, pointer);
    }
    let hint = Harness::<Headers>::problem("{request: {set: {X-A: '${nobody}'}}}").hint;
    assert!(hint.contains("principal.subject"), "{hint}");
}

#[test]
fn a_header_that_is_changed_twice_is_refused_whatever_its_spelling() {
    for settings in [
        "{request: {set: {X-A: a}, remove: [x-a]}}",
        "{request: {set: {X-A: a}, add: {x_a: b}}}",
        "{response: {rename: {x-a: x-b}, set: {X-B: b}}}",
        "{response: {remove: [x-a, X-A]}}",
    ] {
        assert!(Harness::<Headers>::problem(settings).message.contains("changed twice"), "{settings}");
    }
}

#[test]
fn a_value_of_exactly_the_bound_is_sent() {
    let h = Harness::<Headers>::yaml("{request: {set: {X-User: '${principal.subject}'}}}");
    let name = "a".repeat(4096);
    let run = h.request("GET", "/").given(principal(&name)).run().next();
    assert_eq!(run.header("x-user"), Some(name.as_str()));
}

#[test]
fn a_value_for_the_way_back_that_is_too_long_ends_the_request_before_the_upstream_acts() {
    let h = Harness::<Headers>::yaml("{response: {set: {X-User: '${principal.subject}'}}}");
    h.request("GET", "/").given(principal(&"a".repeat(4097))).run().assert_denied(431, "headers.value_too_long");
}

#[test]
fn every_fact_is_written() {
    let h = Harness::<Headers>::yaml(
        "{request: {set: {x-c: '${operation.method} ${operation.template} ${api.base_path}', \
         x-p: '${principal.issuer} ${principal.scopes} ${principal.key_type}'}}}",
    );
    let scopes = vec!["read".to_owned(), "write".to_owned()];
    let parts = PrincipalParts { filter: "test", issuer: Some("https://idp.example".into()), scopes, ..PrincipalParts::default() };
    let run = h.request("GET", "/orders").given(Principal::new(parts)).run().next();
    assert_eq!(run.header("x-c"), Some("GET /orders /"));
    assert_eq!(run.header("x-p"), Some("https://idp.example read,write production"));
}

fn claiming(claims: Value) -> Principal {
    let claims = claims.as_object().cloned().unwrap_or_default();
    Principal::new(PrincipalParts { filter: "test", subject: Some("eve".into()), claims, ..PrincipalParts::default() })
}

/// Undoes what the filter does to a value.
fn decoded(value: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("an escape has two digits");
                bytes.push(u8::try_from(digit(high) * 16 + digit(low)).expect("two digits are one byte"));
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[test]
fn j23_every_character_of_a_claim_stays_within_its_value() {
    let h = Harness::<Headers>::yaml("{request: {set: {x-claim: '<${claim.name}>', x-list: '${claim.list}'}}}");
    let characters = (0..=0x24f).chain([0x2028, 0xfeff, 0xff0d, 0x1f600, 0x10ffff]).filter_map(char::from_u32);
    for character in characters {
        for text in [format!("{character}"), format!("a{character}{character}X-Admin: 1"), format!("a{character}")] {
            let run = h.request("GET", "/").given(claiming(json!({ "name": text, "list": [text, "b"] }))).run().next();
            for (name, items) in [("x-claim", format!("<{text}>")), ("x-list", format!("{text},b"))] {
                let value = run.request().get(&name.parse().expect("a name")).expect("the header is there").as_bytes();
                assert!(value.iter().all(|byte| (b' '..=b'~').contains(byte)), "{text:?}: {value:?}");
                assert_eq!(decoded(str::from_utf8(value).expect("ASCII")), items.as_bytes(), "{text:?}");
            }
        }
    }
    let run = h.request("GET", "/").given(claiming(json!({ "name": "a\r\nx-admin: 1" }))).run().next();
    assert!(run.request().fields().keys().all(|name| name == "host" || name == "x-claim"), "{:?}", run.request().fields());
}

#[test]
fn j23_a_claim_is_bounded_after_it_is_escaped() {
    let h = Harness::<Headers>::yaml("{request: {set: {x-claim: '${claim.name}'}}, response: {set: {x-back: '${claim.name}'}}}");
    for (text, fits) in [("a".repeat(4096), true), ("a".repeat(4097), false), ("\0".repeat(1365), true), ("\0".repeat(1366), false)] {
        let run = h.request("GET", "/").given(claiming(json!({ "name": text }))).run();
        if fits {
            run.next();
        } else {
            run.assert_denied(431, "headers.value_too_long");
        }
    }
}

#[test]
fn j23_what_has_no_form_in_a_header_leaves_no_header() {
    let h = Harness::<Headers>::yaml("{request: {set: {x-claim: '${claim.name}'}}}");
    for value in [json!(null), json!({ "a": 1 }), json!([{ "a": 1 }]), json!([["a"]]), json!(["a", null]), json!("")] {
        let run = h
            .request("GET", "/")
            .header("x-claim", "forged")
            .header("x_claim", "forged")
            .given(claiming(json!({ "name": value })))
            .run()
            .next();
        assert!(run.request().fields().keys().all(|name| name == "host"), "{value}");
    }
}

#[test]
fn each_attempt_and_each_answer_is_changed_alike() {
    let h = Harness::<Headers>::yaml("{request: {set: {x-a: a}}, response: {set: {x-b: '${principal.subject}'}}}");
    let mut run = h.request("GET", "/").given(principal("ada")).run().next();
    for _ in 0..2 {
        assert_eq!(run.upstream().fields()["x-a"], "a");
        assert_eq!(run.response_with(200, &[("x-b", "upstream")]).fields()["x-b"], "ada");
    }
}

#[test]
fn a_certificate_is_told_in_every_form_also_to_the_client() {
    let all = "'${certificate.subject} ${certificate.issuer} ${certificate.sha256} ${certificate.rfc9440}'";
    let h = Harness::<Headers>::yaml(&format!("{{request: {{set: {{x-who: {all}}}}}, response: {{set: {{x-who: {all}}}}}}}"));
    let (subject, issuer) = ("CN=a".to_owned(), "CN=root".to_owned());
    let certificate = Certificate { subject, issuer, sha256: [0xab; 32], der: vec![1, 2, 3, 4], ..Certificate::default() };
    let request = h.request("GET", "/").header("x-who", "forged").header("x_other", "kept").given(Principal::anonymous());
    let mut run = request.given(Peer::Certified(certificate.into())).run().next();
    let told = format!("CN=a CN=root {} :AQIDBA==:", "ab".repeat(32));
    assert_eq!((run.header("x-who"), run.header("x_other")), (Some(told.as_str()), Some("kept")));
    assert_eq!(run.response(200).fields()["x-who"], told.as_str());
    let mut without = h.request("GET", "/").header("x-who", "forged").given(Principal::anonymous()).run().next();
    assert_eq!(without.header("x-who"), None);
    assert_eq!(without.response(200).fields().get("x-who"), None);
}

#[test]
fn nothing_is_said_of_a_caller_that_nobody_knows() {
    let facts = ["principal.subject", "principal.issuer", "principal.client", "principal.scopes", "principal.key_type", "claim.sub"];
    for fact in facts {
        let h = Harness::<Headers>::yaml(&format!("{{request: {{set: {{x-who: '${{{fact}}}'}}}}}}"));
        let run = h.request("GET", "/").header("x-who", "forged").given(Principal::anonymous()).run().next();
        assert_eq!(run.header("x-who"), None, "{fact}");
    }
}
