use std::{collections::HashMap, sync::Arc};

use tollgate_filter_api::{PrincipalParts, Token};

use super::*;
use crate::{Instruction, entry::NEVER, text};

const NOW: u32 = 1_800_000_000;

fn said(json: &str) -> Vec<Statement> {
    Instruction::read(json.as_bytes(), 100, NOW).unwrap()
}

fn list() -> List {
    List::new(Seed::random(), 1_000_000)
}

fn token(id: &str, signature: &str, issued: Option<i64>) -> Principal {
    let token = Token { id: Some(id.into()), signature: Some(signature.into()), issued, ..Token::default() };
    Principal::new(PrincipalParts {
        filter: "test",
        subject: Some("alice".into()),
        client: Some("app".into()),
        token: Some(token),
        ..PrincipalParts::default()
    })
}

fn find(list: &List, principal: &Principal) -> Option<RevokedBy> {
    list.find(principal, || NOW)
}

#[test]
fn each_kind_finds_what_it_names_and_nothing_else() {
    for (json, by) in [
        (r#"{"jti":"id"}"#, RevokedBy::TokenId),
        (r#"{"signature":"sig=="}"#, RevokedBy::Signature),
        (r#"{"token":"eyJh.eyJi.sig"}"#, RevokedBy::Signature),
        (r#"{"client":"app"}"#, RevokedBy::Client),
        (r#"{"subject":"alice","before":1000000001}"#, RevokedBy::Subject),
        (r#"{"kind":"jti","value":"id"}"#, RevokedBy::TokenId),
    ] {
        let list = list();
        list.add(Input::Admin, &said(json), NOW).unwrap();
        assert_eq!(find(&list, &token("id", "sig", Some(1_000_000_000))), Some(by), "{json}");
        let other = Principal::new(PrincipalParts { subject: Some("bob".into()), client: Some("id".into()), ..PrincipalParts::default() });
        assert_eq!(find(&list, &other), None, "{json}");
    }
}

#[test]
fn a_token_that_was_signed_anew_by_nobody_is_the_same_token() {
    let list = list();
    list.add(Input::Admin, &said(r#"{"token":"eyJh.eyJi.sig"}"#), NOW).unwrap();
    let other = Token { signature: Some("gis".into()), twin: Some("sig".into()), ..Token::default() };
    let other = Principal::new(PrincipalParts { token: Some(other), ..PrincipalParts::default() });
    assert_eq!(find(&list, &other), Some(RevokedBy::Signature));
}

#[test]
fn an_explicit_jti_is_not_a_signature_and_the_other_way_round() {
    let list = list();
    list.add(Input::Admin, &said(r#"[{"jti":"a"},{"signature":"b"}]"#), NOW).unwrap();
    assert_eq!(find(&list, &token("b", "a", None)), None);
}

#[test]
fn a_message_that_does_not_say_what_it_names_finds_both() {
    let list = list();
    list.add(Input::Broker, &[text(br#"{"revokedToken":"x"}"#, NOW).unwrap()], NOW).unwrap();
    assert_eq!(find(&list, &token("x", "y", None)), Some(RevokedBy::TokenId));
    assert_eq!(find(&list, &token("y", "x", None)), Some(RevokedBy::Signature));
    assert_eq!(list.len(), 1);
}

#[test]
fn tokens_of_a_subject_are_revoked_by_when_they_were_issued() {
    let list = list();
    list.add(Input::Admin, &said(r#"{"subject":"alice","before":1700000000}"#), NOW).unwrap();
    assert_eq!(find(&list, &token("i", "s", Some(1_699_999_999))), Some(RevokedBy::Subject));
    assert_eq!(find(&list, &token("i", "s", Some(1_700_000_000))), None);
    assert_eq!(find(&list, &token("i", "s", None)), Some(RevokedBy::Subject), "a token that says nothing may be an old one");
    let password = Principal::new(PrincipalParts { subject: Some("alice".into()), ..PrincipalParts::default() });
    assert_eq!(find(&list, &password), None);
}

#[test]
fn a_client_without_a_time_is_revoked_for_good_whatever_it_presents() {
    let list = list();
    list.add(Input::Admin, &said(r#"{"client":"app"}"#), NOW).unwrap();
    let key = Principal::new(PrincipalParts { client: Some("app".into()), ..PrincipalParts::default() });
    assert_eq!(find(&list, &key), Some(RevokedBy::Client));
    assert_eq!(find(&list, &token("i", "s", Some(i64::MAX))), Some(RevokedBy::Client));
}

#[test]
fn what_one_input_takes_back_the_others_still_say() {
    let list = list();
    let all = said(r#"{"jti":"id"}"#);
    for input in Input::ALL {
        list.add(input, &all, NOW).unwrap();
    }
    list.remove(Input::Etcd, &all, NOW);
    list.replace(Input::Broker, Vec::new(), NOW).unwrap();
    assert!(find(&list, &token("id", "s", None)).is_some());
    list.remove(Input::Admin, &all, NOW);
    assert_eq!((find(&list, &token("id", "s", None)), list.len()), (None, 0));
}

#[test]
fn an_entry_ends_ten_minutes_after_its_token_and_is_swept() {
    let list = list();
    list.add(Input::Admin, &said(&format!(r#"{{"jti":"id","expires":{}}}"#, NOW + 10)), NOW).unwrap();
    let principal = token("id", "s", None);
    assert!(list.find(&principal, || NOW + 609).is_some());
    assert!(list.find(&principal, || NOW + 610).is_none());
    (0..SHARDS / SWEPT).for_each(|turn| list.sweep(turn, NOW + 609));
    assert_eq!(list.len(), 1);
    (0..SHARDS / SWEPT).for_each(|turn| list.sweep(turn, NOW + 610));
    assert_eq!(list.len(), 0);
}

#[test]
fn a_later_statement_never_weakens_an_earlier_one() {
    let list = list();
    list.add(Input::Admin, &said(r#"[{"jti":"id"},{"jti":"id","ttl":1},{"subject":"alice","before":1700000000}]"#), NOW).unwrap();
    list.add(Input::Admin, &said(r#"{"subject":"alice","before":1600000000}"#), NOW).unwrap();
    assert!(list.find(&token("id", "s", None), || NOW + 1_000_000).is_some());
    assert!(find(&list, &token("x", "s", Some(1_650_000_000))).is_some());
}

#[test]
fn a_full_list_says_so_and_keeps_what_it_has() {
    let list = List::new(Seed::random(), 2);
    list.add(Input::Admin, &said(r#"[{"jti":"a"},{"jti":"b"}]"#), NOW).unwrap();
    assert_eq!(list.add(Input::Broker, &said(r#"{"jti":"c"}"#), NOW), Err(Full(2)));
    assert!(find(&list, &token("a", "s", None)).is_some() && find(&list, &token("c", "s", None)).is_none());
}

#[test]
fn a_new_view_says_how_it_differs() {
    let list = list();
    list.add(Input::Etcd, &said(r#"[{"jti":"a"},{"jti":"b"}]"#), NOW).unwrap();
    list.add(Input::Admin, &said(r#"{"jti":"a"}"#), NOW).unwrap();
    let view = |json: &str| said(json).iter().flat_map(|one| one.entries(list.seed(), Input::Etcd)).collect::<Vec<_>>();
    let same = list.replace(Input::Etcd, view(r#"[{"jti":"b"},{"jti":"a"},{"jti":"a"}]"#), NOW).unwrap();
    assert_eq!(same, Differences::default());
    let other = list.replace(Input::Etcd, view(r#"[{"jti":"b"},{"jti":"c"},{"jti":"d"}]"#), NOW).unwrap();
    assert_eq!(other, Differences { missing: 2, surplus: 1 });
    assert_eq!((list.count(Input::Etcd), list.count(Input::Admin)), (3, 1));
}

/// A model of the list: identity to what counts. Small names, so that everything meets everything.
#[test]
fn a_long_random_history_comes_to_what_a_map_says() {
    let list = list();
    let mut model: HashMap<(u8, u64), ()> = HashMap::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..20_000 {
        let (input, name) = (Input::ALL[next(3) as usize], next(500));
        let statement = said(&format!(r#"{{"jti":"t{name}"}}"#));
        if next(3) == 0 {
            list.remove(input, &statement, NOW);
            model.remove(&(input as u8, name));
        } else {
            list.add(input, &statement, NOW).unwrap();
            model.insert((input as u8, name), ());
        }
    }
    assert_eq!(list.len(), model.len());
    for name in 0..500 {
        let known = Input::ALL.iter().any(|input| model.contains_key(&(*input as u8, name)));
        assert_eq!(find(&list, &token(&format!("t{name}"), "s", None)).is_some(), known, "{name}");
    }
}

#[test]
fn nothing_good_is_refused_among_a_hundred_thousand() {
    let list = list();
    let entries: Vec<Entry> = (0..100_000)
        .map(|n| Entry::new(list.seed().digest(Kind::TokenId, &format!("r{n}")), Kind::TokenId as u8, Input::Etcd, NEVER, 0))
        .collect();
    list.replace(Input::Etcd, entries, NOW).unwrap();
    for n in 0..100_000 {
        assert!(find(&list, &token(&format!("g{n}"), "s", None)).is_none());
        assert!(n % 10 != 0 || find(&list, &token(&format!("r{n}"), "s", None)).is_some());
    }
}

#[test]
fn readers_see_every_entry_that_was_added_before_while_others_are_added() {
    let list = Arc::new(list());
    list.add(Input::Admin, &said(r#"{"jti":"first"}"#), NOW).unwrap();
    let reader = {
        let list = list.clone();
        std::thread::spawn(move || (0..200_000).all(|_| find(&list, &token("first", "s", None)).is_some()))
    };
    for n in 0..2_000 {
        list.add(Input::Etcd, &said(&format!(r#"{{"jti":"n{n}"}}"#)), NOW).unwrap();
        list.sweep(n, NOW);
    }
    assert!(reader.join().unwrap());
}

#[test]
fn what_is_said_in_one_breath_is_all_in_force_and_all_taken_back() {
    let list = list();
    let all: Vec<Statement> = (0..2000).flat_map(|n| said(&format!(r#"{{"jti":"t{n}"}}"#))).collect();
    list.add(Input::Broker, &all, NOW).unwrap();
    assert!((0..2000).all(|n| find(&list, &token(&format!("t{n}"), "s", None)).is_some()));
    list.remove(Input::Broker, &all, NOW);
    assert!(list.is_empty() && (0..2000).all(|n| find(&list, &token(&format!("t{n}"), "s", None)).is_none()));
}

#[test]
fn a_full_list_lets_go_of_what_is_taken_back() {
    let list = List::new(Seed::random(), 1);
    list.add(Input::Broker, &said(r#"{"jti":"a"}"#), NOW).unwrap();
    list.remove(Input::Broker, &said(r#"{"jti":"a"}"#), NOW);
    assert_eq!(find(&list, &token("a", "s", None)), None);
}

#[test]
fn a_view_that_says_one_thing_twice_says_the_more_of_it() {
    let ends = [NOW + 5, NOW + 50];
    for order in [[0, 1], [1, 0]] {
        let list = List::new(Seed::random(), 10);
        let of = |end: u32| Entry::new(list.seed().digest(Kind::TokenId, "a"), Kind::TokenId as u8, Input::Etcd, end, 0);
        list.replace(Input::Etcd, order.map(|at| of(ends[at])).to_vec(), NOW).unwrap();
        assert_eq!(list.len(), 1);
        assert!(list.find(&token("a", "s", None), || NOW + 49).is_some(), "{order:?}");
    }
}

#[test]
fn a_view_needs_room_for_itself_and_not_for_the_one_it_replaces() {
    let list = List::new(Seed::random(), 10);
    let view = |names: std::ops::Range<u32>| -> Vec<Entry> {
        let of = |n: u32| Entry::new(list.seed().digest(Kind::TokenId, &n.to_string()), Kind::TokenId as u8, Input::Etcd, NEVER, 0);
        names.map(of).collect()
    };
    list.replace(Input::Etcd, view(0..10), NOW).unwrap();
    list.replace(Input::Etcd, view(5..15), NOW).unwrap();
    assert_eq!(list.replace(Input::Etcd, view(0..11), NOW), Err(Full(10)));
    assert!(find(&list, &token("14", "s", None)).is_some() && find(&list, &token("0", "s", None)).is_none());
}

#[test]
fn what_one_input_says_counts_though_another_says_less() {
    for (weak, strong) in [(Input::Admin, Input::Etcd), (Input::Etcd, Input::Admin)] {
        let list = list();
        list.add(weak, &said(&format!(r#"{{"subject":"alice","before":{},"ttl":1}}"#, NOW - 500)), NOW).unwrap();
        list.add(strong, &said(&format!(r#"{{"subject":"alice","before":{}}}"#, NOW - 100)), NOW).unwrap();
        for now in [NOW, NOW + 100_000] {
            assert!(list.find(&token("x", "s", Some(i64::from(NOW - 200))), || now).is_some(), "{weak:?} {now}");
        }
        assert!(find(&list, &token("x", "s", Some(i64::from(NOW)))).is_none());
    }
}

/// Two names of one part of the list, the later one first.
#[test]
fn what_is_said_in_one_breath_may_be_in_any_order() {
    let list = list();
    let digest = |n: u32| list.seed().digest(Kind::TokenId, &format!("t{n}"));
    let mut pairs = (1..).filter(|n| shard_of(digest(*n).high) == shard_of(digest(0).high) && digest(*n) != digest(0));
    let mut names: Vec<u32> = std::iter::once(0).chain(pairs.by_ref().take(7)).collect();
    names.sort_by_key(|n| std::cmp::Reverse(digest(*n)));
    let all: Vec<Statement> = names.iter().flat_map(|n| said(&format!(r#"{{"jti":"t{n}"}}"#))).collect();
    list.add(Input::Admin, &all, NOW).unwrap();
    assert!(names.iter().all(|n| find(&list, &token(&format!("t{n}"), "s", None)).is_some()));
}
