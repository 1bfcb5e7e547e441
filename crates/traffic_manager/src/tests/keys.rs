use super::*;

#[test]
fn keys_are_those_of_the_reference() {
    let place = Place::new("Pets", "/pets/v1/", "1.0.0", "/pets/{id}", "GET");
    assert_eq!(&*place.api_key, "/pets/v1:1.0.0");
    assert_eq!(&*place.resource_key, "/pets/v1/1.0.0/pets/{id}:GET");
    let caller = Caller { user: "alice@carbon.super".into(), application: "7".into(), ..Caller::anonymous([127, 0, 0, 1].into()) };
    let key = |write: fn(&Caller<'_>, &Place, &mut String), caller: &Caller<'_>| {
        let mut key = String::new();
        write(caller, &place, &mut key);
        key
    };
    let subscription = |caller: &_| key(|caller, place, to| caller.subscription_key(place, to), caller);
    assert_eq!(subscription(&caller), "7:/pets/v1:1.0.0");
    assert_eq!(key(|caller, _, to| caller.application_key(to), &caller), "7:alice@carbon.super");
    assert_eq!(subscription(&Caller::anonymous([192, 0, 2, 7].into())), "192.0.2.7:/pets/v1:1.0.0");
    let mapped = "::ffff:192.0.2.7".parse().unwrap();
    assert_eq!(subscription(&Caller::anonymous(mapped)), "192.0.2.7:/pets/v1:1.0.0");
}

#[test]
fn an_api_with_a_tier_counts_its_operations_together() {
    let place = || Place::new("Pets", "/", "2", "/a", "PUT");
    assert_eq!(place().counted_by(), "//2/a:PUT");
    assert_eq!((place().resource_tier("Gold").counted_by(), &*place().resource_tier("Gold").api_tier), ("//2/a:PUT", UNLIMITED));
    let tiered = place().api_tier("Silver");
    assert_eq!((tiered.counted_by(), &*tiered.api_tier, &*tiered.resource_tier), ("/:2", "Silver", "Silver"));
}

#[test]
fn a_base_path_may_name_its_tenant() {
    for (path, expected) in
        [("/t/example.com/pets/v1", "example.com"), ("/t//pets", "carbon.super"), ("/pets", "carbon.super"), ("/", "carbon.super")]
    {
        assert_eq!(&*Place::new("", path, "1", "/", "GET").tenant, expected, "{path}");
    }
}
