//! Traps of the engine and of HTTP itself, each named after what once went wrong.

use std::time::{Duration, Instant};

use openssl::ssl::{SslSession, SslVersion};
use serde_json::json;
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, connector},
    client::Client,
    project::{artifact, open_api, operation},
    tollgate, until,
};

/// Two operations whose endpoint groups have the same address and differ in name.
fn two_groups(url: &str) -> serde_json::Value {
    let own = |name: &str| {
        let mut item = operation();
        item["x-wso2-production-endpoints"] = format!("#/x-wso2-endpoints/{name}").into();
        json!({ "get": item })
    };
    let mut definition = open_api("/", url, json!({ "/one": own("one"), "/two": own("two") }));
    definition["x-wso2-endpoints"] = json!([{ "one": { "urls": [url], "type": "http" } }, { "two": { "urls": [url], "type": "http" } }]);
    definition
}

#[test]
fn a_pooled_connection_is_never_used_with_another_client_certificate_of_the_same_serial() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let other_root = Authority::new("other root");
    let ca = authority.write(&folder, "ca.pem");
    let (one, one_key) = authority.issue("first-identity", 77, &[]).write(&folder, "one");
    let (two, two_key) = authority.issue("second-identity", 77, &[]).write(&folder, "two");
    drop(other_root);
    let server = authority.issue("up", 2, &["localhost"]);
    let upstream = Upstream::tls(server.acceptor_for_clients_of(&authority), |_| Reply::new(200, ""));
    let endpoints = json!({
        "one": { "client_certificate": { "certificate": one, "key": one_key } },
        "two": { "client_certificate": { "certificate": two, "key": two_key } },
    });
    let config = json!({ "upstream": { "ca": ca }, "endpoints": endpoints });
    let gateway = Gateway::serving(&two_groups(&upstream.https("localhost")), Settings::of(config));
    for path in ["/one", "/two", "/one", "/two"] {
        assert_eq!(gateway.get(path).status(), 200);
    }
    for received in upstream.requests() {
        let expected = if received.message.target() == "/one" { "first-identity" } else { "second-identity" };
        let client = received.client.unwrap();
        assert!(client.contains(expected), "{} went out as {client}", received.message.target());
    }
}

#[test]
fn a_pooled_connection_is_never_used_by_a_group_that_trusts_another_authority() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let right = authority.write(&folder, "right.pem");
    let wrong = Authority::new("root").write(&folder, "wrong.pem");
    let upstream = Upstream::tls(authority.issue("up", 2, &["localhost"]).acceptor(), |_| Reply::new(200, ""));
    let config = json!({ "endpoints": { "one": { "ca": right }, "two": { "ca": wrong } } });
    let gateway = Gateway::serving(&two_groups(&upstream.https("localhost")), Settings::of(config));
    for _ in 0..3 {
        assert_eq!(gateway.get("/one").status(), 200);
        assert_eq!(gateway.get("/two").status(), 502);
    }
    assert_eq!(upstream.count(), 3);
}

#[test]
fn a_pooled_connection_is_never_used_for_another_server_name() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let upstream = Upstream::tls(authority.issue("up", 2, &["right.example"]).acceptor(), |_| Reply::new(200, ""));
    let config = json!({ "upstream": { "ca": ca }, "endpoints": { "*": { "server_name": "right.example" }, "two": { "server_name": "wrong.example" } } });
    let gateway = Gateway::serving(&two_groups(&upstream.https("127.0.0.1")), Settings::of(config));
    for _ in 0..2 {
        assert_eq!(gateway.get("/one").status(), 200);
        assert_eq!(gateway.get("/two").status(), 502);
    }
}

#[test]
fn an_encrypted_upstream_by_address_needs_a_name_to_verify_and_is_verified_for_it() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let upstream = Upstream::tls(authority.issue("up", 2, &["up.example"]).acceptor(), |_| Reply::new(200, "by name"));
    let named = |name: &str| Settings::of(json!({ "upstream": { "ca": ca.clone() }, "endpoints": { "*": { "server_name": name } } }));
    assert_eq!(Gateway::over(&upstream.https("127.0.0.1"), named("up.example")).get("/").text(), "by name");
    assert_eq!(Gateway::over(&upstream.https("127.0.0.1"), named("other.example")).get("/").status(), 502);
    assert_eq!(upstream.count(), 1);
    let artifact = artifact(&folder, &open_api("/", &upstream.https("127.0.0.1"), json!({ "/a": { "get": operation() } })));
    let config = folder.write("gateway.yaml", json!({ "listeners": [{ "address": "127.0.0.1:0" }], "upstream": { "ca": ca } }).to_string());
    let refused = tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("server_name"), "{}", refused.stderr);
}

