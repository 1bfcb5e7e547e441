use super::*;
use crate::stores::{
    Documents, ServerTrust, SystemClock,
    test_server::{KeepAlive, Reply, TestServer},
};
use tollgate_filter_api::{RemoteFuture, RemotePolicy, RemoteResponse, World};

struct Sending {
    outgoing: Arc<Outgoing>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Sending {
    /// A queue that nobody empties yet.
    fn queue(room: usize) -> Self {
        Self { outgoing: Arc::new(Outgoing::new(room, &Metrics::default())), task: None }
    }

    fn post_to(&mut self, url: &str, timeout: Duration) {
        let documents = Documents::new("", ServerTrust::System, Arc::new(SystemClock), Metrics::default());
        let remote = documents.remote(url, RemotePolicy { timeout, max_bytes: LONGEST_ANSWER, ca: None }).unwrap();
        self.post_by(remote);
    }

    fn post_by(&mut self, remote: Arc<dyn Remote>) {
        let credentials = Some((http::header::AUTHORIZATION, HeaderValue::from_static("Basic YTpi")));
        self.task = Some(tokio::spawn(Publisher { outgoing: self.outgoing.clone(), remote, credentials }.run()));
    }

    fn put(&self, count: usize) {
        let entrance = Entrance(self.outgoing.clone());
        (0..count).for_each(|number| entrance.put(format!("{{\"event\":{number}}}").into_bytes()));
    }

    async fn is_over(&self) {
        let over = async {
            while !self.outgoing.is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("all events to be over");
    }

    /// Events, and those that were lost.
    fn counted(&self) -> (u64, u64) {
        (self.outgoing.events.get(), self.outgoing.lost.get())
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.task.iter().for_each(|task| task.abort());
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn each_event_is_posted_on_connections_that_are_kept() {
    let server = KeepAlive::start(usize::MAX).await;
    let mut sending = Sending::queue(1000);
    sending.put(500);
    sending.post_to(&server.url(), PATIENCE);
    sending.is_over().await;
    assert_eq!((server.requests(), sending.counted()), (500, (500, 0)));
    assert!(server.connections() <= IN_FLIGHT, "{} connections", server.connections());
}

#[tokio::test]
async fn an_event_goes_out_as_json_with_the_credentials() {
    let server = TestServer::start(|_| Reply::status("202 Accepted", "", "")).await;
    let mut sending = Sending::queue(1);
    sending.put(1);
    sending.post_to(&server.url("/endpoints/throttleEventReceiver"), PATIENCE);
    sending.is_over().await;
    let seen = server.requests().remove(0);
    assert!(seen.starts_with("POST /endpoints/throttleEventReceiver HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: Basic YTpi\r\n") && seen.contains("content-type: application/json\r\n"), "{seen}");
    assert_eq!(sending.counted(), (1, 0));
}

#[tokio::test]
async fn what_finds_no_room_is_lost_and_counted_and_so_is_what_is_too_long() {
    let server = KeepAlive::start(usize::MAX).await;
    let mut sending = Sending::queue(7);
    sending.put(10);
    Entrance(sending.outgoing.clone()).put(vec![b' '; LONGEST_EVENT + 1]);
    assert_eq!((sending.counted(), sending.outgoing.waiting()), ((11, 4), 7));
    sending.post_to(&server.url(), PATIENCE);
    sending.is_over().await;
    assert_eq!((server.requests(), sending.counted()), (7, (11, 4)));
}

#[tokio::test]
async fn long_events_take_the_room_of_several() {
    let taking = Arc::new(Taking::default());
    let mut sending = Sending::queue(100);
    let entrance = Entrance(sending.outgoing.clone());
    (0..10).for_each(|_| entrance.put(vec![b' '; LONGEST_EVENT]));
    assert_eq!((sending.counted(), sending.outgoing.waiting()), ((10, 4), 6));
    sending.put(2);
    assert_eq!(sending.counted(), (12, 4));
    sending.post_by(taking.clone());
    sending.is_over().await;
    (0..6).for_each(|_| entrance.put(vec![b' '; LONGEST_EVENT]));
    sending.is_over().await;
    assert_eq!((taking.0.load(Ordering::SeqCst), sending.counted()), (14, (18, 4)));
}

/// Takes every event.
#[derive(Default)]
struct Taking(AtomicUsize);

impl Remote for Taking {
    fn call(&self, _: RemoteRequest) -> RemoteFuture {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(RemoteResponse { status: 200, fields: http::HeaderMap::new(), body: Bytes::new() }) })
    }
}

#[tokio::test]
async fn what_a_server_does_not_take_is_lost_and_what_it_takes_later_is_not() {
    let server = TestServer::start(|number| if number < 3 { Reply::status("401 No", "", "") } else { Reply::ok("") }).await;
    let mut sending = Sending::queue(100);
    sending.put(20);
    sending.post_to(&server.url("/"), PATIENCE);
    sending.is_over().await;
    assert_eq!((server.requests().len(), sending.counted()), (20, (20, 3)));
}

#[tokio::test]
async fn a_server_that_says_nothing_or_is_not_there_loses_exactly_what_it_was_sent() {
    let silent = TestServer::start(|_| Reply::hanging("")).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [silent.url("/"), format!("http://{gone}/")] {
        let mut sending = Sending::queue(100);
        sending.put(40);
        sending.post_to(&url, Duration::from_millis(50));
        sending.is_over().await;
        assert_eq!(sending.counted(), (40, 40), "{url}");
    }
}

#[tokio::test]
async fn an_event_whose_task_fails_is_lost() {
    struct Failing;
    impl Remote for Failing {
        fn call(&self, _: RemoteRequest) -> RemoteFuture {
            Box::pin(async { panic!("a fault of ours") })
        }
    }
    let mut sending = Sending::queue(100);
    sending.put(5);
    sending.post_by(Arc::new(Failing));
    sending.is_over().await;
    assert_eq!(sending.counted(), (5, 5));
}
