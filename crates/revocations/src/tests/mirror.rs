use std::time::Duration;

use tollgate_filter_api::{Metrics, Principal, PrincipalParts, RevokedBy, Token};

use super::*;
use crate::{Book, Input, book::testing::Moved};

fn book() -> (Arc<Book>, Mirrored, Arc<Moved>) {
    let clock = Moved::new();
    let book = Arc::new(Book::open(None, 100, &[Input::Etcd], clock.clone(), &Metrics::default()).unwrap());
    let mirrored = Mirrored::new(book.feed(Input::Etcd).unwrap().clone());
    (book, mirrored, clock)
}

fn find(book: &Book, jti: &str, client: &str) -> Option<RevokedBy> {
    let token = Token { id: Some(jti.into()), ..Token::default() };
    book.find_now(&Principal::new(PrincipalParts {
        filter: "test",
        token: Some(token),
        client: Some(client.into()),
        ..PrincipalParts::default()
    }))
}

fn list(mirrored: &Mirrored, keys: &[(&str, &str)], revision: i64) -> Differences {
    mirrored.begin();
    keys.iter().for_each(|(key, value)| mirrored.listed(key.as_bytes(), value.as_bytes()));
    mirrored.replace(revision, true).unwrap()
}

#[test]
fn a_listing_is_in_force_as_a_whole_and_what_it_does_not_say_is_gone() {
    let (book, mirrored, _) = book();
    assert!(!book.missing().is_empty() && !book.has_caught_up_now());
    list(&mirrored, &[("a", ""), ("deep/b", "3600")], 7);
    assert!(book.missing().is_empty() && book.has_caught_up_now());
    assert!(find(&book, "a", "").is_some() && find(&book, "b", "").is_some() && find(&book, "c", "").is_none());
    mirrored.begin();
    mirrored.listed(b"c", b"");
    assert!(find(&book, "a", "").is_some() && find(&book, "c", "").is_none(), "half a listing changes nothing");
    mirrored.replace(8, true).unwrap();
    assert!(find(&book, "a", "").is_none() && find(&book, "c", "").is_some());
    assert_eq!(book.show()["inputs"]["etcd"]["sequence"], 8);
}

#[test]
fn a_key_that_is_put_is_in_force_until_it_is_deleted() {
    let (book, mirrored, _) = book();
    list(&mirrored, &[], 1);
    mirrored.put(b"a", b"", 2);
    assert_eq!(find(&book, "a", ""), Some(RevokedBy::TokenId));
    mirrored.delete(b"a", 3);
    assert_eq!(find(&book, "a", ""), None);
    assert_eq!(book.show()["inputs"]["etcd"]["sequence"], 3);
}

