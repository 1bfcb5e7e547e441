//! Tokens that a real provider binds to its client's key (DPoP, RFC 9449) or certificate (RFC 8705), end to end.

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder,
    certificates::{Identity, connector},
    jwk::SigningKey,
    parts::{
        OidcProvider, OpenId,
        oidc_provider::{CERTIFIED, OPAQUE},
        openid::{API, APP},
    },
};

use crate::{
    openid::{World, claims, issuer},
    openid_introspection::{LONG, introspection},
};

/// Where the harness's client says it is.
const URL: &str = "http://localhost/a/read";

fn client_credentials(resource: &str) -> [(&str, &str); 3] {
    [("grant_type", "client_credentials"), ("scope", "read"), ("resource", resource)]
}

/// A token that is bound to a key.
fn proven(provider: &OidcProvider, key: &SigningKey, resource: &str) -> String {
    let server = provider.server();
    let proof = format!("DPoP: {}", key.proof("POST", server.url("token_endpoint"), None));
    let tokens = server.token(APP, &[&proof], &client_credentials(resource));
    assert_eq!(tokens.0["token_type"], "DPoP");
    tokens.access()
}

/// Whether the token passes with a proof of its key that is made for the request, and with nothing else.
fn passes_with_a_fresh_proof_only(world: &World<OidcProvider>, key: &SigningKey, token: &str) {
    let other = SigningKey::new("ES256", "other");
    let status = |scheme: &str, proof: Option<String>| {
        let fields: Vec<String> =
            [Some(format!("Authorization: {scheme} {token}")), proof.map(|proof| format!("DPoP: {proof}"))].into_iter().flatten().collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        world.gateway.send("GET", "/a/read", &fields, b"").status()
    };
    let proof = key.proof("GET", URL, Some(token));
    assert_eq!(status("DPoP", Some(proof.clone())), 200);
    assert_eq!(status("DPoP", Some(key.proof("GET", URL, Some(token)))), 200);
    let refused = [
        ("a proof used twice", status("DPoP", Some(proof))),
        ("no proof", status("DPoP", None)),
        ("no proof, as a bearer's", status("Bearer", None)),
        ("a bearer's with a proof", status("Bearer", Some(key.proof("GET", URL, Some(token))))),
        ("another key", status("DPoP", Some(other.proof("GET", URL, Some(token))))),
        ("another method", status("DPoP", Some(key.proof("POST", URL, Some(token))))),
        ("another token", status("DPoP", Some(key.proof("GET", URL, Some("another"))))),
        ("the proof for the token endpoint", status("DPoP", Some(key.proof("POST", world.provider.server().url("token_endpoint"), None)))),
    ];
    assert!(refused.iter().all(|(_, status)| *status == 401), "{refused:?}");
    assert_eq!(world.upstream.count(), 2);
}

#[test]
fn a_token_that_is_bound_to_a_key_passes_with_a_fresh_proof_of_it_only() {
    let world = World::<OidcProvider>::start(|provider, _| {
        (json!({ "jwt": { "dpop": {}, "issuers": [issuer(provider, &[API], json!({}))] } }), None)
    });
    let key = SigningKey::new("ES256", "client");
    let token = proven(&world.provider, &key, API);
    assert!(claims(&token)["cnf"]["jkt"].is_string());
    passes_with_a_fresh_proof_only(&world, &key, &token);
}

/// A gateway that sees its clients' certificates, a certificate, a token that is bound to it, and one for anybody.
fn certified(resource: &str, credentials: impl FnOnce(&OidcProvider, &Folder) -> Value) -> (World<OidcProvider>, Identity, String) {
    let world = World::<OidcProvider>::start(|provider, folder| {
        let (certificate, key) = provider.authority.issue("gateway", 4, &["localhost"]).write(folder, "gateway");
        let client_auth = json!({ "mode": "optional", "ca": provider.ca() });
        (credentials(provider, folder), Some(json!({ "certificate": certificate, "key": key, "client_auth": client_auth })))
    });
    let (identity, mut server) = (world.provider.authority.issue("client", 3, &["client.example"]), world.provider.server().clone());
    server.endpoint.tls = Some(connector(&world.provider.authority, Some(&identity), b"", None));
    let token = server.token(CERTIFIED, &[], &client_credentials(resource)).access();
    (world, identity, token)
}

