use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    task::JoinHandle,
};
use tollgate_filter_api::Secret;

use super::*;
use crate::testing::{
    Call, Connection, Fake, Recorded, Recorder, deleted, frame, header, page,
    proto::{AuthenticateRequest, AuthenticateResponse, RangeRequest, RangeResponse, WatchResponse},
    put, status, word,
};

struct Running {
    recorder: Arc<Recorder>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Problem>>,
}

impl Running {
    fn start(settings: Settings) -> Self {
        Self::with(settings, Recorder::new())
    }

    fn with(settings: Settings, recorder: Arc<Recorder>) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = run(settings, recorder.clone(), async {
            let _ = stopped.await;
        });
        Self { recorder, stop, task: tokio::spawn(run) }
    }

    async fn stop(self) -> Vec<Recorded> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
        self.recorder.all()
    }
}

/// What is said when the first listing is answered like this.
async fn cause(answer: impl Fn(Call)) -> String {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut connection = fake.accept().await;
    let asked = async {
        while let Some(mut call) = connection.call().await {
            connection.during(call.read::<RangeRequest>()).await;
            answer(call);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = running.recorder.until("a cause", |recorder| !recorder.causes().is_empty()) => {}
        () = asked => {}
    }
    running.stop().await.iter().find_map(|recorded| if let Recorded::Lost(cause) = recorded { Some(cause.clone()) } else { None }).unwrap()
}

fn raw(body: &'static [u8], end: Option<&'static str>) -> impl Fn(Call) {
    move |call| {
        let mut out = call.begin();
        out.send_data(Bytes::from_static(body), end.is_none()).unwrap();
        if let Some(code) = end {
            out.send_trailers(status(code, "")).unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_of_etcd_is_named_and_survived() {
    let head = |code: u16, kind: &'static str| {
        move |mut call: Call| {
            let head = Response::builder().status(code).header("content-type", kind).body(()).unwrap();
            call.respond.send_response(head, true).unwrap();
        }
    };
    let says = |message: RangeResponse| move |call: Call| call.answer(&message);
    let stranger = || {
        let mut page = page(&[("a", "")], 5, false);
        page.kvs[0].key = b"/s/a".to_vec();
        page
    };
    assert!(cause(head(503, "application/grpc")).await.contains("HTTP status 503"));
    assert!(cause(head(200, "text/html")).await.contains("not gRPC"));
    assert!(
        cause(|call| call.refuse("7", "etcdserver: permission denied"))
            .await
            .ends_with("etcd says: etcdserver: permission denied, about `/revoked/`")
    );
    assert!(cause(|call| call.refuse("13", "")).await.contains("gRPC status 13"));
    assert!(cause(raw(&[1, 0, 0, 0, 0], Some("0"))).await.contains("compressed"));
    assert!(cause(raw(&[0, 0xff, 0xff, 0xff, 0xff], Some("0"))).await.contains("longer than"));
    assert!(cause(raw(&[0, 0, 0, 0, 9, 1, 2], Some("0"))).await.contains("Missing response message"));
    assert!(cause(raw(&[0, 0, 0, 0, 0], None)).await.contains("missing grpc-status"));
    assert!(cause(raw(&[0, 0, 0, 0, 2, 0xff, 0xff], Some("0"))).await.contains("failed to decode"));
    assert!(cause(raw(&[], Some("0"))).await.contains("Missing response message"));
    // tonic reads the first of two answers, and throws the other away.
    assert!(cause(raw(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Some("0"))).await.contains("without a header"));
    assert!(cause(raw(&[0, 0, 0, 0, 0], Some("0"))).await.contains("without a header"));
    assert!(cause(says(stranger())).await.contains("not asked for"));
    assert!(cause(says(page(&[], 5, true))).await.contains("without keys"));
    assert!(cause(says(page(&[("b", "")], 5, true))).await.contains("out of order"));
}

#[tokio::test]
async fn details_of_a_refusal_that_cannot_be_read_are_survived() {
    let recorded = |fields: &mut HeaderMap| {
        fields.extend(status("9", "no%20leader"));
        fields.insert("grpc-status-details-bin", HeaderValue::from_static("no base64!"));
    };
    let in_head = move |mut call: Call| {
        let mut head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        recorded(head.headers_mut());
        call.respond.send_response(head, true).unwrap();
    };
    let in_trailers = move |call: Call| {
        let (mut out, mut trailers) = (call.begin(), HeaderMap::new());
        recorded(&mut trailers);
        out.send_trailers(trailers).unwrap();
    };
    assert!(cause(in_head).await.contains("etcd says: no leader"));
    assert!(cause(in_trailers).await.contains("etcd says: no leader"));
}

#[tokio::test]
async fn a_connection_ends_with_the_mirror_also_when_the_server_takes_no_question() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut raw = fake.accept_raw().await;
    // SETTINGS: INITIAL_WINDOW_SIZE is 0.
    raw.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]).await.unwrap();
    let mut preface = [0; 24];
    raw.read_exact(&mut preface).await.unwrap();
    let (mut head, mut acknowledged, mut asked) = ([0; 9], false, false);
    while !(acknowledged && asked) {
        raw.read_exact(&mut head).await.unwrap();
        (acknowledged, asked) = (acknowledged || head[3..5] == [4, 1], asked || head[3] == 1);
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        raw.read_exact(&mut payload).await.unwrap();
    }
    running.stop().await;
    let ended = tokio::time::timeout(Duration::from_secs(5), raw.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "the connection is still there");
}