#[test]
fn a_client_in_a_value_is_taken_back_with_the_last_key_that_names_it() {
    let (book, mirrored, _) = book();
    list(&mirrored, &[("one", r#"{"client":"shop"}"#)], 1);
    mirrored.put(b"two", br#"{"client":"shop"}"#, 2);
    mirrored.delete(b"one", 3);
    assert_eq!(find(&book, "x", "shop"), Some(RevokedBy::Client));
    mirrored.put(b"two", br#"{"client":"other"}"#, 4);
    assert_eq!((find(&book, "x", "shop"), find(&book, "x", "other")), (None, Some(RevokedBy::Client)));
    mirrored.delete(b"two", 5);
    assert_eq!(find(&book, "x", "other"), None);
}

#[test]
fn a_client_that_many_keys_name_stays_until_none_does() {
    let (book, mirrored, _) = book();
    let keys = ["a", "b", "c", "d"];
    list(&mirrored, &keys.map(|key| (key, r#"{"client":"shop"}"#)), 1);
    for (at, key) in keys.iter().enumerate() {
        assert!(find(&book, "x", "shop").is_some(), "{} keys are left", keys.len() - at);
        mirrored.delete(key.as_bytes(), 2);
    }
    assert!(find(&book, "x", "shop").is_none());
}

#[test]
fn a_token_that_another_key_may_name_too_stays_until_the_next_listing() {
    let (book, mirrored, _) = book();
    list(&mirrored, &[("east/a", ""), ("a", "")], 1);
    mirrored.delete(b"east/a", 2);
    assert!(find(&book, "a", "").is_some());
    list(&mirrored, &[("a", "")], 3);
    assert!(find(&book, "a", "").is_some());
    mirrored.put(b"note", br#"{"jti":"b"}"#, 4);
    mirrored.delete(b"note", 5);
    assert!(find(&book, "b", "").is_some(), "nobody knows what the value was");
    list(&mirrored, &[], 6);
    assert!(find(&book, "b", "").is_none());
}

#[test]
fn a_token_stays_when_one_of_two_keys_that_name_it_goes() {
    for (other, value) in [("east/a", ""), ("note", r#"{"jti":"a"}"#), ("eyJh.eyJi.a", ""), ("a=", "")] {
        for listed in [true, false] {
            let (book, mirrored, _) = book();
            let signed = Token { signature: Some("a".into()), ..Token::default() };
            let signed = Principal::new(PrincipalParts { filter: "test", token: Some(signed), ..PrincipalParts::default() });
            let revoked = || find(&book, "a", "").or_else(|| book.find_now(&signed));
            if listed {
                list(&mirrored, &[("a", ""), (other, value)], 1);
            } else {
                list(&mirrored, &[("a", "")], 1);
                mirrored.put(other.as_bytes(), value.as_bytes(), 2);
            }
            mirrored.delete(b"a", 3);
            assert!(revoked().is_some(), "{other} {listed}");
            list(&mirrored, &[(other, value)], 4);
            assert!(revoked().is_some(), "{other} {listed}");
            list(&mirrored, &[], 5);
            assert!(revoked().is_none(), "{other} {listed}");
        }
    }
}

#[test]
fn a_difference_is_a_fault_only_while_the_source_was_followed_without_a_break() {
    let (book, mirrored, clock) = book();
    let differences = || book.show()["inputs"]["etcd"]["differences"].clone();
    list(&mirrored, &[("a", "")], 1);
    mirrored.lost("gone");
    assert_eq!(book.show()["inputs"]["etcd"]["connected"], false);
    clock.pass(Duration::from_secs(3));
    assert_eq!(book.age_now(), Some(Duration::from_secs(3)));
    assert_eq!(list(&mirrored, &[("b", "")], 2), Differences { missing: 1, surplus: 1 });
    assert_eq!((differences(), book.age_now()), (0.into(), Some(Duration::ZERO)));
    list(&mirrored, &[("b", ""), ("c", "")], 3);
    assert_eq!(differences(), 1);
}

#[test]
fn a_listing_of_more_than_fits_is_not_gathered_and_the_view_is_not_complete() {
    let (book, mirrored, _) = book();
    list(&mirrored, &[("a", "")], 1);
    mirrored.begin();
    // Each thing twice: what is gathered would fit, and is not all.
    for n in (0..300).map(|n| n / 2 % 90) {
        mirrored.listed(format!("k{n}").as_bytes(), br#"{"client":"c"}"#);
        mirrored.listed(format!("t{n}").as_bytes(), b"");
    }
    assert!(mirrored.replace(2, false).is_err());
    assert!(book.age_now().is_none() && find(&book, "a", "").is_some());
    assert_eq!(list(&mirrored, &[("a", "")], 3), Differences::default());
    assert!(book.age_now().is_some());
}

#[test]
fn what_cannot_be_understood_is_counted_and_the_rest_is_in_force() {
    let (book, mirrored, _) = book();
    list(&mirrored, &[("a", "soon"), ("b", ""), ("c", r#"{"client":7}"#), ("", "")], 1);
    mirrored.put(&[0xff], b"", 2);
    assert!(find(&book, "b", "").is_some());
    assert_eq!(book.show()["inputs"]["etcd"]["bad_entries"], 4);
}
