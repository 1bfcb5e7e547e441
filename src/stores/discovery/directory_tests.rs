use super::*;

const PREFIX: &str = "/pets/";

fn entries(urls: &[&str]) -> Arc<[Entry]> {
    urls.iter().map(|url| Entry { url: (*url).to_owned(), weight: 1, zone: None, priority: 0 }).collect()
}

fn key(name: &str) -> Key {
    Key::Etcd(format!("{PREFIX}{name}").into())
}

fn source(absence: Absence) -> Source {
    Source { place: Place::Prefix(PREFIX.into()), absence }
}

/// The URLs of a source, after what is gone was let go of.
fn urls(directory: &Directory, source: &Source) -> Option<Vec<String>> {
    directory.settle([source].into_iter());
    let found = directory.find(source)?;
    Some(found.iter().flat_map(|found| found.entries.iter().map(|entry| entry.url.clone())).collect())
}

fn listing(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<Arc<[Entry]>>> {
    pairs.iter().map(|(name, url)| (format!("{PREFIX}{name}"), url.map(|url| entries(&[url])))).collect()
}

fn is(urls: Option<Vec<String>>, expected: &[&str]) -> bool {
    urls.is_some_and(|urls| urls == expected)
}

#[test]
fn endpoints_are_in_the_order_of_their_keys_and_of_their_own_place_alone() {
    let directory = Directory::default();
    for name in ["b", "c", "a"] {
        directory.put(key(name), entries(&[name]), By::Etcd);
    }
    directory.put(Key::Etcd("/pets".into()), entries(&["before"]), By::Etcd);
    directory.put(Key::Etcd("/pets0".into()), entries(&["behind"]), By::Etcd);
    assert!(is(urls(&directory, &source(Absence::Keep)), &["a", "b", "c"]));
    let one = Source { place: Place::Key("/pets".into()), absence: Absence::Keep };
    assert!(is(urls(&directory, &one), &["before"]));
}

#[test]
fn a_place_that_is_not_to_be_empty_keeps_what_went_last_until_something_comes() {
    let (directory, source) = (Directory::default(), source(Absence::Keep));
    directory.replace(listing(&[("a", Some("a")), ("b", Some("b")), ("c", Some("c"))]), Vec::new());
    directory.delete(&key("b"));
    assert!(is(urls(&directory, &source), &["a", "c"]));
    directory.delete(&key("a"));
    directory.delete(&key("c"));
    assert_eq!(directory.settle([&source].into_iter()).0, 1);
    assert!(is(urls(&directory, &source), &["a", "c"]), "what had gone before is not there again");
    directory.put(key("d"), entries(&["d"]), By::Etcd);
    assert_eq!(directory.settle([&source].into_iter()).0, 0);
    assert!(is(urls(&directory, &source), &["d"]));
    directory.replace(listing(&[]), Vec::new());
    assert!(is(urls(&directory, &source), &["d"]));
}

#[test]
fn a_place_that_may_be_empty_is_so_once_that_is_known() {
    let (directory, source) = (Directory::default(), source(Absence::Empty));
    assert!(urls(&directory, &source).is_none(), "nobody was asked yet");
    directory.replace(listing(&[]), Vec::new());
    assert!(is(urls(&directory, &source), &[]));
    directory.put(key("a"), entries(&["a"]), By::Etcd);
    assert!(is(urls(&directory, &source), &["a"]));
    directory.delete(&key("a"));
    assert!(is(urls(&directory, &source), &[]));
}

#[test]
fn a_key_of_a_definition_that_goes_leaves_the_place_to_the_default() {
    let source = Source { place: Place::Key("/pets/a".into()), absence: Absence::Default };
    let directory = Directory::default();
    directory.put(key("a"), entries(&["a"]), By::Etcd);
    assert!(is(urls(&directory, &source), &["a"]));
    directory.delete(&key("a"));
    assert!(urls(&directory, &source).is_none());
    assert!(directory.all().is_empty(), "what serves nobody is not kept");
}

#[test]
fn a_listing_with_a_bad_value_keeps_the_last_good_one_and_says_what_is_news() {
    let (directory, source) = (Directory::default(), source(Absence::Keep));
    assert_eq!(directory.replace(listing(&[("a", Some("a")), ("b", Some("b"))]), Vec::new()), 2);
    assert_eq!(directory.replace(listing(&[("a", None), ("b", Some("b"))]), Vec::new()), 0);
    assert!(is(urls(&directory, &source), &["a", "b"]));
    assert_eq!(directory.replace(listing(&[("a", Some("c")), ("d", None)]), Vec::new()), 2);
    assert!(is(urls(&directory, &source), &["c"]));
}

#[test]
fn a_change_touches_the_sources_it_is_about_and_is_told_once() {
    let directory = Directory::default();
    directory.put(key("a"), entries(&["a"]), By::Etcd);
    let (_, changed) = directory.settle([].into_iter());
    let other = Source { place: Place::Prefix("/dogs/".into()), absence: Absence::Keep };
    assert!(changed.touches(&source(Absence::Keep)) && !changed.touches(&other));
    directory.put(key("a"), entries(&["a"]), By::Etcd);
    assert!(!directory.settle([].into_iter()).1.touches(&source(Absence::Keep)), "the same again");
    directory.touch();
    assert!(directory.settle([].into_iter()).1.touches(&other));
}

#[test]
fn names_and_keys_of_etcd_do_not_meet() {
    let name: DnsName = serde_json::from_value(serde_json::json!({ "name": "pets.example" })).unwrap();
    let source = Source { place: Place::Name(name.clone()), absence: Absence::Keep };
    let directory = Directory::default();
    let key = Key::Dns(Arc::new(name));
    directory.put(key.clone(), entries(&["a"]), By::Dns);
    directory.replace(listing(&[]), Vec::new());
    assert!(is(urls(&directory, &source), &["a"]));
    directory.delete(&key);
    assert!(is(urls(&directory, &source), &["a"]));
    let empty = Source { absence: Absence::Empty, ..source };
    assert!(is(urls(&directory, &empty), &[]));
}

#[test]
fn what_etcd_does_not_let_us_read_is_neither_gone_nor_empty() {
    let (directory, keeping, empty) = (Directory::default(), source(Absence::Keep), source(Absence::Empty));
    let unread = || vec![Keys::Prefix(PREFIX.into())];
    directory.replace(BTreeMap::new(), unread());
    assert!(urls(&directory, &empty).is_none(), "it is not known to be empty");
    directory.replace(listing(&[("a", Some("a"))]), Vec::new());
    assert_eq!(directory.replace(BTreeMap::new(), unread()), 0);
    assert!(is(urls(&directory, &empty), &["a"]) && is(urls(&directory, &keeping), &["a"]));
    assert_eq!(directory.settle([&keeping].into_iter()).0, 0);
}
