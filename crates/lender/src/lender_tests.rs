use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant, SystemTime},
};

use tokio::time::timeout;
use tollgate_counters::{Away, Counters, Grant, Heard, Moment, Policy};

use super::*;
use crate::{Settings, run};

/// Counts what becomes of questions.
#[derive(Default)]
struct Counting {
    unanswered: AtomicUsize,
    lost: AtomicUsize,
}

impl Borrower for Counting {
    fn granted(&self, _: Moment, _: &Question, _: Grant) -> Heard {
        Heard::Taken
    }

    fn unanswered(&self, _: &Question) {
        self.unanswered.fetch_add(1, SeqCst);
    }

    fn reports(&self) -> Vec<Question> {
        Vec::new()
    }

    fn set_fleet(&self, _: u32, _: bool) {}
}

impl Observer for Counting {
    fn connected(&self, _: bool) {}
    fn called(&self, _: Duration, _: bool) {}
    fn unsound(&self) {}
    fn gateways(&self, _: u32) {}
    fn lost(&self) {
        self.lost.fetch_add(1, SeqCst);
    }
    fn away(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}

fn lender() -> (Arc<Counting>, Arc<Lender>) {
    let counting = Arc::<Counting>::default();
    (counting.clone(), Lender::new(counting.clone(), counting))
}

fn question(number: u32) -> Question {
    let counters = Counters::new(Moment { wall: SystemTime::now(), instant: Instant::now() }, 1);
    let policy = Policy::shared("gold", 10, 60, Away::Strict).unwrap();
    let (key, quota) = counters.shared_key(&policy, &[&number.to_be_bytes()]);
    Question { number: 1, key, quota, limit: 10, window: Duration::from_secs(60), wanted: 1, seen: 0, seen_in: 0 }
}

/// Whether it wakes at once.
async fn wakes(answered: impl Future<Output = ()>) -> bool {
    timeout(Duration::from_millis(20), answered).await.is_ok()
}

#[tokio::test]
async fn a_question_is_given_up_at_once_while_nobody_asks() {
    let (counting, lender) = lender();
    let question = question(1);
    let answered = lender.answered(question.key);
    lender.ask(question);
    assert!(wakes(answered).await, "also one who waits already");
    assert_eq!((counting.unanswered.load(SeqCst), counting.lost.load(SeqCst)), (1, 0));
}

#[tokio::test]
async fn what_finds_no_place_is_given_up_and_counted() {
    let (counting, lender) = lender();
    let before = lender.open();
    let opened = lender.open();
    let question = question(1);
    (0..QUEUE).for_each(|_| lender.ask(question));
    assert_eq!(counting.unanswered.load(SeqCst), 0);
    lender.ask(question);
    assert_eq!((counting.unanswered.load(SeqCst), counting.lost.load(SeqCst)), (1, 1));
    assert!(!lender.close(before), "it is somebody else's now");
    assert_eq!(counting.unanswered.load(SeqCst), 1);
    assert!(lender.close(opened));
    assert_eq!((counting.unanswered.load(SeqCst), counting.lost.load(SeqCst)), (QUEUE + 1, 1));
}

#[tokio::test]
async fn only_those_who_wait_for_its_key_are_woken_also_before_they_are_polled() {
    let (_, lender) = lender();
    let (one, other) = (question(1), question(2));
    let waiting = [lender.answered(one.key), lender.answered(one.key)];
    let another = lender.answered(other.key);
    lender.wake(one.key);
    for answered in waiting {
        assert!(wakes(answered).await);
    }
    assert!(!wakes(another).await);
    assert!(!wakes(lender.answered(one.key)).await, "it waits for the next answer");
}

#[tokio::test]
async fn those_who_went_away_leave_nothing_behind() {
    let (_, lender) = lender();
    let stays = lender.answered(question(0).key);
    (1..100).for_each(|number| drop(lender.answered(question(number).key)));
    assert_eq!(lock(&lender.waiting).len(), 100);
    lender.tidy();
    assert_eq!(lock(&lender.waiting).len(), 1);
    drop(stays);
}

#[tokio::test]
async fn when_the_task_ends_everything_under_way_is_given_up() {
    let (counting, lender) = lender();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings::new(format!("redis://{}", port.local_addr().unwrap()));
    let task = tokio::spawn(run(settings, lender.clone(), std::future::pending()));
    while !lock(&lender.queue).open {
        tokio::task::yield_now().await;
    }
    let question = question(1);
    let answered = lender.answered(question.key);
    lender.ask(question);
    task.abort();
    assert!(task.await.is_err());
    assert!(wakes(answered).await);
    lender.ask(question);
    assert_eq!(counting.unanswered.load(SeqCst), 2);
}