#[tokio::test]
async fn bytes_that_are_no_http_2_are_named_and_survived() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut raw = fake.accept_raw().await;
    raw.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    running.recorder.until("a cause", |recorder| !recorder.causes().is_empty()).await;
    drop(raw);
    let mut next = fake.accept().await;
    let (_, _watch) = next.listed(&[], 3).await;
    next.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(3, false)) == 1)).await;
    assert!(
        running.stop().await.iter().any(|recorded| matches!(recorded, Recorded::Lost(cause) if cause.contains("the connection broke")))
    );
}

#[tokio::test]
async fn a_listing_is_read_in_pages_at_one_revision_and_the_watch_goes_on_from_there() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut connection = fake.accept().await;
    let (first, call) = connection.question::<RangeRequest>().await;
    assert_eq!((first.key.as_slice(), first.range_end.as_slice(), first.revision), (&b"/revoked/"[..], &b"/revoked0"[..], 0));
    call.answer(&page(&[("a", "1"), ("b", "")], 5, true));
    let (second, call) = connection.question::<RangeRequest>().await;
    assert_eq!((second.key.as_slice(), second.revision), (&b"/revoked/b\0"[..], 5));
    call.answer(&page(&[("c", "")], 9, false));
    let (request, mut watch) = connection.watched(9).await;
    assert_eq!(request.create.unwrap().start_revision, 6);
    watch.say(&WatchResponse { watch_id: 1, events: vec![put("d", 6), deleted("a", 7)], ..word(7) });
    watch.say(&word(9));
    connection.during(running.recorder.until("the heartbeat", |recorder| recorder.count(&Recorded::Complete(9)) == 1)).await;
    let listed = |key: &str, value: &str| Recorded::Listed(key.into(), value.into());
    let put = Recorded::Put("d".into(), String::new(), 6);
    let expected = [
        Recorded::Begin,
        listed("a", "1"),
        listed("b", ""),
        listed("c", ""),
        Recorded::Replace(5, false),
        put,
        Recorded::Delete("a".into(), 7),
        Recorded::Complete(9),
    ];
    assert_eq!(running.stop().await, expected);
}

