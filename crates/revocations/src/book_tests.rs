use tollgate_filter_api::{PrincipalParts, Token};

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
    let path = std::env::temp_dir().join(format!("tollgate-book-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let first = book(Some(Journal::open(&path).unwrap()), &[], clock());
    assert_eq!(first.revoke(&said(r#"[{"jti":"a"},{"jti":"b"}]"#)).unwrap(), 2);
    assert_eq!(first.find(&token("a")), Some(RevokedBy::TokenId));
    drop(first);
    let second = book(Some(Journal::open(&path).unwrap()), &[], clock());
    assert!(second.find(&token("b")).is_some() && second.find(&token("c")).is_none());
    assert_eq!(second.show()["inputs"]["admin"]["sequence"], 2);
    let lock = path.with_file_name(format!("{}.lock", path.file_name().unwrap().to_str().unwrap()));
    let _ = (std::fs::remove_file(&path), std::fs::remove_file(lock));
}

#[test]
fn without_a_journal_the_port_takes_nothing() {
    assert!(matches!(book(None, &[], clock()).revoke(&said(r#"{"jti":"a"}"#)), Err(RevokeError::NoJournal)));
}

#[test]
fn the_horizon_is_that_of_the_least_fresh_source() {
    let clock = clock();
    let book = book(None, &[Input::Broker, Input::Etcd], clock.clone());
    assert_eq!(book.age(), None);
    assert!(book.missing().is_some());
    book.feed(Input::Etcd).unwrap().complete();
    assert_eq!(book.age(), None);
    assert!(book.missing().is_none());
    clock.pass(Duration::from_secs(5));
    book.feed(Input::Broker).unwrap().complete();
    assert_eq!(book.age(), Some(Duration::from_secs(5)));
}

#[test]
fn a_list_that_only_the_operator_fills_is_always_fresh() {
    assert_eq!(book(None, &[], clock()).age(), Some(Duration::ZERO));
}

#[test]
fn a_source_that_said_more_than_fits_is_not_complete() {
    let book = book(None, &[Input::Broker], clock());
    let feed = book.feed(Input::Broker).unwrap();
    feed.complete();
    let many: Vec<String> = (0..101).map(|n| format!(r#"{{"jti":"t{n}"}}"#)).collect();
    assert!(feed.add(&said(&format!("[{}]", many.join(",")))).is_err());
    assert_eq!(feed.age(), None);
}
