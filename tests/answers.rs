//! Upstreams that answer what nobody should: the client gets one answer that it can read in one way, or is told that there is none.

use serde_json::json;
use tollgate_tests::{
    Gateway, Reply, Settings, Upstream,
    client::Client,
    h2::{H2, Outcome},
};

const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal";

/// A gateway over an upstream that answers every request with these bytes and hangs up.
fn over(bytes: impl AsRef<[u8]>) -> (Upstream, Gateway) {
    let bytes = bytes.as_ref().to_vec();
    let upstream = Upstream::answering(move |_| Reply::raw(&bytes).close());
    let settings = Settings { h2c: true, ..Settings::of(json!({ "upstream": { "read_timeout": "5s" } })) };
    let gateway = Gateway::over(&upstream.url(), settings);
    (upstream, gateway)
}

/// Everything that comes back for a request.
fn all(gateway: &Gateway, request: &str) -> String {
    let mut client = gateway.connect();
    client.write(request).unwrap();
    String::from_utf8_lossy(&client.rest()).to_ascii_lowercase()
}

/// The client reads no other status than those of the static table, of which 502 is none.
const BAD_GATEWAY: Outcome = Outcome::Answered(0);
const GET: &str = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn over_http2(gateway: &Gateway) -> Outcome {
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    client.get(1, "/x", &[]).unwrap();
    client.outcome(1)
}

#[test]
fn a_coding_that_nobody_knows_is_not_passed_on() {
    for coding in ["gzip, chunked", "xchunked", "identity", "chunked\r\nTransfer-Encoding: chunked"] {
        let (_upstream, gateway) = over(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        assert!(all(&gateway, GET).starts_with("http/1.1 502 "), "{coding}");
        assert_eq!(over_http2(&gateway), BAD_GATEWAY, "{coding}");
        assert!(gateway.log_of(2).iter().all(|line| line["status"] == 502), "{coding}");
    }
}

#[test]
fn the_protocol_is_changed_for_nobody_who_did_not_ask() {
    let (_upstream, gateway) = over("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert!(all(&gateway, GET).starts_with("http/1.1 502 "));
    assert_eq!(over_http2(&gateway), BAD_GATEWAY);
    assert!(gateway.log_of(2).iter().all(|line| line["reason"] == "upstream.broken"));
    let asked = "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    assert!(all(&gateway, asked).starts_with("http/1.1 101 "));
}

#[test]
fn fields_of_the_upstreams_connection_reach_no_client() {
    let fields = "Connection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nUpgrade: h2c";
    let (_upstream, gateway) = over(format!("HTTP/1.1 200 OK\r\n{fields}\r\nX-Other: 1\r\nContent-Length: 0\r\n\r\n"));
    let answer = all(&gateway, GET);
    assert!(answer.contains("x-other: 1\r\n"), "{answer}");
    for name in ["x-mine", "keep-alive", "proxy-connection", "\r\nte:", "upgrade"] {
        assert!(!answer.contains(name), "{name} in {answer}");
    }
}

#[test]
fn the_gateways_word_for_upstreams_does_not_come_back_with_an_interim_answer_either() {
    let leak = "X-JWT-Assertion: leak\r\nx_jwt_assertion: leak\r\n";
    let (_upstream, gateway) = over(format!(
        "HTTP/1.1 103 Early\r\nLink: <x>\r\nContent-Length: 5\r\n{leak}\r\nHTTP/1.1 200 OK\r\n{leak}Content-Length: 5\r\n\r\nfinal"
    ));
    let answer = all(&gateway, GET);
    assert!(answer.contains("103") && answer.ends_with("final") && !answer.contains("leak"), "{answer}");
    assert_eq!(answer.matches("content-length").count(), 1, "{answer}");
}

#[test]
fn a_client_of_http_1_0_gets_no_interim_answer() {
    for interim in ["100 Continue", "103 Early Hints"] {
        let (_upstream, gateway) = over(format!("HTTP/1.1 {interim}\r\n\r\n{FINAL}"));
        let answer = all(&gateway, "POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
        assert!(answer.starts_with("http/1.1 200 ") && answer.ends_with("final"), "{answer}");
    }
}

#[test]
fn a_client_that_got_an_interim_answer_is_told_when_no_other_comes() {
    let (_upstream, gateway) = over("HTTP/1.1 100 Continue\r\n\r\n");
    let answer = all(&gateway, "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert!(answer.contains("http/1.1 502 ") && answer.contains("upstream.broken"), "{answer}");
}

#[test]
fn what_has_no_body_has_no_length_and_a_length_is_one_number() {
    for (answer, length) in [
        ("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", None),
        ("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nfinal", Some("5")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nfinal", Some("5")),
    ] {
        let (_upstream, gateway) = over(answer);
        let got = gateway.get("/x");
        assert_eq!(got.all("content-length"), length.into_iter().collect::<Vec<_>>(), "{answer}");
        assert_eq!(got.field("transfer-encoding"), None, "{answer}");
    }
}

#[test]
fn the_version_of_an_answer_is_the_gateways_own() {
    let (_upstream, gateway) = over("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfinal");
    assert!(all(&gateway, GET).starts_with("http/1.1 200 "));
}