#[test]
fn bodies_over_64_kib_arrive_whole_in_both_directions_however_they_are_framed() {
    let upstream = Upstream::answering(|request| Reply::new(200, &request.body));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let body: Vec<u8> = (0..1_000_003u32).map(|i| (i % 251) as u8).collect();
    let answer = gateway.send("POST", "/x", &[], &body);
    assert!(answer.status() == 200 && answer.body == body, "{} bytes came back", answer.body.len());
    let mut chunked = b"POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(70_000) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut client = gateway.connect();
    // The upstream answers only after the whole body, so writing first cannot stand still.
    client.write(&chunked).unwrap();
    assert!(client.answer("POST").unwrap().body == body);
    assert!(upstream.requests().iter().all(|received| received.message.body == body));
}

/// Closes every connection after its first request, when the second arrives unanswered.
fn stale() -> Upstream {
    Upstream::answering(|request| match request.target() {
        "/hang-up" => Reply::raw("").close(),
        _ => Reply::new(200, "fine"),
    })
}

#[test]
fn the_retry_decision_is_always_made_so_a_broken_upstream_never_kills_a_worker() {
    let upstream = stale();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for round in 0..5 {
        assert_eq!(gateway.get("/warm").status(), 200, "round {round}");
        assert_eq!(gateway.send("POST", "/hang-up", &[], b"once").status(), 502, "round {round}");
    }
    let posts = upstream.requests().iter().filter(|received| received.message.target() == "/hang-up").count();
    assert_eq!(posts, 5, "a POST that may have been acted on was sent again");
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

#[test]
fn a_request_whose_kept_connection_was_closed_meanwhile_is_sent_once_more() {
    let upstream = Upstream::answering(|_| Reply::new(200, "fine").close());
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for _ in 0..20 {
        assert_eq!(gateway.get("/x").status(), 200);
    }
    assert_eq!(upstream.count(), 20);
}

#[test]
fn a_request_shorter_than_the_http2_preface_is_answered_at_once() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings { h2c: true, ..Settings::default() });
    let mut client = gateway.connect();
    let begun = Instant::now();
    client.write("OPTIONS / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(client.answer("OPTIONS").unwrap().status(), 200);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn half_an_http2_preface_does_not_hold_a_connection() {
    let upstream = Upstream::start();
    let config = json!({ "limits": { "header_time": "1s", "idle_time": "2s" } });
    let gateway = Gateway::over(&upstream.url(), Settings { h2c: true, config, ..Settings::default() });
    let mut client = Client::connect(gateway.ports.h2c);
    let begun = Instant::now();
    client.write("PRI * HTT").unwrap();
    assert!(client.rest().len() < 1000);
    assert!(begun.elapsed() < Duration::from_secs(8), "held for {:?}", begun.elapsed());
}

#[test]
fn a_tls_1_2_session_resumes_while_client_certificates_are_asked_for() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let upstream = Upstream::start();
    let tls = json!({ "certificate": certificate, "key": key, "client_auth": { "mode": "required", "ca": ca } });
    let gateway = Gateway::over(&upstream.url(), Settings { tls: Some(tls), ..Settings::default() });
    let client = authority.issue("client", 9, &[]);
    let connector = connector(&authority, Some(&client), b"", Some(SslVersion::TLS1_2));
    let mut session: Option<SslSession> = None;
    for round in 0..3 {
        let stream = std::net::TcpStream::connect(("127.0.0.1", gateway.ports.tls)).unwrap();
        let mut ssl = connector.configure().unwrap().into_ssl("localhost").unwrap();
        if let Some(session) = &session {
            set_session(&mut ssl, session);
        }
        let mut stream = openssl::ssl::SslStream::new(ssl, stream).unwrap();
        stream.connect().unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(stream.ssl().session_reused(), round > 0, "round {round}");
        std::io::Write::write_all(&mut stream, b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let head = tollgate_tests::message::head(&mut stream).unwrap().unwrap();
        assert_eq!(head.status(), 200, "round {round}");
        session = stream.ssl().session().map(|session| session.to_owned());
        // A session that ends without a goodbye is not resumed.
        let _ = stream.shutdown();
    }
}

