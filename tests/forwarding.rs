//! What reaches an upstream, and what comes back.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, connector},
    client::Client,
    ledger,
    ports::free_port,
    project::{everything, open_api, operation},
    token::Issuer,
};

fn over(upstream: &Upstream) -> Gateway {
    Gateway::over(&upstream.url(), Settings::default())
}

#[test]
fn the_base_path_is_replaced_by_the_endpoints_path_and_the_queries_are_joined() {
    let upstream = Upstream::start();
    let gateway = Gateway::serving(&open_api("/shop/v1", &format!("{}/inner?key=1", upstream.url()), everything()), Settings::default());
    assert_eq!(gateway.get("/shop/v1/items/7?a=b%20c&a=d").status(), 200);
    assert_eq!(upstream.only().start, "GET /inner/items/7?key=1&a=b%20c&a=d HTTP/1.1");
}

#[test]
fn an_upstream_gets_its_own_host_and_nothing_hop_by_hop() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    let fields = [
        "Host: Shop.Example",
        "Connection: x-secret, keep-alive",
        "X-Secret: 1",
        "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Connection: x",
        "X-Kept: 2",
    ];
    assert_eq!(gateway.send("GET", "/a", &fields, b"").status(), 200);
    let request = upstream.only();
    assert_eq!(request.field("host"), Some(format!("127.0.0.1:{}", upstream.port).as_str()));
    assert_eq!(request.field("x-kept"), Some("2"));
    for gone in ["x-secret", "keep-alive", "te", "proxy-connection"] {
        assert_eq!(request.field(gone), None, "{gone} went on: {request:?}");
    }
    assert_eq!(request.field("x-forwarded-host"), Some("shop.example"));
}

#[test]
fn forwarding_fields_of_a_stranger_are_written_anew() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    let forged = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "X-JWT-Assertion: forged",
    ];
    assert_eq!(gateway.send("GET", "/a", &forged, b"").status(), 200);
    let request = upstream.only();
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(request.field("x-forwarded-host"), Some("localhost"));
    assert_eq!(request.field("x-real-ip"), None);
    assert_eq!(request.field("x-jwt-assertion"), None);
    assert!(!String::from_utf8_lossy(&request.head).contains("6.6.6.6"));
}

#[test]
fn a_trusted_proxys_forwarding_fields_are_continued() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "trusted_proxies": ["127.0.0.0/8"] })));
    assert_eq!(gateway.send("GET", "/a", &["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"], b"").status(), 200);
    let request = upstream.only();
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.7, 127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert_eq!(gateway.log_of(1)[0]["client"], "192.0.2.7");
}

#[test]
fn another_spelling_of_an_owned_field_is_refused() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    for field in ["X_Forwarded_For: 1.1.1.1", "x-jwt_assertion: a"] {
        assert_eq!(gateway.send("GET", "/a", &[field], b"").status(), 400, "{field}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn every_operation_has_its_own_endpoint_and_others_take_the_apis() {
    let (api, own) = (Upstream::named("api"), Upstream::named("own"));
    let mut special = operation();
    special["x-wso2-production-endpoints"] = json!({ "urls": [own.url()], "type": "http" });
    let definition = open_api("/pets", &api.url(), json!({ "/a": { "get": operation() }, "/b": { "get": special } }));
    let gateway = Gateway::serving(&definition, Settings::default());
    assert_eq!(gateway.get("/pets/a").text(), "api");
    assert_eq!(gateway.get("/pets/b").text(), "own");
}

#[test]
fn the_tokens_key_type_chooses_between_production_and_sandbox() {
    let (production, sandbox) = (Upstream::named("production"), Upstream::named("sandbox"));
    let issuer = Issuer::new("https://issuer.example");
    let folder = Folder::new();
    let key = issuer.write(&folder, "issuer.pem");
    let mut definition = open_api("/pets", &production.url(), json!({ "/a": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    definition["x-wso2-sandbox-endpoints"] = json!({ "urls": [sandbox.url()], "type": "http" });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }] })));
    let ask = |more: Value| gateway.send("GET", "/pets/a", &[&format!("Authorization: Bearer {}", issuer.token(more))], b"").text();
    assert_eq!(ask(json!({})), "production");
    assert_eq!(ask(json!({ "keytype": "PRODUCTION" })), "production");
    assert_eq!(ask(json!({ "keytype": "SANDBOX" })), "sandbox");
}

