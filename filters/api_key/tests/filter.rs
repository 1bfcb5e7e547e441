//! The `api_key` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use filter_api_key::{ApiKey, KIND};
use openssl::{
    asn1::Asn1Time,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::X509,
};
use serde_json::{Value, json};
use tollgate_filter_api::{Carrier, KeyType, Principal};
use tollgate_filter_testkit::{Harness, Run, START, conformance};
use tollgate_jose::SigningKey;

#[test]
fn it_conforms() {
    conformance::<ApiKey>(&KIND);
}

fn pair() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A certificate that the key signed itself, valid between two times.
fn certificate(key: &PKey<Private>, from: u64, until: u64) -> Vec<u8> {
    let time = |seconds: u64| Asn1Time::from_unix(seconds.cast_signed()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&time(from)).unwrap();
    builder.set_not_after(&time(until)).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_pem().unwrap()
}

struct World {
    key: PKey<Private>,
    harness: Harness<ApiKey>,
}

impl World {
    fn new(more: &str) -> Self {
        let key = pair();
        let setup = Harness::<ApiKey>::setup().document("keys.pem", key.public_key_to_pem().unwrap());
        let harness = setup.yaml(&format!("{{signed: {{issuer: 'https://gw/apikey', certificate: keys.pem{more}}}}}"));
        Self { key, harness }
    }

    fn ask(&self, key: &str) -> Run {
        self.harness.request("GET", "/").header("apikey", key).run()
    }

    fn with(&self, change: &dyn Fn(&mut Value)) -> Run {
        self.ask(&sealed(&self.key, change))
    }
}

/// A good key, changed.
fn sealed(key: &PKey<Private>, change: &dyn Fn(&mut Value)) -> String {
    typed("JWT", key, change)
}

/// The same with that `typ`.
fn typed(typ: &str, key: &PKey<Private>, change: &dyn Fn(&mut Value)) -> String {
    let mut claims = json!({
        "iss": "https://gw/apikey", "sub": "admin", "jti": "1", "iat": START, "exp": START + 3600, "keytype": "PRODUCTION",
        "allowedAPIs": [{ "name": "Test", "version": "1.0.0" }],
    });
    change(&mut claims);
    let signer = SigningKey::from_pem(&key.private_key_to_pem_pkcs8().unwrap(), None).unwrap();
    let header = json!({ "typ": typ, "kid": "any" });
    signer.seal(header.as_object().unwrap(), claims.as_object().unwrap()).unwrap()
}

#[test]
fn a_signed_key_passes_for_the_apis_it_names() {
    let world = World::new("");
    let run = world.with(&|_| ()).next();
    let principal = run.fact::<Principal>();
    assert_eq!((principal.subject.as_deref(), principal.key_type), (Some("admin"), KeyType::Production));
    assert_eq!(principal.token.as_ref().unwrap().id.as_deref(), Some("1"));
    world.with(&|claims| claims["allowedAPIs"][0]["version"] = "*".into()).next();
    world.with(&|claims| claims["subscribedAPIs"] = claims["allowedAPIs"].take()).next();
    let sandbox = world.with(&|claims| claims["keytype"] = "SANDBOX".into()).next();
    assert_eq!(sandbox.fact::<Principal>().key_type, KeyType::Sandbox);
    for (name, version) in [("Other", "1.0.0"), ("Test", "2.0.0"), ("test", "1.0.0"), ("", "*")] {
        let other = json!([{ "name": name, "version": version }]);
        world.with(&|claims| claims["allowedAPIs"] = other.clone()).assert_denied(401, "api_key.api");
    }
    world.with(&|claims| claims["allowedAPIs"] = json!([{ "name": "Test" }])).assert_denied(401, "api_key.api");
}