#[tokio::test]
async fn a_page_that_is_too_long_is_asked_for_in_smaller_ones() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut connection = fake.accept().await;
    let (first, call) = connection.question::<RangeRequest>().await;
    raw(&[0, 0x7f, 0, 0, 0], Some("0"))(call);
    let (second, call) = connection.question::<RangeRequest>().await;
    assert!(second.limit < first.limit && second.limit > 0);
    call.answer(&page(&[("a", "")], 5, false));
    let (_, _watch) = connection.watched(5).await;
    connection.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(5, false)) == 1)).await;
    assert!(running.recorder.causes().is_empty());
    running.stop().await;
}

/// A connection that ends after `change`, and the next one.
async fn after(fake: &Fake, running: &Running, change: WatchResponse, recorded: Recorded) -> Connection {
    let mut connection = fake.accept().await;
    let (_, mut watch) = connection.listed(&[], 5).await;
    watch.say(&change);
    connection.during(running.recorder.until("the change", |recorder| recorder.count(&recorded) == 1)).await;
    drop((watch, connection));
    fake.accept().await
}

fn change(revision: i64, fragment: bool) -> (WatchResponse, Recorded) {
    let word = WatchResponse { watch_id: 1, events: vec![put("a", revision)], fragment, ..word(revision) };
    (word, Recorded::Put("a".into(), String::new(), revision))
}

#[tokio::test]
async fn after_a_broken_connection_the_watch_goes_on_from_what_was_seen_last() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let (word, recorded) = change(8, false);
    let mut next = after(&fake, &running, word, recorded).await;
    let (head, call) = next.question::<RangeRequest>().await;
    assert!(head.keys_only && head.limit == 1);
    call.answer(&page(&[], 20, false));
    let (request, _watch) = next.watched(20).await;
    assert_eq!(request.create.unwrap().start_revision, 9);
    assert_eq!(running.stop().await.iter().filter(|recorded| **recorded == Recorded::Begin).count(), 1);
}

#[tokio::test]
async fn a_part_of_a_revision_is_asked_for_again_as_a_whole() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let (word, recorded) = change(8, true);
    let mut next = after(&fake, &running, word, recorded).await;
    let (_, call) = next.question::<RangeRequest>().await;
    call.answer(&page(&[], 20, false));
    let (request, _watch) = next.watched(20).await;
    assert_eq!(request.create.unwrap().start_revision, 6);
    running.stop().await;
}

#[tokio::test]
async fn another_cluster_or_an_older_state_is_listed_anew() {
    for (cluster, revision) in [(1, 20), (crate::testing::CLUSTER, 7)] {
        let fake = Fake::start().await;
        let running = Running::start(fake.settings());
        let (word, recorded) = change(8, false);
        let mut next = after(&fake, &running, word, recorded).await;
        let (_, call) = next.question::<RangeRequest>().await;
        let header = crate::testing::proto::ResponseHeader { cluster_id: cluster, revision };
        call.answer(&RangeResponse { header: Some(header), ..RangeResponse::default() });
        let (all, call) = next.question::<RangeRequest>().await;
        assert!(!all.keys_only);
        call.answer(&RangeResponse { header: Some(header), ..RangeResponse::default() });
        next.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(revision, false)) == 1)).await;
        running.stop().await;
    }
}

