use tollgate_testkit::Folder;

use super::*;
use crate::stores::{
    SystemClock,
    test_server::{Reply, TestServer},
};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

const POLICY: DocumentPolicy =
    DocumentPolicy { refresh: Duration::from_secs(3600), least_gap: Duration::ZERO, timeout: Duration::from_secs(5), max_bytes: 1000 };

struct World_ {
    documents: Arc<Documents>,
    metrics: Metrics,
    _stop: oneshot::Sender<()>,
}

/// Documents with their background task.
fn running(folder: impl Into<PathBuf>) -> World_ {
    let metrics = Metrics::default();
    let documents = Arc::new(Documents::new(folder, ServerTrust::System, Arc::new(SystemClock), metrics.clone()));
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(documents.clone().run(async {
        let _ = stopped.await;
    }));
    World_ { documents, metrics, _stop: stop }
}

/// Waits for a condition, at most ten seconds.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "never: {what}");
}

fn text(document: &Arc<dyn Document>) -> String {
    document.version().map_or_else(String::new, |version| String::from_utf8_lossy(&version.bytes).into_owned())
}

#[test]
fn a_file_is_there_at_once_and_a_missing_one_is_a_problem_that_names_it() {
    let folder = Folder::new();
    std::fs::write(folder.join("keys.json"), "one").unwrap();
    let documents = Documents::new(folder.join(""), ServerTrust::System, Arc::new(SystemClock), Metrics::default());
    let document = documents.document(&Location::File("keys.json".into()), POLICY).unwrap();
    assert_eq!((document.number(), text(&document).as_str()), (1, "one"));
    assert!(document.confirmed().is_some() && documents.settled());
    let problem = documents.document(&Location::File("none.json".into()), POLICY).err().unwrap();
    assert!(problem.file.ends_with("none.json"), "{problem}");
}

#[test]
fn a_file_that_is_too_long_or_no_file_is_a_problem() {
    let folder = Folder::new();
    std::fs::write(folder.join("long"), vec![b'x'; 1001]).unwrap();
    let documents = Documents::new(folder.join(""), ServerTrust::System, Arc::new(SystemClock), Metrics::default());
    assert!(documents.document(&Location::File("long".into()), POLICY).is_err());
    assert!(documents.document(&Location::File("".into()), POLICY).is_err());
}

#[test]
fn asking_again_reads_a_changed_file_at_once_and_counts_only_changes() {
    let folder = Folder::new();
    let documents = Documents::new(folder.join(""), ServerTrust::System, Arc::new(SystemClock), Metrics::default());
    let location = Location::File("keys.json".into());
    let write = |content: &str| {
        std::fs::write(folder.join("new"), content).unwrap();
        std::fs::rename(folder.join("new"), folder.join("keys.json")).unwrap();
    };
    write("one");
    let document = documents.document(&location, POLICY).unwrap();
    write("two");
    documents.document(&location, POLICY).unwrap();
    assert_eq!((document.number(), text(&document).as_str()), (2, "two"));
    write("two");
    documents.document(&location, POLICY).unwrap();
    assert_eq!(document.number(), 2);
}

#[tokio::test]
async fn a_file_is_read_again_in_the_background_and_the_last_good_content_stays() {
    let folder = Folder::new();
    std::fs::write(folder.join("keys.json"), "one").unwrap();
    let world = running(folder.join(""));
    let policy = DocumentPolicy { refresh: Duration::from_millis(5), ..POLICY };
    let document = world.documents.document(&Location::File("keys.json".into()), policy).unwrap();
    std::fs::write(folder.join("keys.json"), "a longer one").unwrap();
    until("the new content", || text(&document) == "a longer one").await;
    std::fs::remove_file(folder.join("keys.json")).unwrap();
    let name = folder.join("keys.json").display().to_string();
    let failures = world.metrics.counter("document_fetch_failures_total", Some(("document", &name)));
    until("a failure", || failures.get() > 0).await;
    assert_eq!(text(&document), "a longer one");
}

#[tokio::test]
async fn a_url_is_fetched_in_the_background_and_settles() {
    let server = TestServer::start(|_| Reply::ok("keys")).await;
    let world = running("");
    let document = world.documents.document(&Location::Url(server.url("/")), POLICY).unwrap();
    until("the first fetch", || world.documents.settled()).await;
    assert_eq!((document.number(), text(&document).as_str()), (1, "keys"));
}

#[tokio::test]
async fn a_document_settles_also_when_its_source_is_gone() {
    let world = running("");
    let server = TestServer::start(|_| Reply::status("500 Oh", "", "")).await;
    let document = world.documents.document(&Location::Url(server.url("/")), POLICY).unwrap();
    until("the first fetch", || world.documents.settled()).await;
    assert_eq!(document.number(), 0);
    assert!(document.confirmed().is_none());
}