/// Whether the token passes with its certificate, and with nothing else.
fn passes_with_its_certificate_only(world: &World<OidcProvider>, identity: &Identity, token: &str) {
    let field = format!("Authorization: Bearer {token}");
    let authority = &world.provider.authority;
    let status = |identity: Option<&Identity>| {
        let mut client = Client::tls(world.gateway.ports.tls, "localhost", &connector(authority, identity, b"", None)).unwrap();
        client.ask("GET", "/a/read", &[&field], b"").unwrap().status()
    };
    let other = authority.issue("client", 5, &["client.example"]);
    assert_eq!(status(Some(identity)), 200);
    assert_eq!([status(Some(&other)), status(None), world.status("/a/read", token)], [401, 401, 401]);
    assert_eq!(status(Some(identity)), 200);
    assert_eq!(world.upstream.count(), 2);
}

#[test]
fn a_token_that_is_bound_to_a_certificate_passes_with_it_only() {
    let jwt = |provider: &OidcProvider, _: &Folder| json!({ "jwt": { "issuers": [issuer(provider, &[API], json!({}))] } });
    let (world, identity, token) = certified(API, jwt);
    assert!(claims(&token)["cnf"]["x5t#S256"].is_string());
    passes_with_its_certificate_only(&world, &identity, &token);
}

#[test]
fn an_opaque_token_that_is_bound_to_a_certificate_passes_with_it_only() {
    let (world, identity, token) = certified(OPAQUE, |provider, folder| introspection(provider, folder, OPAQUE, LONG));
    assert!(world.provider.server().introspect(APP, &token)["cnf"]["x5t#S256"].is_string());
    passes_with_its_certificate_only(&world, &identity, &token);
}

/// A gateway that asks about opaque tokens, and looks at proofs.
fn asking() -> World<OidcProvider> {
    World::<OidcProvider>::start(|provider, folder| {
        let mut asking = introspection(provider, folder, OPAQUE, LONG);
        asking["introspection"]["dpop"] = json!({});
        (asking, None)
    })
}

#[test]
fn an_opaque_token_that_is_bound_to_a_key_passes_with_a_fresh_proof_of_it_only() {
    let world = asking();
    let key = SigningKey::new("ES256", "client");
    let token = proven(&world.provider, &key, OPAQUE);
    let said = world.provider.server().introspect(APP, &token);
    assert!(said["token_type"] == "DPoP" && said["cnf"]["jkt"].is_string(), "{said}");
    passes_with_a_fresh_proof_only(&world, &key, &token);
}

#[test]
fn a_proof_makes_no_opaque_token_a_bound_one() {
    let world = asking();
    let token = world.provider.server().token(APP, &[], &client_credentials(OPAQUE)).access();
    let proof = format!("DPoP: {}", SigningKey::new("ES256", "client").proof("GET", URL, Some(&token)));
    let answer = world.gateway.send("GET", "/a/read", &[&format!("Authorization: DPoP {token}"), &proof], b"");
    assert_eq!((answer.status(), world.line(&answer)["reason"].as_str()), (401, Some("introspection.binding")));
    assert_eq!((world.status("/a/read", &token), world.upstream.count()), (200, 1));
}

#[test]
fn an_opaque_token_that_is_bound_to_a_key_is_refused_where_no_proof_is_looked_at() {
    let world = World::<OidcProvider>::start(|provider, folder| (introspection(provider, folder, OPAQUE, LONG), None));
    let key = SigningKey::new("ES256", "client");
    let token = proven(&world.provider, &key, OPAQUE);
    let proof = format!("DPoP: {}", key.proof("GET", URL, Some(&token)));
    for scheme in ["DPoP", "Bearer"] {
        let answer = world.gateway.send("GET", "/a/read", &[&format!("Authorization: {scheme} {token}"), &proof], b"");
        assert_eq!(answer.status(), 401, "{scheme}: {}", answer.text());
    }
    assert_eq!(world.upstream.count(), 0);
}
