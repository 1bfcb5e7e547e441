use tollgate_testkit::{Folder, forms::Form};

use super::*;
use crate::stores::test_server::{Reply, TestServer, local};

const SECOND: Duration = Duration::from_secs(1);

async fn get(server: &TestServer, path: &str) -> Result<Fetched, FetchError> {
    let target = parse_url(&server.url(path)).unwrap();
    Client::new(ServerTrust::System).get(&target, None, 5 * SECOND, 1000).await
}

#[tokio::test]
async fn a_body_comes_back_with_its_tag() {
    let server = TestServer::start(|_| Reply::status("200 OK", "etag: \"a\"\r\n", "hello")).await;
    let fetched = get(&server, "/keys?tenant=1").await.unwrap();
    assert_eq!(fetched, Fetched::New("hello".into(), Some(HeaderValue::from_static("\"a\""))));
    let request = server.requests().remove(0);
    assert!(request.starts_with("GET /keys?tenant=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
}

#[tokio::test]
async fn a_304_counts_only_when_it_was_asked_for() {
    let server = TestServer::start(|_| Reply::status("304 Not Modified", "", "")).await;
    assert!(matches!(get(&server, "/").await, Err(FetchError::Redirect(_))));
    let target = parse_url(&server.url("/")).unwrap();
    let known = HeaderValue::from_static("\"a\"");
    let again = Client::new(ServerTrust::System).get(&target, Some(&known), SECOND, 10).await.unwrap();
    assert_eq!(again, Fetched::Same);
    assert!(server.requests()[1].contains("if-none-match: \"a\"\r\n"));
}

#[tokio::test]
async fn nothing_but_200_is_a_document() {
    for status in ["500 Oh", "404 No", "204 Empty", "401 Who"] {
        let server = TestServer::start(move |_| Reply::status(status, "", "x")).await;
        let error = get(&server, "/").await.unwrap_err();
        assert!(matches!(error, FetchError::Status(_)) || error.to_string().contains("broken"), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TestServer::start(|_| Reply::ok("secret")).await;
    let location = format!("location: {}\r\n", elsewhere.url("/"));
    let server = TestServer::start(move |_| Reply::status("302 Found", &location, "")).await;
    assert!(matches!(get(&server, "/").await, Err(FetchError::Redirect(_))));
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn too_much_is_refused_whether_announced_or_streamed() {
    let announced = TestServer::start(|_| Reply::hanging("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n")).await;
    assert!(matches!(get(&announced, "/").await, Err(FetchError::Large(1000))));
    let streamed = TestServer::start(|_| {
        let chunk = format!("64\r\n{}\r\n", "x".repeat(100)).repeat(11);
        Reply::hanging(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"))
    })
    .await;
    assert!(matches!(get(&streamed, "/").await, Err(FetchError::Large(1000))));
}

#[tokio::test]
async fn a_cut_off_body_is_no_document() {
    let server = TestServer::start(|_| Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")).await;
    assert!(matches!(get(&server, "/").await, Err(FetchError::Http(_))));
}

#[tokio::test]
async fn the_deadline_covers_the_whole_exchange() {
    for part in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"] {
        let server = TestServer::start(move |_| Reply::hanging(part)).await;
        let target = parse_url(&server.url("/")).unwrap();
        let answer = Client::new(ServerTrust::System).get(&target, None, Duration::from_millis(100), 10).await;
        assert!(matches!(answer, Err(FetchError::Late(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn compression_that_was_not_asked_for_is_refused() {
    let server = TestServer::start(|_| Reply::status("200 OK", "content-encoding: gzip\r\n", "zzz")).await;
    assert!(matches!(get(&server, "/").await, Err(FetchError::Encoded)));
}

#[tokio::test]
async fn t16_the_certificate_must_be_trusted_and_name_the_host() {
    let folder = Folder::new();
    let identity = local();
    let ca = folder.write("ca.pem", identity.pem());
    let server = TestServer::start_tls(&identity, |_| Reply::ok("hello")).await;
    let ask = async |host: &str, trust: ServerTrust| {
        let target = parse_url(&format!("https://{host}:{}/", server.address.port())).unwrap();
        Client::new(trust).get(&target, None, 5 * SECOND, 100).await
    };
    assert_eq!(ask("localhost", ServerTrust::File(ca.clone())).await.unwrap(), Fetched::New("hello".into(), None));
    assert!(matches!(ask("127.0.0.1", ServerTrust::File(ca)).await, Err(FetchError::Tls(_))));

    let other = Folder::new();
    let stranger = other.write("ca.pem", local().pem());
    assert!(matches!(ask("localhost", ServerTrust::File(stranger)).await, Err(FetchError::Tls(_))));
    assert_eq!(server.requests().len(), 1);
}

/// RFC 9525 §2.
#[tokio::test]
async fn t16_the_subject_is_no_name_of_the_host() {
    let folder = Folder::new();
    let identity = Form::plain("localhost").self_signed();
    let ca = folder.write("ca.pem", identity.pem());
    let server = TestServer::start_tls(&identity, |_| Reply::ok("hello")).await;
    let target = parse_url(&format!("https://localhost:{}/", server.address.port())).unwrap();
    let found = Client::new(ServerTrust::File(ca)).get(&target, None, 5 * SECOND, 100).await;
    assert!(matches!(&found, Err(FetchError::Tls(why)) if why.contains("hostname mismatch")), "{found:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_url_must_be_absolute_http_and_without_user() {
    for url in ["", "/keys", "ftp://a/", "http://", "https://u:p@a/", "file:///etc/passwd", "http://:80/"] {
        let problem = parse_url(url).unwrap_err();
        assert!(!problem.message.contains("u:p"), "{problem}");
    }
    let target = parse_url("https://Keys.example:8443/a?token=secret").unwrap();
    assert_eq!(target.to_string(), "https://Keys.example:8443/a");
    assert_eq!(parse_url("http://[::1]:81/").unwrap().host, "::1");
}