#[tokio::test]
async fn all_who_ask_share_one_fetch() {
    let open = Arc::new(AtomicBool::new(false));
    let server = TestServer::start(|_| Reply::ok("keys")).await;
    let world = running("");
    let document = world.documents.document(&Location::Url(server.url("/")), POLICY).unwrap();
    until("the first fetch", || document.number() == 1).await;
    let waiting: Vec<_> = (0..100).map(|_| document.refresh()).collect();
    for refresh in waiting {
        refresh.await;
        open.store(true, Ordering::Relaxed);
    }
    assert!(open.load(Ordering::Relaxed));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn nobody_gets_a_fetch_within_the_least_gap() {
    let server = TestServer::start(|_| Reply::ok("keys")).await;
    let world = running("");
    let policy = DocumentPolicy { least_gap: Duration::from_secs(600), ..POLICY };
    let document = world.documents.document(&Location::Url(server.url("/")), policy).unwrap();
    until("the first fetch", || document.number() == 1).await;
    for _ in 0..10 {
        document.refresh().await;
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_304_confirms_and_an_error_keeps_the_last_good_content() {
    let server = TestServer::start(|n| match n {
        0 => Reply::status("200 OK", "etag: \"a\"\r\n", "keys"),
        1 => Reply::status("304 Not Modified", "", ""),
        2 => Reply::status("500 Oh", "", "oops"),
        _ => Reply::ok("newer"),
    })
    .await;
    let world = running("");
    let document = world.documents.document(&Location::Url(server.url("/")), POLICY).unwrap();
    until("the first fetch", || document.number() == 1).await;
    let first = document.confirmed().unwrap();
    document.refresh().await;
    assert!(server.requests()[1].contains("if-none-match: \"a\""));
    let confirmed = document.confirmed().unwrap();
    assert!(confirmed > first && document.number() == 1);
    document.refresh().await;
    assert_eq!((document.number(), text(&document).as_str(), document.confirmed()), (1, "keys", Some(confirmed)));
    document.refresh().await;
    assert_eq!((document.number(), text(&document).as_str()), (2, "newer"));
    let name = server.url("/");
    let counted = |series| world.metrics.counter(series, Some(("document", &name))).get();
    assert_eq!((counted("document_fetches_total"), counted("document_fetch_failures_total")), (4, 1));
}

#[tokio::test]
async fn a_location_is_shared_and_ends_with_its_last_user() {
    let server = TestServer::start(|_| Reply::ok("keys")).await;
    let world = running("");
    let location = Location::Url(server.url("/"));
    let first = world.documents.document(&location, POLICY).unwrap();
    until("the first fetch", || first.number() == 1).await;
    let second = world.documents.document(&location, POLICY).unwrap();
    drop(first);
    assert_eq!(second.number(), 1);
    drop(second);
    assert!(world.documents.entries.live().is_empty());
    let again = world.documents.document(&location, POLICY).unwrap();
    until("a fetch of its own", || again.number() == 1).await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_refresh_without_background_ends_at_once() {
    let documents = Documents::new("", ServerTrust::System, Arc::new(SystemClock), Metrics::default());
    let document = documents.document(&Location::Url("http://127.0.0.1:9/".into()), POLICY).unwrap();
    document.refresh().await;
    assert!(!documents.settled());
}

#[test]
fn a_refresh_works_from_another_runtime() {
    let background = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (server, world, document) = background.block_on(async {
        let server = TestServer::start(|n| Reply::ok(&n.to_string())).await;
        let world = running("");
        let document = world.documents.document(&Location::Url(server.url("/")), POLICY).unwrap();
        until("the first fetch", || document.number() == 1).await;
        (server, world, document)
    });
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    other.block_on(document.refresh());
    assert_eq!((document.number(), server.requests().len()), (2, 2));
    drop(world);
}

#[tokio::test]
async fn every_series_is_explained() {
    let metrics = Metrics::default();
    let documents = Documents::new("", ServerTrust::System, Arc::new(SystemClock), metrics.clone());
    let _document = documents.document(&Location::Url("http://127.0.0.1:9/".into()), POLICY).unwrap();
    let _name = crate::stores::Resolver::new(Duration::from_secs(1), metrics.clone()).name("upstream.example", 80);
    let policy = RemotePolicy { timeout: Duration::from_secs(1), max_bytes: 1, ca: None };
    let _remote = documents.remote("http://127.0.0.1:9/", policy).unwrap();
    let mut written = std::collections::BTreeSet::new();
    metrics.read(|name, _, _, _| {
        written.insert(name);
    });
    let explained = crate::stores::METRICS.iter().map(|doc| doc.name).collect();
    assert_eq!(written, explained);
}
