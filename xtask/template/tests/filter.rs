//! The `__name__` filter from outside.

use filter___name__::{KIND, __Name__};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<__Name__>(&KIND);
}

#[test]
fn a_header_that_http_does_not_allow_is_refused_at_load() {
    assert_eq!(Harness::<__Name__>::problem("{header: 'X Client'}").pointer, "/header");
}