#[test]
fn a_load_balanced_group_takes_turns() {
    let upstreams = [Upstream::named("a"), Upstream::named("b"), Upstream::named("c")];
    let mut definition = open_api("/", "http://unused.invalid", everything());
    definition["x-wso2-production-endpoints"] =
        json!({ "urls": upstreams.iter().map(Upstream::url).collect::<Vec<_>>(), "type": "load_balance" });
    let gateway = Gateway::serving(&definition, Settings::default());
    for _ in 0..30 {
        assert_eq!(gateway.get("/x").status(), 200);
    }
    assert_eq!(upstreams.each_ref().map(Upstream::count), [10, 10, 10]);
}

fn failover(urls: &[String]) -> Value {
    let mut definition = open_api("/", "http://unused.invalid", everything());
    definition["x-wso2-production-endpoints"] = json!({ "urls": urls, "type": "failover" });
    definition
}

#[test]
fn a_failover_group_moves_on_when_a_target_cannot_be_reached_and_stays_there() {
    let second = Upstream::named("second");
    let gateway = Gateway::serving(&failover(&[format!("http://127.0.0.1:{}", free_port()), second.url()]), Settings::default());
    for _ in 0..5 {
        assert_eq!(gateway.send("POST", "/x", &[], &vec![b'x'; 200_000]).text(), "second");
    }
    assert!(second.requests().iter().all(|received| received.message.body.len() == 200_000));
    let mut attempts: Vec<u64> = gateway.log_of(5).iter().map(|line| line["attempts"].as_u64().unwrap()).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 1, 1, 1, 2]);
}

#[test]
fn a_failover_group_moves_on_at_503_for_what_may_be_repeated_and_never_for_the_rest() {
    let first = Upstream::answering(|_| Reply::new(503, "down"));
    let second = Upstream::named("second");
    let gateway = Gateway::serving(&failover(&[first.url(), second.url()]), Settings::default());
    assert_eq!(gateway.get("/x").text(), "second");
    assert_eq!((first.count(), second.count()), (1, 1));
    let fresh = Gateway::serving(&failover(&[first.url(), second.url()]), Settings::default());
    assert_eq!(fresh.send("POST", "/x", &[], b"pay").status(), 503);
    assert_eq!((first.count(), second.count()), (2, 1));
}

#[test]
fn a_group_of_which_nothing_can_be_reached_is_a_502_that_names_its_reason() {
    let gateway = Gateway::over(&format!("http://127.0.0.1:{}", free_port()), Settings::default());
    let answer = gateway.get("/x");
    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("upstream.connect"), "{}", answer.text());
}

#[test]
fn a_silent_upstream_is_a_504_in_time() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(8), "late"));
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "upstream": { "read_timeout": "500ms" } })));
    let begun = Instant::now();
    let answer = gateway.send("POST", "/x", &[], b"a");
    assert_eq!(answer.status(), 504);
    assert!(answer.text().contains("upstream.timeout"), "{}", answer.text());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_upgrade_becomes_a_tunnel_after_101_and_only_then() {
    let upstream = Upstream::answering(|request| {
        if request.target() == "/ws" {
            Reply::raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").echo()
        } else {
            Reply::new(400, "no")
        }
    });
    let gateway = over(&upstream);
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    let mut client = gateway.connect();
    let head = client.ask("GET", "/ws", &upgrade, b"").unwrap();
    assert_eq!(head.status(), 101);
    for word in ["ping", "pong"] {
        client.write(word).unwrap();
        let mut echo = [0; 4];
        std::io::Read::read_exact(&mut client.stream, &mut echo).unwrap();
        assert_eq!(echo, word.as_bytes());
    }
    let mut refused = gateway.connect();
    assert_eq!(refused.ask("GET", "/other", &upgrade, b"").unwrap().status(), 400);
    let _ = refused.write("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    refused.patience(Duration::from_millis(500));
    refused.rest();
    assert!(
        upstream
            .requests()
            .iter()
            .all(|received| received.message.target() != "/smuggled" || gateway.log().iter().any(|line| line["path"] == "/smuggled"))
    );
}

#[test]
fn server_sent_events_pass_one_by_one() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let event = |n: u8| format!("9\r\ndata: {n}\n\n\r\n");
    let upstream = Upstream::answering(move |_| {
        Reply::raw([head, &event(1)].concat()).then(Duration::from_secs(3), [&event(2), "0\r\n\r\n"].concat())
    });
    let gateway = over(&upstream);
    let mut client = gateway.connect();
    client.write("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(client.head().unwrap().field("content-type"), Some("text/event-stream"));
    let begun = Instant::now();
    let mut first = [0; 12];
    std::io::Read::read_exact(&mut client.stream, &mut first).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "the first event waited for the second");
    assert!(String::from_utf8_lossy(&first).contains("data: 1"));
}

