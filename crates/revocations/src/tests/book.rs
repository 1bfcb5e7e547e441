use tollgate_filter_api::{PrincipalParts, Token};
use tollgate_testkit::Folder;

use super::{testing::Moved, *};
use crate::Instruction;

fn clock() -> Arc<Moved> {
    Moved::new()
}

fn book(journal: Option<Journal>, inputs: &[Input], clock: Arc<Moved>) -> Book {
    Book::open(journal, 100, inputs, clock, &Metrics::default()).unwrap()
}

fn token(id: &str) -> Principal {
    let token = Token { id: Some(id.into()), ..Token::default() };
    Principal::new(PrincipalParts { filter: "test", token: Some(token), ..PrincipalParts::default() })
}

fn said(json: &str) -> Vec<Statement> {
    Instruction::read(json.as_bytes(), 200, 1_800_000_000).unwrap()
}

#[test]
fn a_revocation_of_the_operators_is_in_force_and_known_after_a_restart() {
    let folder = Folder::new();
    let path = folder.join("journal");
    let first = book(Some(Journal::open(&path).unwrap()), &[], clock());
    assert_eq!(first.revoke(&said(r#"[{"jti":"a"},{"jti":"b"}]"#)).unwrap(), 2);
    assert_eq!(first.find_now(&token("a")), Some(RevokedBy::TokenId));
    assert_eq!(first.show()["inputs"]["admin"]["sequence"], 2);
    drop(first);
    let second = book(Some(Journal::open(&path).unwrap()), &[], clock());
    assert!(second.find_now(&token("b")).is_some() && second.find_now(&token("c")).is_none());
    assert_eq!(second.show()["inputs"]["admin"]["sequence"], 2);
}

/// Looks through the whole list once a second for so long.
fn passes(book: &Book, clock: &Moved, seconds: u64) {
    for _ in 0..seconds {
        clock.pass(Duration::from_secs(1));
        book.tick();
    }
}

#[test]
fn a_clock_that_steps_ahead_and_back_takes_nothing_off_the_list_and_one_that_stays_there_does() {
    let day = Duration::from_secs(86_400);
    let folder = Folder::new();
    let path = folder.join("journal");
    let clock = clock();
    let first = Book::open(Some(Journal::open(&path).unwrap()), 5000, &[], clock.clone(), &Metrics::default()).unwrap();
    passes(&first, &clock, 1);
    first.revoke(&said(r#"{"jti":"a","ttl":3600}"#)).unwrap();
    clock.goes_wrong_by(day);
    passes(&first, &clock, 300);
    // The journal is looked through too, and has nothing else that counts.
    for n in 0..20 {
        let all: Vec<String> = (0..100).map(|m| format!(r#"{{"jti":"{n}-{m}","expires":1800000000}}"#)).collect();
        first.revoke(&said(&format!("[{}]", all.join(",")))).unwrap();
    }
    clock.goes_wrong_by(Duration::ZERO);
    assert_eq!(first.find_now(&token("a")), Some(RevokedBy::TokenId));
    drop(first);
    let second = Book::open(Some(Journal::open(&path).unwrap()), 5000, &[], clock.clone(), &Metrics::default()).unwrap();
    assert_eq!(second.find_now(&token("a")), Some(RevokedBy::TokenId));
    clock.goes_wrong_by(day);
    passes(&second, &clock, 1300);
    assert_eq!(second.show()["entries"], 0);
}

#[test]
fn a_journal_that_holds_more_than_the_list_may_is_named_with_the_way_out() {
    let folder = Folder::new();
    let path = folder.join("journal");
    let clock = clock();
    let first = book(Some(Journal::open(&path).unwrap()), &[], clock.clone());
    first.revoke(&said(r#"[{"jti":"a"},{"jti":"b"},{"jti":"c"}]"#)).unwrap();
    drop(first);
    let second = Book::open(Some(Journal::open(&path).unwrap()), 2, &[], clock, &Metrics::default());
    assert!(second.is_err_and(|error| error.to_string().contains("max_entries")));
}

/// What does not fit is not acknowledged, and must not be there after a restart either.
#[test]
fn what_has_no_room_in_the_list_is_not_written() {
    let path = std::env::temp_dir().join(format!("tollgate-book-full-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let book = book(Some(Journal::open(&path).unwrap()), &[Input::Broker], clock());
    let length = || std::fs::metadata(&path).unwrap().len();
    let many = |count: usize| said(&format!("[{}]", (0..count).map(|n| format!(r#"{{"jti":"t{n}"}}"#)).collect::<Vec<_>>().join(",")));
    let empty = length();
    assert!(matches!(book.revoke(&many(101)), Err(RevokeError::Full)));
    assert_eq!((length(), book.show()["entries"].clone()), (empty, 0.into()));
    assert_eq!(book.revoke(&many(100)).unwrap(), 100);
    let full = length();
    assert!(matches!(book.revoke(&said(r#"{"jti":"a"}"#)), Err(RevokeError::Full)));
    assert!(matches!(book.hear(&said(r#"{"jti":"a"}"#)[0]), Err(RevokeError::Full)));
    assert_eq!(length(), full);
    drop(book);
    let lock = path.with_file_name(format!("{}.lock", path.file_name().unwrap().to_str().unwrap()));
    let _ = (std::fs::remove_file(&path), std::fs::remove_file(lock));
}

/// A listing that broke off says nothing.
#[test]
fn a_listing_that_begins_anew_holds_nothing_of_the_one_before() {
    let book = book(None, &[Input::Etcd], clock());
    let feed = book.feed(Input::Etcd).unwrap();
    for id in ["a", "b"] {
        feed.begin();
        assert!(feed.listed(&said(&format!(r#"{{"jti":"{id}"}}"#))));
    }
    feed.replace(false).unwrap();
    assert!(book.find_now(&token("a")).is_none() && book.find_now(&token("b")).is_some());
}

#[test]
fn without_a_journal_the_port_takes_nothing() {
    assert!(matches!(book(None, &[], clock()).revoke(&said(r#"{"jti":"a"}"#)), Err(RevokeError::NoJournal)));
}

#[test]
fn the_horizon_is_that_of_the_least_fresh_source() {
    let clock = clock();
    let book = book(None, &[Input::Broker, Input::Etcd], clock.clone());
    assert_eq!(book.age_now(), None);
    assert_eq!(book.missing().len(), 2);
    book.feed(Input::Etcd).unwrap().complete();
    assert_eq!(book.age_now(), None);
    assert_eq!(book.missing().len(), 2, "nobody says that they have caught up");
    clock.pass(Duration::from_secs(5));
    book.feed(Input::Broker).unwrap().complete();
    assert_eq!(book.age_now(), Some(Duration::from_secs(5)));
}

#[test]
fn a_list_that_only_the_operator_fills_is_always_fresh() {
    assert_eq!(book(None, &[], clock()).age_now(), Some(Duration::ZERO));
}

#[test]
fn a_source_that_said_more_than_fits_is_not_complete() {
    let book = book(None, &[Input::Broker], clock());
    let feed = book.feed(Input::Broker).unwrap();
    feed.complete();
    let many: Vec<String> = (0..101).map(|n| format!(r#"{{"jti":"t{n}"}}"#)).collect();
    assert!(feed.add(&said(&format!("[{}]", many.join(",")))).is_err());
    assert_eq!(feed.age_now(), None);
}

#[test]
fn what_was_revoked_does_not_pass_while_the_clock_is_ahead_for_a_moment() {
    let (folder, clock) = (Folder::new(), clock());
    let book = book(Some(Journal::open(&folder.join("journal")).unwrap()), &[], clock.clone());
    let hour = Instruction::read(br#"{"jti":"a","ttl":3600}"#, 1, book.reading_time()).unwrap();
    book.revoke(&hour).unwrap();
    clock.goes_wrong_by(Duration::from_secs(90_000));
    book.tick();
    assert!(book.find_now(&token("a")).is_some());
    // It stays where it is, so it was right.
    for _ in 0..1_300 {
        clock.pass(Duration::from_secs(1));
        book.tick();
    }
    assert!(book.find_now(&token("a")).is_none());
}
