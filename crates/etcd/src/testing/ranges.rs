//! Several ranges over one connection.

use std::{future::pending, time::Duration};

use super::{
    Connection, Fake, Recorded, Recorder, Watch, header,
    proto::{Event, KeyValue, RangeRequest, RangeResponse, WatchRequest, WatchResponse},
    word,
};
use crate::{Keys, Settings, run};

fn settings(fake: &Fake) -> Settings {
    let mut settings = fake.settings();
    settings.keys = vec![Keys::Prefix("/b/".into()), Keys::One("/a".into()), Keys::One("/b/1".into())];
    settings
}

fn held(key: &str, revision: i64) -> KeyValue {
    KeyValue { key: key.into(), mod_revision: revision, value: "v".into() }
}

fn put(watch_id: i64, key: &str, revision: i64) -> WatchResponse {
    WatchResponse { watch_id, events: vec![Event { kind: 0, kv: Some(held(key, revision)) }], ..word(revision) }
}

fn created(watch_id: i64) -> WatchResponse {
    WatchResponse { created: true, watch_id, ..word(9) }
}

/// Answers the listing of both ranges, and says what was asked for.
async fn listed(connection: &mut Connection) -> [RangeRequest; 2] {
    let mut asked = Vec::new();
    for key in ["/a", "/b/1"] {
        let (question, call) = connection.question::<RangeRequest>().await;
        asked.push(question);
        call.answer(&RangeResponse { header: header(5), kvs: vec![held(key, 3)], more: false });
    }
    asked.try_into().unwrap()
}

/// Takes the stream of both watches, and says what they begin with.
async fn watched(connection: &mut Connection) -> (Watch, Vec<(String, i64, i64)>) {
    let mut call = connection.call().await.unwrap();
    assert_eq!(call.request.headers()["hasleader"], "true", "a member that was cut off must not be followed");
    let mut asked = Vec::new();
    let watch = Watch(call.open());
    for _ in 0..2 {
        let create = connection.during(call.read::<WatchRequest>()).await.create.unwrap();
        asked.push((String::from_utf8(create.key).unwrap(), create.start_revision, create.watch_id));
    }
    (watch, asked)
}

#[tokio::test]
async fn ranges_are_listed_at_one_revision_and_each_watch_goes_on_from_where_it_was() {
    let (fake, recorder) = (Fake::start().await, Recorder::new());
    let running = tokio::spawn(run(settings(&fake), recorder.clone(), pending()));
    let mut connection = fake.accept().await;
    let [first, second] = listed(&mut connection).await;
    assert_eq!((first.key.as_slice(), first.range_end.as_slice(), first.revision), (&b"/a"[..], &b""[..], 0));
    assert_eq!((second.key.as_slice(), second.range_end.as_slice(), second.revision), (&b"/b/"[..], &b"/b0"[..], 5));
    let (mut watch, asked) = watched(&mut connection).await;
    assert_eq!(asked, [("/a".to_owned(), 6, 1), ("/b/".to_owned(), 6, 2)]);

    watch.say(&created(1));
    // As long as a watch is missing, nothing is complete.
    watch.say(&word(9));
    watch.say(&put(1, "/a", 8));
    watch.say(&created(2));
    watch.say(&put(2, "/b/2", 7));
    watch.say(&word(10));
    let complete = |revision| move |recorder: &Recorder| recorder.count(&Recorded::Complete(revision)) == 1;
    connection.during(recorder.until("the heartbeat", complete(10))).await;
    let all = recorder.all();
    let put_of = |key: &str, revision| Recorded::Put(key.into(), "v".into(), revision);
    assert_eq!(all[all.len() - 3..], [put_of("/a", 8), put_of("/b/2", 7), Recorded::Complete(10)]);
    assert_eq!(recorder.count(&Recorded::Complete(9)), 0);

    drop((watch, connection));
    let mut next = fake.accept().await;
    let (_, call) = next.question::<RangeRequest>().await;
    call.answer(&RangeResponse { header: header(20), ..RangeResponse::default() });
    let (_watch, asked) = watched(&mut next).await;
    assert_eq!(asked, [("/a".to_owned(), 9, 1), ("/b/".to_owned(), 8, 2)], "the second was not told what is between 7 and 8");
    running.abort();
}

/// Why a connection is left after these words.
async fn left_after(words: &[WatchResponse]) -> String {
    let (fake, recorder) = (Fake::start().await, Recorder::new());
    let running = tokio::spawn(run(settings(&fake), recorder.clone(), pending()));
    let mut connection = fake.accept().await;
    listed(&mut connection).await;
    let (mut watch, _) = watched(&mut connection).await;
    words.iter().for_each(|word| watch.say(word));
    tokio::join!(connection.rest(), recorder.until("a cause", |recorder| !recorder.causes().is_empty()));
    running.abort();
    recorder.causes().remove(0)
}

#[tokio::test]
async fn words_that_belong_to_no_watch_or_tell_of_another_range_are_not_believed() {
    assert!(left_after(&[created(1), created(2), created(3)]).await.contains("not asked for"));
    assert!(left_after(&[created(1), created(2), put(3, "/a", 8)]).await.contains("another watch"));
    assert!(left_after(&[created(1), created(2), put(2, "/a", 8)]).await.contains("not asked for"));
    assert!(left_after(&[created(1), created(2), put(-1, "/a", 8)]).await.contains("another watch"));
}

#[tokio::test]
async fn a_range_that_is_refused_takes_no_other_with_it_and_is_asked_for_again() {
    let (fake, recorder) = (Fake::start().await, Recorder::new());
    let mut settings = settings(&fake);
    // The first beat comes after a second: what is listed again at the same moment would meet it or not.
    settings.relist = Duration::from_millis(1500);
    let running = tokio::spawn(run(settings, recorder.clone(), pending()));
    let mut connection = fake.accept().await;
    let (first, call) = connection.question::<RangeRequest>().await;
    assert_eq!(first.key, b"/a");
    call.refuse("7", "etcdserver: permission denied");
    let (second, call) = connection.question::<RangeRequest>().await;
    assert_eq!(second.key, b"/b/");
    call.answer(&RangeResponse { header: header(5), kvs: vec![held("/b/1", 3)], more: false });
    let mut call = connection.call().await.unwrap();
    let mut watch = Watch(call.open());
    assert_eq!(connection.during(call.read::<WatchRequest>()).await.create.unwrap().key, b"/b/");
    watch.say(&created(1));
    connection.during(recorder.until("a listing", |recorder| recorder.count(&Recorded::Replace(5, false)) == 1)).await;
    assert_eq!(recorder.count(&Recorded::Without(vec!["/a".into()])), 1);
    assert!(recorder.causes().is_empty());

    listed(&mut connection).await;
    let (_watch, asked) = watched(&mut connection).await;
    assert_eq!(asked.len(), 2, "it is not refused any more");
    let all = recorder.all();
    assert!(!all[all.len() - 4..].iter().any(|recorded| matches!(recorded, Recorded::Without(_))), "{all:?}");
    running.abort();
}