#[tokio::test]
async fn what_was_compacted_is_listed_anew_over_the_same_connection() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut connection = fake.accept().await;
    let (_, mut watch) = connection.listed(&[], 5).await;
    watch.say(&WatchResponse { watch_id: 1, canceled: true, compact_revision: 30, ..word(40) });
    let (_, _watch) = connection.listed(&[("z", "")], 41).await;
    connection.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(41, false)) == 1)).await;
    assert!(running.recorder.causes().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn a_watch_of_another_cluster_is_left() {
    let fake = Fake::start().await;
    let running = Running::start(fake.settings());
    let mut connection = fake.accept().await;
    let (_, mut watch) = connection.listed(&[], 5).await;
    let mut strange = word(6);
    strange.header = header(6).map(|header| crate::testing::proto::ResponseHeader { cluster_id: 1, ..header });
    watch.say(&strange);
    tokio::join!(connection.rest(), running.recorder.until("a cause", |recorder| !recorder.causes().is_empty()));
    assert!(running.recorder.causes()[0].contains("another cluster"));
    running.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_left() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    settings.heartbeat = Duration::from_millis(100);
    let running = Running::start(settings);
    let mut connection = fake.accept().await;
    let (_, _watch) = connection.listed(&[], 5).await;
    tokio::join!(connection.rest(), running.recorder.until("a cause", |recorder| !recorder.causes().is_empty()));
    assert!(running.recorder.causes()[0].contains("nothing was heard"));
    running.stop().await;
}

#[tokio::test]
async fn a_change_while_a_listing_is_read_is_not_undone_by_it() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    settings.relist = Duration::from_secs(1);
    let running = Running::start(settings);
    let mut connection = fake.accept().await;
    let (_, mut watch) = connection.listed(&[("a", "")], 5).await;
    let (_, call) = connection.question::<RangeRequest>().await;
    watch.say(&WatchResponse { watch_id: 1, events: vec![put("b", 6), deleted("a", 7)], ..word(7) });
    let gone = Recorded::Delete("a".into(), 7);
    connection.during(running.recorder.until("the change", |recorder| recorder.count(&gone) == 1)).await;
    call.answer(&page(&[("a", "")], 5, false));
    connection
        .during(running.recorder.until("the listing", |recorder| recorder.count(&Recorded::Listed("a".into(), String::new())) == 2))
        .await;
    watch.say(&word(7));
    connection.during(running.recorder.until("the end", |recorder| recorder.count(&Recorded::Complete(7)) == 1)).await;
    let recorded = running.stop().await;
    let put = Recorded::Put("b".into(), String::new(), 6);
    let replaced = recorded.iter().position(|recorded| *recorded == Recorded::Replace(5, false)).and_then(|first| {
        recorded[first + 1..].iter().position(|recorded| *recorded == Recorded::Replace(5, false)).map(|second| first + 1 + second)
    });
    let replaced = replaced.expect("the second listing took the place of the first, and was not comparable");
    assert!(recorded[..replaced].contains(&put), "in force before the listing was read");
    assert!(recorded[..replaced].contains(&Recorded::Listed("b".into(), String::new())), "and without a moment's break");
    assert_eq!(recorded[replaced + 1..], [put, gone, Recorded::Complete(7)]);
}

#[tokio::test]
async fn a_quiet_listing_is_compared_and_counts_once_the_watch_has_caught_up() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    settings.relist = Duration::from_secs(1);
    let running = Running::start(settings);
    let mut connection = fake.accept().await;
    let (_, mut watch) = connection.listed(&[], 5).await;
    let (_, call) = connection.question::<RangeRequest>().await;
    call.answer(&page(&[("a", "")], 8, false));
    watch.say(&word(7));
    connection.during(running.recorder.until("too early a heartbeat", |recorder| recorder.count(&Recorded::Complete(7)) == 1)).await;
    assert_eq!(running.recorder.count(&Recorded::Replace(8, true)), 0);
    let listed = Recorded::Listed("a".into(), String::new());
    connection.during(running.recorder.until("the listing", |recorder| recorder.count(&listed) == 1)).await;
    watch.say(&word(8));
    connection.during(running.recorder.until("the end", |recorder| recorder.count(&Recorded::Replace(8, true)) == 1)).await;
    watch.say(&WatchResponse { watch_id: 1, events: vec![put("old", 8), put("new", 9)], ..word(9) });
    let new = Recorded::Put("new".into(), String::new(), 9);
    connection.during(running.recorder.until("the next", |recorder| recorder.count(&new) == 1)).await;
    assert_eq!(running.recorder.count(&Recorded::Put("old".into(), String::new(), 8)), 0, "the listing held it");
    running.stop().await;
}

