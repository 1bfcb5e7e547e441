//! The `deprecation` filter from outside.

use filter_deprecation::{Deprecation, KIND};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Deprecation>(&KIND);
}

#[test]
fn without_a_date_there_is_nothing_to_tell() {
    assert!(Harness::<Deprecation>::setup().is_idle("{}"));
    assert!(Harness::<Deprecation>::setup().is_idle("{link: 'https://example.org'}"));
    assert!(!Harness::<Deprecation>::setup().is_idle("{sunset: '2026-01-01'}"));
}

#[test]
fn what_is_no_date_or_no_url_is_refused_at_load() {
    for (settings, pointer) in [
        ("{deprecated_at: soon}", "/deprecated_at"),
        ("{sunset: '2026-02-30'}", "/sunset"),
        ("{deprecated_at: '2026-01-02', sunset: '2026-01-01'}", "/sunset"),
        ("{sunset: '2026-01-01', link: 'a>b'}", "/link"),
        ("{sunset: '2026-01-01', link: \"a\\r\\nb: c\"}", "/link"),
    ] {
        assert_eq!(Harness::<Deprecation>::problem(settings).pointer, pointer, "{settings}");
    }
}