#[test]
fn a_key_that_names_no_api_passes_by_setting_only() {
    let silent = |claims: &mut Value| drop(claims.as_object_mut().unwrap().remove("allowedAPIs"));
    World::new("").with(&silent).assert_denied(401, "api_key.api");
    let open = World::new(", any_api: true");
    open.with(&silent).next();
    let empty = |claims: &mut Value| claims["allowedAPIs"] = json!([]);
    World::new("").with(&empty).assert_denied(401, "api_key.api");
    open.with(&empty).next();
    let other = json!([{ "name": "Other", "version": "*" }]);
    open.with(&|claims| (claims["allowedAPIs"], claims["subscribedAPIs"]) = (json!([]), other.clone())).assert_denied(401, "api_key.api");
    open.with(&|claims| claims["allowedAPIs"] = json!([{ "name": "Other", "version": "*" }])).assert_denied(401, "api_key.api");
    open.with(&|claims| claims["allowedAPIs"] = "Other".into()).assert_denied(401, "api_key.api");
}

#[test]
fn another_token_of_the_same_issuer_is_no_key() {
    let world = World::new(", any_api: true");
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    world.with(&|claims| claims["events"] = events.clone()).assert_denied(401, "api_key.unknown");
    for typ in ["logout+jwt", "at+jwt", "application/secevent+jwt"] {
        world.ask(&typed(typ, &world.key, &|_| ())).assert_denied(401, "api_key.unknown");
    }
    world.ask(&typed("application/jwt", &world.key, &|_| ())).next();
}

#[test]
fn one_api_of_several_and_one_signer_of_several_is_enough() {
    let (old, new) = (pair(), pair());
    let pem = [old.public_key_to_pem().unwrap(), new.public_key_to_pem().unwrap()].concat();
    let h = Harness::<ApiKey>::setup().document("keys.pem", pem).yaml("{signed: {issuer: 'https://gw/apikey', certificate: keys.pem}}");
    let apis = json!([{ "name": "Other", "version": "*" }, { "name": "Test", "version": "*" }]);
    for key in [&old, &new] {
        let key = sealed(key, &|claims| claims["allowedAPIs"] = apis.clone());
        h.request("GET", "/").header("apikey", key).run().next();
    }
    let stranger = sealed(&pair(), &|_| ());
    h.request("GET", "/").header("apikey", stranger).run().assert_denied(401, "api_key.unknown");
}

#[test]
fn what_a_certificate_verifies_it_verifies_while_it_is_valid() {
    for (from, until, good) in [(0, START + 10, true), (0, START - 10, false), (START + 10, START + 20, false)] {
        let key = pair();
        let h = Harness::<ApiKey>::setup().document("keys.pem", certificate(&key, from, until));
        let h = h.yaml("{signed: {issuer: 'https://gw/apikey', certificate: keys.pem}}");
        let run = h.request("GET", "/").header("apikey", sealed(&key, &|_| ())).run();
        if good { drop(run.next()) } else { drop(run.assert_denied(401, "api_key.unknown")) }
    }
}