#[tokio::test]
async fn a_listing_for_which_there_is_no_room_is_read_again() {
    let fake = Fake::start().await;
    let recorder = Recorder::new();
    recorder.refuse(1);
    let running = Running::with(fake.settings(), recorder);
    let mut connection = fake.accept().await;
    let (_, call) = connection.question::<RangeRequest>().await;
    call.answer(&page(&[("a", "")], 5, false));
    let mut next = tokio::join!(connection.rest(), fake.accept()).1;
    let (_, _watch) = next.listed(&[], 6).await;
    next.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(6, false)) == 1)).await;
    assert!(running.recorder.causes()[0].ends_with("no room"));
    running.stop().await;
}

#[tokio::test]
async fn a_user_is_named_once_and_the_token_goes_with_every_question() {
    let fake = Fake::start().await;
    let mut settings = fake.settings();
    (settings.username, settings.password) = (Some("gw".into()), Some(Secret::new("hunter2")));
    let running = Running::start(settings.clone());
    let mut connection = fake.accept().await;
    let (user, call) = connection.question::<AuthenticateRequest>().await;
    assert_eq!((user.name.as_str(), user.password.as_str()), ("gw", "hunter2"));
    assert!(call.request.headers().get("token").is_none());
    call.answer(&AuthenticateResponse { token: "secret-token".into() });
    let (_, call) = connection.question::<RangeRequest>().await;
    assert_eq!(call.request.headers()["token"], "secret-token");
    running.stop().await;

    let running = Running::start(settings);
    let mut connection = fake.accept().await;
    let (_, call) = connection.question::<AuthenticateRequest>().await;
    call.refuse("3", "etcdserver: authentication failed, invalid user ID or password");
    tokio::join!(connection.rest(), running.recorder.until("a cause", |recorder| !recorder.causes().is_empty()));
    let causes = running.recorder.causes();
    assert!(causes[0].contains("refused the credentials: etcdserver: authentication failed"), "{causes:?}");
    assert!(!causes[0].contains("hunter2"));
    running.stop().await;
}

#[tokio::test]
async fn the_next_member_is_tried_after_a_failure() {
    let (first, second) = (Fake::start().await, Fake::start().await);
    let mut settings = first.settings();
    settings.endpoints.extend(second.settings().endpoints);
    let running = Running::start(settings);
    drop(first.accept_raw().await);
    let mut connection = second.accept().await;
    let (_, _watch) = connection.listed(&[], 4).await;
    connection.during(running.recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(4, false)) == 1)).await;
    running.stop().await;
}

#[tokio::test]
async fn garbled_answers_end_in_an_error_or_in_a_listing_and_never_in_a_panic() {
    let fake = Fake::start().await;
    let settings = fake.settings();
    let endpoint = Endpoint::parse(&settings.endpoints[0]).unwrap();
    let (scope, recorder) = (Scope::all(&settings.keys), Recorder::new());
    let serve = async {
        let mut connection = fake.accept().await;
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % bound as u64) as usize
        };
        loop {
            let (_, call) = connection.question::<RangeRequest>().await;
            let mut bytes = frame(&page(&[("a", "12"), ("b", "")], 5, below(9) == 0).encode_to_vec()).to_vec();
            for _ in 0..=below(3) {
                let place = below(bytes.len());
                match below(3) {
                    0 => bytes[place] ^= 1 << below(8),
                    1 => drop(bytes.remove(place)),
                    _ => bytes.insert(place, below(256) as u8),
                }
            }
            let mut out = call.begin();
            out.send_data(bytes.into(), false).unwrap();
            out.send_trailers(status("0", "")).unwrap();
        }
    };
    let ask = async {
        let channel = Channel::open(&endpoint, &settings).await.unwrap();
        let (mut good, mut bad) = (0, 0);
        for _ in 0..1000 {
            match list(&channel, &scope, &*recorder).await {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
        (good, bad)
    };
    let (good, bad) = tokio::select! { counts = ask => counts, () = serve => unreachable!() };
    assert!(good > 10 && bad > 10, "{good} {bad}");
}
