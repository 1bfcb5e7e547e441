//! F1, F2, F13: who is at the other end of each connection.

use openssl::ssl::{SslConnector, SslMethod, SslVersion};
use serde_json::json;
use tollgate_tests::{
    Client, Upstream,
    certificates::{Authority, connector},
};

use super::world::{API, PAYMENTS, Plan, answered, bound_to, claims, definition, key_set};

/// A client that would take any version up to this one, also those that no library offers by itself any more.
fn old_client(authority: &Authority, version: SslVersion, suites: &str) -> SslConnector {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.cert_store_mut().add_cert(authority.0.certificate.clone()).unwrap();
    builder.set_cipher_list(&format!("{suites}:@SECLEVEL=0")).unwrap();
    builder.set_min_proto_version(None).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    builder.build()
}

#[test]
fn f01_every_endpoint_speaks_tls_1_2_or_later() {
    let authority = Authority::new("scheme");
    let mut acceptor = authority.issue("core", 3, &["localhost"]).acceptor_builder();
    acceptor.set_min_proto_version(None).unwrap();
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_1)).unwrap();
    acceptor.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    let old = Upstream::tls(acceptor.build(), |_| answered(200, "{}"));
    let mut plan = Plan::new();
    plan.authority = authority;
    plan.definitions = vec![("payments.yaml".to_owned(), definition(&[&old.https("localhost")]))];
    let world = plan.start();
    for (version, name, spoken) in [
        (SslVersion::TLS1, "TLSv1", false),
        (SslVersion::TLS1_1, "TLSv1.1", false),
        (SslVersion::TLS1_2, "TLSv1.2", true),
        (SslVersion::TLS1_3, "TLSv1.3", true),
    ] {
        match Client::tls(world.gateway.ports.tls, API, &old_client(&world.authority, version, "ALL")) {
            Ok(mut client) => {
                assert!(spoken, "{name}");
                let answer = client.ask("GET", &format!("{PAYMENTS}/p1"), &[&format!("Host: {API}")], b"").unwrap();
                assert_eq!(answer.status(), 401);
            }
            // It is the gateway that says no.
            Err(error) => assert!(!spoken && error.contains("alert protocol version"), "{name}: {error}"),
        }
    }
    // FAPI 1.0 Part 2 §8.5 permits no others than AES-GCM behind (EC)DHE with RSA.
    for (suite, spoken) in [("ECDHE-RSA-AES256-GCM-SHA384", true), ("ECDHE-RSA-CHACHA20-POLY1305", false), ("AES128-GCM-SHA256", false)] {
        let client = Client::tls(world.gateway.ports.tls, API, &old_client(&world.authority, SslVersion::TLS1_2, suite));
        assert_eq!(client.is_ok(), spoken, "{suite}");
    }
    let versions: Vec<_> = world.gateway.log_of(2).iter().map(|line| line["tls"].clone()).collect();
    assert_eq!(versions, ["TLSv1.2", "TLSv1.3"]);
    // Nor does it speak less to others.
    assert_eq!(world.status(&world.token(json!({}))), 502);
    assert_eq!(old.count(), 0);
}

#[test]
fn f02_upstreams_and_issuers_are_who_their_certificates_say() {
    let (authority, stranger) = (Authority::new("scheme"), Authority::new("scheme"));
    let serve = |authority: &Authority, name: &str, body: String| {
        Upstream::tls(authority.issue("server", 3, &[name]).acceptor(), move |_| answered(200, &body))
    };
    for (signed_by, name, good) in [(&authority, "localhost", true), (&authority, "other.example", false), (&stranger, "localhost", false)]
    {
        let mut plan = Plan::new();
        let upstream = serve(signed_by, name, "{}".to_owned());
        plan.definitions = vec![("payments.yaml".to_owned(), definition(&[&upstream.https("localhost")]))];
        plan.authority = authority.clone();
        let world = plan.start();
        assert_eq!(world.status(&world.token(json!({}))), if good { 200 } else { 502 }, "an upstream that is {name}");
        assert_eq!(upstream.count(), usize::from(good));
        // Keys that nobody vouches for are no keys: nobody can tell whether a token is good.
        let mut plan = Plan::new();
        let keys = serve(signed_by, name, key_set(&plan.keys));
        plan.authority = authority.clone();
        let place = format!("{}/jwks", keys.https("localhost"));
        let trust = "chain:\n  - jwt:";
        let plan = plan.change("certs/issuer.jwks.json", &place).change(trust, &format!("trust: {{ ca: certs/clients.pem }}\n{trust}"));
        let world = if good { plan.start() } else { plan.start_listening() };
        assert_eq!(world.status(&world.token(json!({}))), if good { 200 } else { 503 }, "an issuer that is {name}");
        assert_eq!(keys.count() > 0, good);
    }
}

#[test]
fn f13_who_the_company_is_says_its_certificate_and_no_header() {
    let world = Plan::new().start();
    let forged = [
        "X-TPP-Subject: CN=bank",
        "x_tpp_subject: CN=bank",
        "X-TPP-Certificate: :AAAA:",
        "X-TPP_Certificate: :AAAA:",
        "X-TPP-Client: bank",
        "X-WSO2-CLIENT-CERTIFICATE: AAAA",
        "Client-Cert: :AAAA:",
    ];
    let other = world.authority.issue("tpp-two", 10, &[]);
    for (number, company) in [&world.tpp, &other].into_iter().enumerate() {
        let token = world.token(json!({ "cnf": bound_to(company), "client_id": format!("client-{number}") }));
        let answer = super::world::ask(&mut world.connect_as(Some(company)), "GET", &format!("{PAYMENTS}/p1"), &token, &forged, b"");
        assert_eq!(answer.status(), 200);
        let received = &world.upstream.requests()[number].message;
        let der = openssl::base64::encode_block(&company.certificate.to_der().unwrap());
        let subject = format!("CN={}", ["tpp-one", "tpp-two"][number]);
        assert_eq!(received.all("x-tpp-certificate"), [format!(":{der}:")]);
        assert_eq!(received.all("x-tpp-subject"), [subject]);
        assert_eq!(received.all("x-tpp-client"), [format!("client-{number}")]);
        assert!(received.field("x_tpp_subject").is_none() && received.field("x-tpp_certificate").is_none());
    }
    // A certificate of somebody else's authority names nobody.
    let stranger = Authority::new("scheme").issue("tpp-one", 9, &["tpp.example"]);
    let mut client = Client::tls(world.gateway.ports.tls, API, &connector(&world.authority, Some(&stranger), b"", None)).unwrap();
    let token = world.issuer.seal(json!({ "typ": "at+jwt" }), &claims(json!({ "cnf": bound_to(&stranger) })));
    assert_eq!(super::world::ask(&mut client, "GET", &format!("{PAYMENTS}/p1"), &token, &[], b"").status(), 401);
    assert_eq!(world.upstream.count(), 2);
}
