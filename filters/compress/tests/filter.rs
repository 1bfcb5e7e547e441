//! The `compress` filter from outside.

use filter_compress::{Compress, KIND};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Compress>(&KIND);
}

#[test]
fn what_cannot_be_offered_is_refused_at_load() {
    for (settings, pointer) in [
        ("{codings: []}", "/codings"),
        ("{codings: [deflate]}", "/codings/0"),
        ("{types: [text]}", "/types/0"),
        ("{types: [text/*, /]}", "/types/1"),
    ] {
        assert_eq!(Harness::<Compress>::problem(settings).pointer, pointer, "{settings}");
    }
}