#[allow(unsafe_code)]
fn set_session(ssl: &mut openssl::ssl::SslRef, session: &SslSession) {
    // SAFETY: the session was made by the context that this connection belongs to.
    unsafe { ssl.set_session(session).unwrap() }
}

#[test]
fn a_client_without_a_certificate_does_not_count_as_verified() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let upstream = Upstream::start();
    let tls = json!({ "certificate": certificate, "key": key, "client_auth": { "mode": "required", "ca": ca } });
    let gateway = Gateway::over(&upstream.url(), Settings { tls: Some(tls), ..Settings::default() });
    let stranger = Authority::new("stranger").issue("client", 9, &[]);
    for identity in [None, Some(&stranger)] {
        let answer = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, identity, b"", None))
            .and_then(|mut client| client.ask("GET", "/x", &[], b"").map_err(|error| error.to_string()));
        assert!(answer.is_err(), "{answer:?}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_truncated_answer_is_never_passed_on_as_whole() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/length" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").close(),
        _ => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n").close(),
    });
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for target in ["/length", "/chunked"] {
        let answer = gateway.connect().ask("POST", target, &[], b"x");
        assert!(answer.is_err() || answer.as_ref().unwrap().status() == 502, "{target} looked whole: {answer:?}");
    }
}

#[test]
fn an_upstream_that_says_two_lengths_is_not_believed() {
    let upstream = Upstream::answering(|_| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!").close());
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let answer = gateway.connect().ask("POST", "/x", &[], b"x");
    assert!(answer.as_ref().map_or(true, |answer| answer.status() == 502), "{answer:?}");
}

#[test]
fn a_header_that_drips_is_cut_off_after_its_total_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "limits": { "header_time": "1s" } })));
    let mut client = gateway.connect();
    client.patience(Duration::from_millis(100));
    client.write("GET /x HTTP/1.1\r\nX: ").unwrap();
    let begun = Instant::now();
    until("the drip to be cut off", || (client.write("a").is_err() || client.is_closed()).then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(4), "it dripped for {:?}", begun.elapsed());
    gateway.metric_reaches("tollgate_limits_total{limit=\"header_time\"}", 1.0);
    assert_eq!(upstream.count(), 0);
}

#[test]
fn two_lengths_and_a_listed_length_are_refused_and_the_connection_is_closed() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for fields in [
        "Content-Length: 4, 4\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: +4\r\n",
    ] {
        let mut client = gateway.connect();
        client.write(format!("POST /x HTTP/1.1\r\nHost: localhost\r\n{fields}\r\nbodyGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap();
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.starts_with("HTTP/1.1 400"), "{fields:?}: {rest}");
        assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {rest}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_length_together_with_a_coding_is_refused_and_the_connection_is_closed() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for fields in ["Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"] {
        let mut client = gateway.connect();
        client
            .write(format!("POST /x HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"))
            .unwrap();
        let rest = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(rest.starts_with("HTTP/1.1 400") && rest.matches("HTTP/1.1 ").count() == 1, "{fields:?}: {rest}");
    }
    assert_eq!(upstream.count(), 0, "{:?}", upstream.requests());
}

/// A gateway with a TLS listener that asks for client certificates.
fn asking(mode: &str, upstream: &Upstream, authority: &Authority, folder: &Folder) -> Gateway {
    let ca = authority.write(folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 2, &["localhost", "other.example"]).write(folder, "gateway");
    let tls = json!({ "certificate": certificate, "key": key, "client_auth": { "mode": mode, "ca": ca } });
    Gateway::over(&upstream.url(), Settings { tls: Some(tls), ..Settings::default() })
}

#[test]
fn where_client_certificates_count_the_host_must_be_the_one_of_the_handshake() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let gateway = asking("required", &upstream, &authority, &folder);
    let client = authority.issue("client", 9, &[]);
    let ask = |host: &str| {
        let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, Some(&client), b"", None)).unwrap();
        client.ask("GET", "/x", &[&format!("Host: {host}")], b"").unwrap().status()
    };
    assert_eq!((ask("localhost"), ask("other.example")), (200, 421));
    assert_eq!(upstream.count(), 1);
}

