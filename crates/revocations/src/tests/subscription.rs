use tollgate_filter_api::{Clock, Metrics, Principal, PrincipalParts, Token};
use tollgate_testkit::Folder;

use super::*;
use crate::{Journal, book::testing::Moved, text};

fn kept(folder: &Folder, clock: &Arc<Moved>) -> Arc<Book> {
    book(Some(Journal::open(&folder.join("journal")).unwrap()), clock)
}

fn book(journal: Option<Journal>, clock: &Arc<Moved>) -> Arc<Book> {
    Arc::new(Book::open(journal, 100, &[Input::Broker, Input::Etcd], clock.clone(), &Metrics::default()).unwrap())
}

fn age(book: &Book) -> Option<Duration> {
    book.feed(Input::Broker).unwrap().age_now()
}

fn durable(book: &Arc<Book>) -> Subscription {
    Subscription::new(book.clone(), "one", true, Missed::Nothing).unwrap()
}

fn said(token: &str, now: u32) -> Result<Statement, Bad> {
    text(format!(r#"{{"revokedToken":"{token}","ttl":3600}}"#).as_bytes(), now)
}

fn token(id: &str) -> Principal {
    let token = Token { id: Some(id.into()), ..Token::default() };
    Principal::new(PrincipalParts { filter: "test", token: Some(token), ..PrincipalParts::default() })
}

fn now(clock: &Moved) -> u32 {
    crate::feed::seconds(clock.now())
}

#[test]
fn the_view_is_complete_when_the_broker_has_said_what_it_kept_and_not_with_a_sign_of_life() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let book = kept(&folder, &clock);
    let subscription = durable(&book);
    subscription.connected(true);
    subscription.hear(said("a", now(&clock))).unwrap();
    for _ in 0..8 {
        subscription.alive();
        subscription.tick();
        clock.pass(Duration::from_secs(1));
    }
    assert_eq!((age(&book), book.has_caught_up_now()), (None, false));
    subscription.drained();
    assert_eq!(age(&book), Some(Duration::ZERO));
    assert_eq!(book.show()["inputs"]["broker"]["gaps"], 1, "nobody knows what was said before the first time");
}

#[test]
fn a_broker_that_is_quiet_has_said_what_it_had_kept_also_where_it_has_no_word_for_it() {
    for (exact, quiet) in [(false, QUIET), (true, LONG_QUIET)] {
        let (folder, clock) = (Folder::new(), Moved::new());
        let book = kept(&folder, &clock);
        let subscription = durable(&book);
        subscription.connected(exact);
        for _ in 0..3 {
            clock.pass(quiet - Duration::from_millis(1));
            subscription.alive();
            subscription.tick();
            assert_eq!(age(&book), None);
            subscription.hear(said("a", now(&clock))).unwrap();
        }
        clock.pass(quiet);
        subscription.tick();
        assert_eq!(age(&book), Some(quiet));
    }
}

fn both(book: &Book) -> (bool, Vec<&'static str>) {
    (book.has_caught_up_now(), book.missing())
}

#[test]
fn after_a_start_nothing_is_decided_before_every_source_has_said_what_it_held() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let book = kept(&folder, &clock);
    let subscription = durable(&book);
    assert_eq!(both(&book).1.len(), 2);
    subscription.connected(true);
    subscription.hear(said("a", now(&clock))).unwrap();
    assert_eq!(both(&book).1.len(), 2);
    subscription.drained();
    assert_eq!(both(&book), (false, vec!["the revocations of etcd were not read whole"]));
    book.feed(Input::Etcd).unwrap().catch_up();
    assert_eq!(both(&book), (true, vec![]));
    subscription.lost("gone");
    subscription.connected(true);
    assert_eq!(both(&book), (true, vec![]), "a source that is away later is judged by how old the list is");
}

#[test]
fn sources_that_are_away_are_waited_for_no_longer_than_was_set() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let journal = Journal::open(&folder.join("journal")).unwrap();
    let book = Book::open(Some(journal), 100, &[Input::Broker], clock.clone(), &Metrics::default()).unwrap();
    let book = book.waiting(Duration::from_secs(7));
    clock.goes_wrong_by(Duration::from_secs(90_000));
    clock.pass(Duration::from_millis(6_999));
    assert!(!book.has_caught_up_now());
    clock.pass(Duration::from_millis(1));
    assert!(book.has_caught_up_now() && book.missing().is_empty());
    assert_eq!(book.age_now(), None, "and then it is as old as it is");
}

#[test]
fn a_process_that_takes_over_has_caught_up_as_far_as_the_other_one_has() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let first = kept(&folder, &clock);
    let old = durable(&first);
    old.connected(true);
    let second = kept(&folder, &clock);
    let new = durable(&second);
    new.tick();
    assert!(!second.feed(Input::Broker).unwrap().has_caught_up(), "the other one has not either");
    old.drained();
    new.tick();
    assert!(second.feed(Input::Broker).unwrap().has_caught_up());
}

