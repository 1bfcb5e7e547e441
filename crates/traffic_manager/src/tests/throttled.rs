use serde_json::json;

use super::*;

struct Kind(&'static str);

impl Facts for Kind {
    fn header(&self, name: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
        name == "X-Kind" && is(self.0.as_bytes())
    }
    fn query(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
        false
    }
    fn claim(&self, _: &str, _: &dyn Fn(&[u8]) -> bool) -> bool {
        false
    }
}

fn groups(pattern: &str) -> Vec<Group> {
    use base64::Engine;
    let text = json!([{"header": {"values": {"X-Kind": pattern}}}]).to_string();
    crate::decisions::conditions::read(&base64::engine::general_purpose::STANDARD.encode(text)).unwrap()
}

fn asked(throttled: &Throttled, now: u64, kind: &'static str) -> Option<u64> {
    throttled.refuses("/a:1", now, [127, 0, 0, 1].into(), &Kind(kind))
}

#[test]
fn a_key_says_which_of_its_requests_it_means() {
    for (key, base, pipeline) in [
        ("/a:1", "/a:1", None),
        ("/a:1_default", "/a:1", Some("default")),
        ("/a/1/x_y:GET_condition_12", "/a/1/x_y:GET", Some("condition_12")),
        ("/a:1_condition_", "/a:1_condition_", None),
        ("/a:1_condition_x", "/a:1_condition_x", None),
        ("/a:condition_1", "/a:condition_1", None),
        ("7:user_default", "7:user_default", None),
        ("_default", "_default", None),
        ("", "", None),
    ] {
        assert_eq!(Key::new(key), Key { base: base.to_owned(), pipeline: pipeline.map(str::to_owned) }, "{key}");
    }
}

#[test]
fn a_decision_holds_until_its_end_or_until_it_is_taken_back() {
    let (throttled, key) = (Throttled::default(), Key::new("/a:1"));
    throttled.set(&key, 100, Vec::new(), 0).unwrap();
    assert_eq!([99, 100, 101].map(|now| asked(&throttled, now, "")), [Some(100), Some(100), None]);
    assert_eq!((throttled.until("/a:1", 100), throttled.until("/a:2", 100)), (Some(100), None));
    throttled.set(&key, 200, Vec::new(), 0).unwrap();
    assert_eq!(asked(&throttled, 150, ""), Some(200));
    throttled.remove(&key, 0);
    throttled.remove(&Key::new("/b:1"), 0);
    assert_eq!((asked(&throttled, 0, ""), throttled.len(), throttled.weight()), (None, 0, 0));
}

#[test]
fn conditions_say_whom_a_decision_is_for_and_the_default_is_for_all_others() {
    let throttled = Throttled::default();
    throttled.set(&Key::new("/a:1_condition_1"), 100, groups("gold"), 0).unwrap();
    assert_eq!([asked(&throttled, 0, "gold"), asked(&throttled, 0, "tin")], [Some(100), None]);
    throttled.set(&Key::new("/a:1_default"), 200, groups("gold"), 0).unwrap();
    assert_eq!([asked(&throttled, 0, "gold"), asked(&throttled, 0, "tin")], [Some(100), Some(200)]);
    assert_eq!([asked(&throttled, 101, "gold"), asked(&throttled, 101, "tin")], [None, Some(200)], "each has its own end");
    throttled.remove(&Key::new("/a:1_condition_1"), 0);
    assert_eq!([asked(&throttled, 0, "gold"), asked(&throttled, 0, "tin")], [None, Some(200)]);
    throttled.set(&Key::new("/a:1_default"), 300, Vec::new(), 0).unwrap();
    assert_eq!([asked(&throttled, 0, "gold"), asked(&throttled, 0, "tin")], [Some(300); 2], "a policy without conditions is for all");
}

#[test]
fn what_has_passed_leaves_by_ticks() {
    let throttled = Throttled::default();
    for number in 0..1000 {
        throttled.set(&Key::new(&format!("/{number}:1")), 100 + number % 2, Vec::new(), 0).unwrap();
    }
    throttled.set(&Key::new("/a:1_default"), 50, Vec::new(), 0).unwrap();
    throttled.set(&Key::new("/a:1"), 500, Vec::new(), 0).unwrap();
    (0..TURNS).for_each(|_| throttled.tick(101));
    assert_eq!((throttled.len(), throttled.weight()), (501, 501));
    (0..TURNS).for_each(|_| throttled.tick(102));
    assert_eq!((throttled.len(), throttled.weight()), (1, 1));
}

#[test]
fn when_there_is_no_room_what_has_passed_makes_some_and_what_is_in_force_stays() {
    let throttled = Throttled::default();
    let set = |number: usize, until, now| throttled.set(&Key::new(&number.to_string()), until, Vec::new(), now);
    for number in 0..MOST_ENTRIES {
        set(number, 100 + (number as u64 % 2), 0).unwrap();
    }
    assert!(set(MOST_ENTRIES, 100, 0).is_err());
    set(7, 300, 0).unwrap();
    assert_eq!((throttled.len(), throttled.until("7", 0), throttled.until("0", 0)), (MOST_ENTRIES, Some(300), Some(100)));
    set(MOST_ENTRIES, 400, 101).unwrap();
    assert_eq!((throttled.until("100000", 101), throttled.until("0", 0), throttled.until("1", 101)), (Some(400), None, Some(101)));
}

#[test]
fn a_key_has_so_many_conditions_and_patterns_take_more_room() {
    let throttled = Throttled::default();
    for number in 0..MOST_CONDITIONS {
        throttled.set(&Key::new(&format!("/a:1_condition_{number}")), 100, groups("gold"), 0).unwrap();
    }
    assert!(throttled.set(&Key::new("/a:1_condition_99"), 100, groups("gold"), 0).is_err());
    throttled.set(&Key::new("/a:1_condition_7"), 200, groups("tin"), 0).unwrap();
    assert_eq!((throttled.len(), throttled.weight()), (1, MOST_CONDITIONS * 26));
    assert_eq!(asked(&throttled, 101, "tin"), Some(200));
}
