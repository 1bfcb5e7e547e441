use super::*;

fn said(published: Option<u64>, heard: u64) -> Said {
    Said { published, heard }
}

fn keys(templates: &Templates) -> Vec<String> {
    let place = Place::new("Pets", "/t/x.org/pets", "1", "/a", "GET");
    let caller = Caller {
        user: "alice".into(),
        application: "7".into(),
        application_tenant: "y.org".into(),
        ..Caller::anonymous([192, 0, 2, 7].into())
    };
    let key = |template: &Template| {
        let mut key = String::new();
        template.key(&place, &caller, &mut key);
        key
    };
    let mut keys: Vec<String> = templates.used().iter().map(key).collect();
    keys.sort();
    keys
}

#[test]
fn a_template_names_what_a_request_has() {
    for (template, expected) in [
        ("$userId:$apiContext:$apiVersion", "alice:/t/x.org/pets:1"),
        ("$resourceKey$appId", "/t/x.org/pets/1/a:GET7"),
        ("$appTenant/$apiTenant/$clientIp", "y.org/x.org/192.0.2.7"),
        ("plain $unknown é$", "plain $unknown é$"),
        ("$customProperty.x", "$customProperty.x"),
    ] {
        let templates = Templates::default();
        templates.told(template, true, said(None, 0)).unwrap();
        assert_eq!(keys(&templates), [expected], "{template}");
    }
}

#[test]
fn adding_and_removing_may_arrive_swapped() {
    let templates = Templates::default();
    templates.told("a", true, said(Some(20), 0)).unwrap();
    templates.told("a", false, said(Some(20), 1)).unwrap();
    templates.told("a", false, said(Some(19), 1)).unwrap();
    assert_eq!(keys(&templates), ["a"], "a remove that is not newer");
    templates.told("b", false, said(Some(20), 1)).unwrap();
    templates.told("b", true, said(Some(19), 2)).unwrap();
    assert_eq!(keys(&templates), ["a"], "an add that is older than its remove");
    templates.told("a", false, said(Some(21), 3)).unwrap();
    templates.told("b", true, said(None, 3)).unwrap();
    assert_eq!(keys(&templates), ["b"]);
}

#[test]
fn a_list_takes_the_place_of_what_was_known_when_it_was_asked_for() {
    let templates = Templates::default();
    for (template, is_there, heard) in [("old", true, 5), ("kept", true, 5), ("new", true, 20), ("gone", false, 20), ("back", false, 5)] {
        templates.told(template, is_there, said(None, heard)).unwrap();
    }
    let list = ["kept", "gone", "back", "more"].map(str::to_owned);
    assert_eq!(templates.listed(&list, 10), 0);
    assert_eq!(keys(&templates), ["back", "kept", "more", "new"]);
}

#[test]
fn there_is_room_for_so_many_and_what_is_gone_is_forgotten() {
    let templates = Templates::default();
    for number in 0..MOST_TEMPLATES {
        templates.told(&number.to_string(), number > 0, said(None, 0)).unwrap();
    }
    assert!(templates.told("more", true, said(None, 0)).is_err());
    templates.tick(crate::bounds::REMEMBERED);
    templates.told("more", true, said(None, 0)).unwrap();
    assert_eq!(keys(&templates).len(), MOST_TEMPLATES);
    let list: Vec<String> = (0..MOST_TEMPLATES + 7).map(|number| format!("list {number}")).collect();
    assert_eq!((templates.listed(&list, 1), keys(&templates).len()), (7, MOST_TEMPLATES));
}