#[test]
fn a_key_that_is_not_signed_is_looked_up_beside_those_that_are() {
    let digest: String = openssl::sha::sha256(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let mut world = World::new("");
    let setup = Harness::<ApiKey>::setup().document("keys.pem", world.key.public_key_to_pem().unwrap());
    world.harness = setup.yaml(&format!(
        "{{signed: {{issuer: 'https://gw/apikey', certificate: keys.pem}}, keys: [{{id: a, sha256: {digest}, apis: ['*']}}]}}"
    ));
    world.ask("secret").next();
    world.ask("Secret").assert_denied(401, "api_key.unknown");
    world.with(&|_| ()).next();
}

#[test]
fn j17_a_signed_key_is_known_to_the_list_by_its_signature() {
    let world = World::new("");
    let key = sealed(&world.key, &|_| ());
    let run = world.ask(&key).next();
    let token = run.fact::<Principal>().token.clone().unwrap();
    assert_eq!(token.signature.as_deref(), key.rsplit_once('.').map(|(_, signature)| signature));
    assert!(token.twin.is_some_and(|twin| Some(twin) != token.signature));
    assert_eq!((token.issued, token.expires), (Some(START.cast_signed()), Some(START.cast_signed() + 3600)));
}

#[test]
fn a_stored_key_says_what_it_is_for_and_until_when() {
    let digest = |key: &str| openssl::sha::sha256(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let h = Harness::<ApiKey>::yaml(&format!(
        "{{keys: [{{id: a, sha256: {}, apis: [Other, Test], sandbox: true, expires: {}}}, {{id: b, sha256: {}, apis: ['*'], expires: {START}}}, \
          {{id: c, sha256: {}, apis: ['Other', 'Test:1.0.0']}}, {{id: d, sha256: {}, apis: ['Test:', 'Test:1.0', 'Test:1.0.0.0', Tes, 'Testing:1.0.0']}}]}}",
        digest("one"),
        START + 1,
        digest("two"),
        digest("three"),
        digest("four"),
    ));
    let ask = |key: &str| h.request("GET", "/").header("apikey", key).run();
    assert_eq!(ask("one").next().fact::<Principal>().key_type, KeyType::Sandbox);
    ask("two").assert_denied(401, "api_key.time");
    assert_eq!(ask("three").next().fact::<Principal>().key_type, KeyType::Production);
    ask("four").assert_denied(401, "api_key.api");
    h.advance(std::time::Duration::from_secs(1));
    ask("one").assert_denied(401, "api_key.time");
    ask("three").next();
}

#[test]
fn the_place_of_the_key_is_cleared_when_another_credential_let_the_caller_in() {
    let digest = "a".repeat(64);
    let carrier = |place: &str| {
        let h = Harness::<ApiKey>::yaml(&format!("{{in: {place}, name: key, keys: [{{id: a, sha256: {digest}, apis: ['*']}}]}}"));
        h.carrier().unwrap()
    };
    assert_eq!(carrier("header"), Carrier::Header("key".parse().unwrap()));
    assert_eq!(carrier("query"), Carrier::Query("key".to_owned()));
    assert_eq!(carrier("cookie"), Carrier::Cookie("key".to_owned()));
}

#[test]
fn a_key_of_somebody_else_or_of_another_time_is_refused() {
    let world = World::new("");
    world.ask(&sealed(&pair(), &|_| ())).assert_denied(401, "api_key.unknown");
    world.with(&|claims| claims["iss"] = "https://other".into()).assert_denied(401, "api_key.unknown");
    world.with(&|claims| claims["sub"] = Value::Null).assert_denied(401, "api_key.unknown");
    world.with(&|claims| claims["keytype"] = "PLAYGROUND".into()).assert_denied(401, "api_key.unknown");
    world.with(&|claims| claims["exp"] = "soon".into()).assert_denied(401, "api_key.unknown");
    world.with(&|claims| claims["exp"] = (START - 60).into()).assert_denied(401, "api_key.time");
    world.with(&|claims| claims["exp"] = (START - 59).into()).next();
    world.with(&|claims| drop(claims.as_object_mut().unwrap().remove("exp"))).next();
    for name in ["nbf", "iat"] {
        world.with(&|claims| claims[name] = (START + 60).into()).next();
    }
    world.with(&|claims| claims["nbf"] = (START + 61).into()).assert_denied(401, "api_key.time");
    world.with(&|claims| claims["iat"] = (START + 61).into()).assert_denied(401, "api_key.time");
    let good = sealed(&world.key, &|_| ());
    let (head, signature) = good.rsplit_once('.').unwrap();
    world.ask(&format!("{head}.")).assert_denied(401, "api_key.unknown");
    world.ask(&format!("eyJhbGciOiJub25lIn0{}.", &head[head.find('.').unwrap()..])).assert_denied(401, "api_key.unknown");
    world.ask(&format!("{head}.{}", signature.replace(|c: char| c.is_ascii_lowercase(), "A"))).assert_denied(401, "api_key.unknown");
}

#[test]
fn a_key_is_taken_out_of_the_query_and_the_rest_stays_byte_for_byte() {
    let digest: String = openssl::sha::sha256(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let settings = format!("{{in: query, name: key, keys: [{{id: a, sha256: {digest}, apis: ['*']}}]}}");
    let (h, forwarding) = (Harness::<ApiKey>::yaml(&settings), Harness::<ApiKey>::yaml(&settings.replace("{in", "{forward: true, in")));
    let query = |h: &Harness<ApiKey>, query: &str| {
        let run = h.request("GET", &format!("/a%2Fb{query}")).run().next();
        assert_eq!(run.request().path(), "/a%2Fb");
        run.request().query().map(str::to_owned)
    };
    assert_eq!(query(&h, "?key=secret"), None);
    assert_eq!(query(&h, "?x=%2f&&key=secret&y=a+b&z"), Some("x=%2f&&y=a+b&z".to_owned()));
    assert_eq!(query(&h, "?k%65y=s%65cret&key2=secret"), Some("key2=secret".to_owned()));
    assert_eq!(query(&forwarding, "?x=1&key=secret"), Some("x=1&key=secret".to_owned()));
}

#[test]
fn a_key_is_known_by_itself_besides_its_name_so_that_either_revokes_it() {
    let digest: String = openssl::sha::sha256(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let h = Harness::<ApiKey>::yaml(&format!("{{keys: [{{id: a, sha256: {digest}, apis: ['*']}}]}}"));
    let run = h.request("GET", "/").header("apikey", "secret").run().next();
    let token = run.fact::<Principal>().token.clone().unwrap();
    assert_eq!((token.id.as_deref(), token.signature.as_deref()), (Some("a"), Some("secret")));
    assert!(!format!("{token:?}").contains("secret"));
}

#[test]
fn an_empty_key_beside_a_good_one_is_one_too_many() {
    let digest: String = openssl::sha::sha256(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
    let h = Harness::<ApiKey>::yaml(&format!("{{in: query, keys: [{{id: a, sha256: {digest}, apis: ['*']}}]}}"));
    for query in ["apikey=secret&apikey=", "apikey=&apikey=secret", "apikey&apikey=secret"] {
        h.request("GET", &format!("/?{query}")).run().assert_denied(400, "api_key.two_credentials");
    }
    h.request("GET", "/?apikey=").run().assert_denied(401, "api_key.missing");
}

#[test]
fn settings_that_can_accept_nothing_are_refused() {
    let problem = |settings: &str| Harness::<ApiKey>::problem(settings).pointer;
    let digest = "a".repeat(64);
    assert_eq!(problem("{}"), "");
    assert_eq!(problem("{keys: [{id: a, sha256: abc, apis: [x]}]}"), "/keys/0/sha256");
    assert_eq!(problem(&format!("{{keys: [{{id: a, sha256: {digest}, apis: []}}]}}")), "/keys/0/apis");
    assert_eq!(
        problem(&format!("{{keys: [{{id: a, sha256: {digest}, apis: [x]}}, {{id: a, sha256: {digest}, apis: [x]}}]}}")),
        "/keys/1/id"
    );
    assert_eq!(problem(&format!("{{keys: [{{id: '', sha256: {digest}, apis: [x]}}]}}")), "/keys/0/id");
    assert_eq!(problem(&format!("{{keys: [{{id: a, sha256: {digest}a, apis: [x]}}]}}")), "/keys/0/sha256");
    assert_eq!(
        problem(&format!("{{keys: [{{id: a, sha256: {digest}, apis: [x]}}, {{id: b, sha256: {digest}, apis: [x]}}]}}")),
        "/keys/1/sha256"
    );
    assert_eq!(problem(&format!("{{name: 'a b', keys: [{{id: a, sha256: {digest}, apis: [x]}}]}}")), "/name");
    let weak = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap().public_key_to_pem().unwrap();
    for content in [b"no key".to_vec(), weak] {
        let setup = Harness::<ApiKey>::setup().document("keys.pem", content);
        assert_eq!(setup.problem("{signed: {issuer: i, certificate: keys.pem}}").pointer, "/signed/certificate");
    }
    let damaged = Harness::<ApiKey>::setup().document("keys.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let problem = damaged.problem("{signed: {issuer: i, certificate: keys.pem}}");
    assert!(problem.message.contains("block 1 (CERTIFICATE, line 1) cannot be read"), "{problem}");
}