#[test]
fn a_request_body_streams_to_the_upstream_before_it_is_whole() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::answering(|request| {
        SEEN.store(request.body.len(), Ordering::Relaxed);
        Reply::new(200, "")
    });
    let gateway = over(&upstream);
    let mut client = gateway.connect();
    client.write("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc").unwrap();
    tollgate_tests::until("the upstream connection", || (upstream.connections() > 0).then_some(()));
    client.write("def").unwrap();
    assert_eq!(client.answer("POST").unwrap().status(), 200);
    assert_eq!(SEEN.load(Ordering::Relaxed), 6);
}

#[test]
fn expect_100_continue_gets_its_100_and_the_body_arrives() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    let mut client = gateway.connect();
    client.write("POST /x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").unwrap();
    let interim = tollgate_tests::message::head(&mut client.stream).unwrap().unwrap();
    assert_eq!(interim.status(), 100);
    client.write("body").unwrap();
    assert_eq!(client.answer("POST").unwrap().status(), 200);
    assert_eq!(upstream.only().body, b"body");
}

#[test]
fn another_expectation_is_417() {
    let upstream = Upstream::start();
    assert_eq!(over(&upstream).send("GET", "/x", &["Expect: magic"], b"").status(), 417);
    assert_eq!(upstream.count(), 0);
}

#[test]
fn answers_without_a_body_and_to_head_keep_the_connection_in_step() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/204" => Reply::new(204, ""),
        "/304" => Reply::new(304, ""),
        _ if request.method() == "HEAD" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        _ => Reply::new(200, "hello"),
    });
    let gateway = over(&upstream);
    let mut client = gateway.connect();
    for (method, target, status) in
        [("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/x", 200), ("GET", "/x", 200), ("HEAD", "/x", 200), ("GET", "/204", 204)]
    {
        assert_eq!(client.ask(method, target, &[], b"").unwrap().status(), status, "{method} {target}");
    }
    ledger::compare(&gateway.log_of(6), &upstream);
}

#[test]
fn an_upstream_over_tls_is_verified_and_may_be_told_its_own_authority() {
    let (folder, authority) = (Folder::new(), Authority::new("upstream root"));
    let ca = authority.write(&folder, "ca.pem");
    let upstream = Upstream::tls(authority.issue("up", 2, &["localhost"]).acceptor(), |_| Reply::new(200, "secret"));
    let trusting = Gateway::over(&upstream.https("localhost"), Settings::of(json!({ "upstream": { "ca": ca } })));
    assert_eq!(trusting.get("/x").text(), "secret");
    let strict = Gateway::over(&upstream.https("localhost"), Settings::default());
    assert_eq!(strict.get("/x").status(), 502);
    assert_eq!(upstream.count(), 1);
}

#[test]
fn the_gateway_shows_its_own_certificate_to_upstreams_that_ask() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 3, &[]).write(&folder, "gateway");
    let server = authority.issue("up", 2, &["localhost"]);
    let upstream = Upstream::tls(server.acceptor_for_clients_of(&authority), |_| Reply::new(200, "known"));
    let config = json!({ "upstream": { "ca": ca, "client_certificate": { "certificate": certificate, "key": key } } });
    assert_eq!(Gateway::over(&upstream.https("localhost"), Settings::of(config)).get("/x").text(), "known");
    assert!(upstream.requests()[0].client.as_deref().unwrap().contains("gateway"));
    let without = Gateway::over(&upstream.https("localhost"), Settings::of(json!({ "upstream": { "ca": ca } })));
    assert_eq!(without.get("/x").status(), 502);
}

#[test]
fn a_tls_listener_serves_and_tells_the_upstream_so() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let upstream = Upstream::start();
    let settings = Settings { tls: Some(json!({ "certificate": certificate, "key": key })), ..Settings::default() };
    let gateway = Gateway::over(&upstream.url(), settings);
    let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, None, b"", None)).unwrap();
    assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    assert_eq!(upstream.only().field("x-forwarded-proto"), Some("https"));
    assert_eq!(gateway.log_of(1)[0]["tls"], "TLSv1.3");
}

#[test]
fn the_request_id_is_one_for_client_upstream_and_log() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    gateway.send("GET", "/x", &["X-Request-Id: forged"], b"");
    let refused = gateway.send("BREW", "/x", &[], b"");
    let log = gateway.log_of(2);
    let logged = |method: &str| log.iter().find(|line| line["method"] == method).unwrap()["request_id"].as_str().unwrap();
    assert_eq!(upstream.only().field("x-request-id"), Some(logged("GET")));
    assert_eq!(refused.field("x-request-id"), Some(logged("BREW")));
}

