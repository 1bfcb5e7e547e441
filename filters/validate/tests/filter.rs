//! The `validate` filter from outside.

use filter_validate::{KIND, Validate};
use tollgate_filter_testkit::conformance;

#[test]
fn it_conforms() {
    conformance::<Validate>(&KIND);
}