#[test]
fn an_optional_client_certificate_that_does_not_verify_is_none() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let gateway = asking("optional", &upstream, &authority, &folder);
    let stranger = Authority::new("root").issue("client", 9, &[]);
    for identity in [None, Some(&stranger)] {
        let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&authority, identity, b"", None)).unwrap();
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    }
}

#[test]
fn t13_a_trust_store_that_is_missing_or_empty_stops_the_start() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let artifact = artifact(&folder, &open_api("/", &upstream.url(), json!({ "/a": { "get": operation() } })));
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let other = authority.issue("other", 3, &[]).write(&folder, "other").1;
    let (missing, empty, garbage) =
        (folder.join("none.pem"), folder.write("empty.pem", ""), folder.write("garbage.pem", "-----BEGIN CERTIFICATE-----\nx\n"));
    let ca = authority.write(&folder, "ca.pem");
    let tls = |key: &std::path::Path, ca: &std::path::Path| json!({ "certificate": certificate, "key": key, "client_auth": { "mode": "optional", "ca": ca } });
    let judge = |tls: serde_json::Value, upstream: serde_json::Value| {
        let config = json!({ "listeners": [{ "address": "127.0.0.1:0", "tls": tls }], "upstream": upstream });
        let config = folder.write("gateway.yaml", config.to_string());
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    };
    judge(tls(&key, &ca), json!({})).ok();
    for broken in [&missing, &empty, &garbage] {
        assert_ne!(judge(tls(&key, broken), json!({})).code, 0, "client CA {}", broken.display());
        assert_ne!(judge(tls(&key, &ca), json!({ "ca": broken })).code, 0, "upstream CA {}", broken.display());
        assert_ne!(judge(tls(broken, &ca), json!({})).code, 0, "key {}", broken.display());
    }
    assert_ne!(judge(tls(&other, &ca), json!({})).code, 0, "a key of another certificate");
}

#[test]
fn the_body_of_a_refused_request_is_never_read_as_the_next_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::serving(
        &open_api("/a", &upstream.url(), json!({ "/x": { "get": operation(), "post": operation() } })),
        Settings::default(),
    );
    let inner = "GET /a/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for size in [inner.len(), 100_000] {
        for (method, target) in [("POST", "/none"), ("POST", "/a/none"), ("PUT", "/a/x"), ("POST", "/a/../../x")] {
            let body = inner.repeat(size.div_ceil(inner.len()));
            let mut client = gateway.connect();
            client.patience(Duration::from_secs(2));
            let _ = client.write(tollgate_tests::client::request(method, target, &[], body.as_bytes()));
            assert!(client.answer(method).unwrap().status() >= 400, "{method} {target}");
            // The connection goes on in step, or it is closed.
            if let Ok(next) = client.ask("GET", "/a/x", &[], b"") {
                assert_eq!((next.status(), next.text().as_str()), (200, "saw GET /x HTTP/1.1"), "{method} {target}");
            }
        }
    }
    assert!(upstream.requests().iter().all(|received| received.message.target() == "/x"), "{:?}", upstream.requests());
    assert!(gateway.log().iter().all(|line| line["path"] != "/a/smuggled"));
}

#[test]
fn a_request_whose_client_breaks_off_never_arrives_whole() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    for request in [
        "POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nonly this",
        "POST /chunked HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    ] {
        let before = upstream.connections();
        let mut client = gateway.connect();
        client.write(request).unwrap();
        until("the request to be on its way", || (upstream.connections() > before).then_some(()));
        drop(client);
    }
    gateway.log_of(2);
    assert!(upstream.requests().iter().all(|received| !received.whole), "{:?}", upstream.requests());
    assert_eq!(gateway.get("/x").status(), 200);
}

#[test]
fn a_client_of_http_1_0_gets_no_chunks() {
    let upstream = Upstream::answering(|_| Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let mut client = gateway.connect();
    client.write("GET /x HTTP/1.0\r\n\r\n").unwrap();
    let answer = String::from_utf8_lossy(&client.rest()).into_owned();
    assert!(answer.contains(" 200 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[test]
fn an_interim_answer_does_not_take_the_place_of_the_final_one() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    let upstream = Upstream::answering(move |_| Reply::raw([early, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal"].concat()));
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let mut client = gateway.connect();
    for _ in 0..3 {
        assert_eq!(client.ask("GET", "/x", &[], b"").unwrap().text(), "final");
    }
}
