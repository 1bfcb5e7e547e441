use std::time::Duration;

use tollgate_testkit::Folder;

use super::*;
use crate::stores::{
    Documents, ServerTrust, SystemClock,
    test_server::{KeepAlive, Reply, TestServer, local},
};
use hyper::Method;
use tollgate_filter_api::World;

const POLICY: RemotePolicy = RemotePolicy { timeout: Duration::from_secs(5), max_bytes: 1000, ca: None };

fn question(body: &str) -> RemoteRequest {
    let headers = vec![(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))];
    RemoteRequest { method: Method::POST, target: None, headers, body: Bytes::from(body.to_owned()) }
}

struct Asker {
    documents: Documents,
    metrics: Metrics,
}

impl Asker {
    fn new() -> Self {
        let metrics = Metrics::default();
        Self { documents: Documents::new("", ServerTrust::System, Arc::new(SystemClock), metrics.clone()), metrics }
    }

    fn remote(&self, url: &str, policy: RemotePolicy) -> Arc<dyn Remote> {
        self.documents.remote(url, policy).unwrap()
    }

    fn value(&self, series: &str) -> f64 {
        let mut found = 0.0;
        self.metrics.read(|name, _, value, _| {
            if name == series {
                found += value
            }
        });
        found
    }
}

#[tokio::test]
async fn a_question_goes_out_whole_and_any_status_is_an_answer() {
    let server = TestServer::start(|_| Reply::status("401 No", "content-type: application/json\r\n", "{}")).await;
    let answer = Asker::new().remote(&server.url("/introspect?x=1"), POLICY).call(question("token=a")).await.unwrap();
    assert_eq!((answer.status, answer.content_type(), &answer.body[..]), (401, Some("application/json"), &b"{}"[..]));
    let seen = server.requests().remove(0);
    assert!(seen.starts_with("POST /introspect?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {}\r\n", server.address)) && seen.contains("content-length: 7\r\n"), "{seen}");
}

#[tokio::test]
async fn a_question_may_have_a_target_of_its_own_and_the_fields_of_its_answer_are_seen() {
    let server = TestServer::start(|_| Reply::status("200 OK", "x-user: ada\r\n", "")).await;
    let remote = Asker::new().remote(&server.url("/introspect?x=1"), POLICY);
    let asked = RemoteRequest { target: Some("/check/a?b=1".parse().unwrap()), ..question("") };
    let answer = remote.call(asked).await.unwrap();
    assert_eq!(answer.fields["x-user"], "ada");
    let seen = server.requests().remove(0);
    assert!(seen.starts_with("POST /check/a?b=1 HTTP/1.1\r\n"), "{seen}");
}

#[tokio::test]
async fn an_answer_with_two_media_types_has_none() {
    let two = "content-type: application/json\r\ncontent-type: text/html\r\n";
    let server = TestServer::start(move |_| Reply::status("200 OK", two, "{}")).await;
    let answer = Asker::new().remote(&server.url("/introspect"), POLICY).call(question("a")).await.unwrap();
    assert_eq!(answer.content_type(), None);
    assert!(answer.json().is_err());
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let server = KeepAlive::start(usize::MAX).await;
    let remote = Asker::new().remote(&server.url(), POLICY);
    for _ in 0..5 {
        assert_eq!(remote.call(question("a")).await.unwrap().status, 200);
    }
    assert_eq!((server.connections(), server.requests()), (1, 5));
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_costs_nobody_an_answer() {
    let server = KeepAlive::start(2).await;
    let remote = Asker::new().remote(&server.url(), POLICY);
    for _ in 0..7 {
        assert_eq!(remote.call(question("a")).await.unwrap().status, 200);
    }
    assert_eq!((server.connections(), server.requests()), (4, 7));
}

#[tokio::test]
async fn the_deadline_covers_everything_and_too_much_is_refused() {
    let server = TestServer::start(|_| Reply::hanging("HTTP/1.1 200 OK\r\n")).await;
    let policy = RemotePolicy { timeout: Duration::from_millis(100), ..POLICY };
    let error = Asker::new().remote(&server.url("/"), policy).call(question("")).await.unwrap_err();
    assert!(error.0.contains("within 100ms"), "{error}");
    let server = TestServer::start(|_| Reply::ok(&"x".repeat(1001))).await;
    let error = Asker::new().remote(&server.url("/"), POLICY).call(question("")).await.unwrap_err();
    assert!(error.0.contains("1000 bytes"), "{error}");
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone_and_the_gauge_says_so() {
    let server = TestServer::start(|_| Reply::status("503 Down", "", "")).await;
    let asker = Asker::new();
    let remote = asker.remote(&server.url("/"), POLICY);
    for _ in 0..5 {
        assert_eq!(remote.call(question("")).await.unwrap().status, 503);
    }
    for _ in 0..20 {
        let error = remote.call(question("")).await.unwrap_err();
        assert!(error.0.contains("left alone"), "{error}");
    }
    assert_eq!(server.requests().len(), 5);
    assert_eq!((asker.value("remote_open"), asker.value("remote_calls_total"), asker.value("remote_failures_total")), (1.0, 5.0, 5.0));
}

#[tokio::test]
async fn t16_a_name_and_a_certificate_must_fit_and_the_policy_says_whom_to_trust() {
    let folder = Folder::new();
    let identity = local();
    let ca = folder.write("ca.pem", identity.pem());
    let server = TestServer::start_tls(&identity, |_| Reply::ok("{}")).await;
    let asker = Asker::new();
    let ask = async |host: &str, ca: &std::path::Path| {
        let policy = RemotePolicy { ca: Some(ca.to_owned()), ..POLICY };
        asker.remote(&format!("https://{host}:{}/", server.address.port()), policy).call(question("")).await
    };
    assert_eq!(ask("localhost", &ca).await.unwrap().status, 200);
    assert!(ask("127.0.0.1", &ca).await.unwrap_err().0.contains("certificate"));
    let other = Folder::new();
    let stranger = other.write("ca.pem", local().pem());
    assert!(ask("localhost", &stranger).await.unwrap_err().0.contains("certificate"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_same_server_is_shared_until_its_file_of_certificates_changes() {
    let folder = Folder::new();
    let ca = folder.write("ca.pem", local().pem());
    let asker = Asker::new();
    let policy = RemotePolicy { ca: Some(ca), ..POLICY };
    let first = asker.remote("https://localhost:1/", policy.clone());
    assert!(Arc::ptr_eq(&first, &asker.remote("https://localhost:1/", policy.clone())));
    folder.write("ca.pem", local().pem());
    assert!(!Arc::ptr_eq(&first, &asker.remote("https://localhost:1/", policy)));
}

#[test]
fn a_file_without_certificates_and_a_url_that_is_none_are_problems() {
    let asker = Asker::new();
    let policy = RemotePolicy { ca: Some("/no/such/file.pem".into()), ..POLICY };
    assert!(asker.documents.remote("https://localhost/", policy).is_err());
    assert!(asker.documents.remote("localhost/introspect", POLICY).is_err());
}