#[test]
fn a_connection_field_cannot_take_away_what_the_gateway_wrote_or_checked() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    for field in ["x-forwarded-for", "x-forwarded-proto", "x-request-id", "host", "content-length"] {
        let before = upstream.count();
        let answer = gateway.send("POST", "/x", &[&format!("Connection: {field}")], b"body");
        if answer.status() == 200 {
            let request = &upstream.requests()[before].message;
            assert!(request.field(field).is_some(), "Connection took {field} away: {request:?}");
            assert_eq!(request.body, b"body");
        } else {
            assert_eq!(answer.status(), 400, "{field}");
            assert!(answer.text().contains("request.field"), "{field}");
            assert_eq!(upstream.count(), before, "{field}");
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_wish_to_change_the_protocol_that_the_connection_does_not_carry_is_none() {
    let upstream = Upstream::start();
    let gateway = over(&upstream);
    for (connection, upgrade) in [("close", None), ("x-upgrade", None), ("Upgrade", Some("websocket"))] {
        upstream.forget();
        gateway.send("GET", "/x", &["Upgrade: websocket", &format!("Connection: {connection}")], b"");
        assert_eq!(upstream.only().field("upgrade"), upgrade, "{connection}");
    }
}

#[test]
fn the_clients_host_is_kept_where_that_is_wanted() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "upstream": { "preserve_host": true } })));
    assert_eq!(gateway.send("GET", "/x", &["Host: Shop.Example:8080"], b"").status(), 200);
    assert_eq!(upstream.only().field("host"), Some("shop.example:8080"));
}

#[test]
fn an_upstream_gets_basic_credentials_whose_password_is_not_in_the_definition() {
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let password = folder.write("password", "open sesame");
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-production-endpoints"]["securityConfig"] = json!({ "type": "basic", "username": "gateway" });
    let settings = Settings::of(json!({ "endpoints": { "*": { "basic": { "password": format!("${{file:{}}}", password.display()) } } } }));
    let gateway = Gateway::serving(&definition, settings);
    assert_eq!(gateway.send("GET", "/a/x", &["Authorization: Basic Zm9yZ2Vk"], b"").status(), 200);
    // `gateway:open sesame` in base64.
    assert_eq!(upstream.only().field("authorization"), Some("Basic Z2F0ZXdheTpvcGVuIHNlc2FtZQ=="));
}

#[test]
fn headers_are_set_from_facts_in_both_directions() {
    let upstream = Upstream::answering(|_| Reply::with(200, &["Server: secret/1.0"], "ok"));
    let (folder, issuer) = (Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&folder, "issuer.pem");
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let headers = json!({ "request": { "set": { "x-user": "${principal.subject}" } }, "response": { "remove": ["server"], "set": { "x-served-by": "tollgate" } } });
    let chain = json!([{ "jwt": { "issuers": [issuer.config(&key)] } }, { "headers": headers }]);
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": chain })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    let answer = gateway.send("GET", "/a/x", &[&token, "X-User: root", "Connection: x-user"], b"");
    assert_eq!((answer.status(), answer.field("server"), answer.field("x-served-by")), (200, None, Some("tollgate")));
    assert_eq!(upstream.only().field("x-user"), Some("alice"));
}

#[test]
fn one_of_several_issuers_is_enough() {
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let issuers = ["https://one.example", "https://two.example"].map(Issuer::new);
    let keys = [issuers[0].write(&folder, "one.pem"), issuers[1].write(&folder, "two.pem")];
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let list = [issuers[0].config(&keys[0]), issuers[1].config(&keys[1])];
    let gateway = Gateway::serving(
        &definition,
        Settings::of(json!({ "chain": [{ "authenticate": { "any_of": [{ "jwt": { "issuers": list } }] } }] })),
    );
    for issuer in &issuers {
        assert_eq!(gateway.send("GET", "/a/x", &[&format!("Authorization: Bearer {}", issuer.token(json!({})))], b"").status(), 200);
    }
    // The keys of one issuer are no keys of the other.
    let crossed = issuers[0].token(json!({ "iss": "https://two.example" }));
    assert_eq!(gateway.send("GET", "/a/x", &[&format!("Authorization: Bearer {crossed}")], b"").status(), 401);
    assert_eq!(gateway.get("/a/x").status(), 401);
}