#[test]
fn a_clock_that_is_stepped_back_ends_nothing_too_soon_that_a_source_states_by_its_length() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let book = kept(&folder, &clock);
    clock.pass(Duration::from_secs(100));
    let right = now(&clock);
    assert_eq!(book.reading_time(), right);
    clock.goes_back_by(Duration::from_secs(90_000));
    assert_eq!((now(&clock), book.reading_time()), (right - 90_000, right));
}

#[test]
fn what_was_heard_and_until_when_is_known_after_a_restart() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let first = kept(&folder, &clock);
    let subscription = durable(&first);
    subscription.connected(true);
    subscription.hear(said("a", now(&clock))).unwrap();
    subscription.drained();
    drop((subscription, first));
    clock.pass(Duration::from_secs(20));
    let second = kept(&folder, &clock);
    let subscription = durable(&second);
    assert_eq!(age(&second), Some(Duration::from_secs(20)));
    assert!(!second.has_caught_up_now(), "what was said meanwhile is with the broker");
    assert!(second.find_now(&token("a")).is_some());
    assert_eq!((second.list().count(Input::Broker), second.list().count(Input::Admin)), (1, 0));
    subscription.connected(true);
    assert_eq!(second.show()["inputs"]["broker"]["gaps"], 0);
}

#[test]
fn the_mark_of_another_subscription_says_nothing() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let book = kept(&folder, &clock);
    let subscription = durable(&book);
    subscription.connected(true);
    subscription.drained();
    drop((subscription, book));
    let book = kept(&folder, &clock);
    let other = Subscription::new(book.clone(), "two", true, Missed::Nothing).unwrap();
    assert_eq!(age(&book), None);
    other.connected(true);
    assert_eq!(book.show()["inputs"]["broker"]["gaps"], 1);
}

#[test]
fn a_gap_is_shown_and_nothing_is_complete_until_etcd_makes_up_for_it() {
    let clock = Moved::new();
    for (missed, closed) in [(Missed::Nothing, false), (Missed::Etcd, true)] {
        let book = book(None, &clock);
        let subscription = Subscription::new(book.clone(), "one", false, missed).unwrap();
        book.feed(Input::Etcd).unwrap().complete();
        subscription.connected(true);
        subscription.alive();
        subscription.tick();
        assert_eq!((age(&book), &book.show()["inputs"]["broker"]["gap"]), (None, &true.into()));
        clock.pass(Duration::from_secs(1));
        book.feed(Input::Etcd).unwrap().complete();
        subscription.tick();
        subscription.alive();
        assert_eq!(age(&book).is_some(), closed);
    }
}

#[test]
fn a_durable_subscription_without_a_journal_has_a_gap_at_its_start_and_none_at_a_new_connection() {
    let clock = Moved::new();
    let book = book(None, &clock);
    let subscription = durable(&book);
    subscription.connected(true);
    book.feed(Input::Broker).unwrap().mend();
    subscription.lost("gone");
    subscription.connected(true);
    subscription.drained();
    assert_eq!((age(&book), &book.show()["inputs"]["broker"]["gaps"]), (Some(Duration::ZERO), &1.into()));
}

#[test]
fn what_cannot_be_kept_is_in_force_and_left_with_the_broker_until_the_journal_is_ours() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let (first, second) = (kept(&folder, &clock), kept(&folder, &clock));
    let (old, new) = (durable(&first), durable(&second));
    old.connected(true);
    old.drained();
    new.tick();
    assert_eq!(age(&second), Some(Duration::ZERO), "it reads along");
    assert!(new.hear(said("a", now(&clock))).is_err());
    assert!(second.find_now(&token("a")).is_some());
    first.hand_over();
    second.follow().unwrap();
    new.hear(said("a", now(&clock))).unwrap();
    first.follow().unwrap();
    assert!(first.find_now(&token("a")).is_some(), "and now the other one does");
    assert_eq!(first.writes(), Some(false));
}

#[test]
fn while_the_list_is_full_it_is_not_complete_and_what_does_not_fit_is_left_with_the_broker() {
    let (folder, clock) = (Folder::new(), Moved::new());
    let book = kept(&folder, &clock);
    let subscription = durable(&book);
    subscription.connected(true);
    subscription.drained();
    for n in 0..100 {
        subscription.hear(said(&format!("t{n}"), now(&clock))).unwrap();
    }
    assert_eq!(age(&book), Some(Duration::ZERO));
    assert!(subscription.hear(said("more", now(&clock))).is_err());
    assert_eq!(age(&book), None, "something was revoked that nobody here knows");
    clock.pass(Duration::from_secs(90_000));
    for _ in 0..3000 {
        clock.pass(Duration::from_secs(1));
        book.tick();
    }
    subscription.hear(said("more", now(&clock))).unwrap();
    subscription.alive();
    assert!(book.find_now(&token("more")).is_some() && age(&book) == Some(Duration::ZERO));
}

#[test]
fn what_cannot_be_understood_is_counted_and_not_asked_for_again() {
    let clock = Moved::new();
    let book = book(None, &clock);
    let subscription = durable(&book);
    subscription.hear(text(b"{}", now(&clock))).unwrap();
    subscription.unread("too long");
    assert_eq!(book.show()["inputs"]["broker"]["bad_entries"], 2);
}
