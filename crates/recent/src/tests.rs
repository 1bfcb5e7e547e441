use super::*;

fn places<K, V>(recent: &Recent<K, V>) -> usize {
    recent.shards.iter().map(|shard| locked(shard).places.len()).sum()
}

#[test]
fn it_keeps_no_more_than_it_may() {
    for room in [0, 1, 2, 63, 64, 65, 1000] {
        let recent = Recent::new(room);
        for i in 0..20 * room.max(SHARDS) {
            recent.put(i, i);
            recent.put(i, i);
            assert!(recent.len() <= room);
        }
        assert_eq!((recent.len(), places(&recent)), (room, room));
        assert_eq!(recent.is_empty(), room == 0);
    }
}

#[test]
fn it_gives_back_what_was_put_last_and_nothing_else() {
    let recent = Recent::<String, u32>::new(200);
    for i in 0..5000_u32 {
        recent.put(i.to_string(), 0);
        recent.put(i.to_string(), i);
    }
    let found: Vec<(u32, u32)> = (0..6000).filter_map(|i| Some((i, recent.get(i.to_string().as_str())?))).collect();
    assert_eq!(found.len(), 200);
    assert!(found.iter().all(|(asked, value)| asked == value), "{found:?}");
}

#[test]
fn what_is_used_between_two_newcomers_stays() {
    let recent = Recent::new(SHARDS * 2);
    recent.put(0, ());
    for i in 1..2000 {
        assert!(recent.get(&0).is_some(), "gone after {i} others");
        recent.put(i, ());
    }
}

#[test]
fn what_its_reader_refuses_does_not_count_as_used() {
    let recent = Recent::new(1);
    recent.put(0, ());
    assert_eq!(recent.find(&0, |()| None::<()>), None);
    assert!(!locked(&recent.shards[0]).slots[0].used);
    recent.get(&0).unwrap();
    assert!(locked(&recent.shards[0]).slots[0].used);
}

#[test]
fn whoever_comes_last_has_a_place_when_it_is_full() {
    let recent = Recent::new(SHARDS);
    for i in 0..2000 {
        recent.put(i, i);
        assert_eq!(recent.get(&i), Some(i));
    }
}

#[test]
fn keys_with_one_hash_are_never_taken_for_each_other() {
    #[derive(PartialEq, Eq)]
    struct Alike(u8);
    impl Hash for Alike {
        fn hash<H: Hasher>(&self, _: &mut H) {}
    }
    let recent = Recent::new(SHARDS);
    recent.put(Alike(1), "one");
    assert_eq!((recent.get(&Alike(1)), recent.get(&Alike(2))), (Some("one"), None));
    recent.put(Alike(2), "two");
    assert_eq!((recent.get(&Alike(1)), recent.get(&Alike(2))), (None, Some("two")));
}
