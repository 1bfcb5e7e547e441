//! The `authorize` filter from outside.

use filter_authorize::{Authorize, KIND};
use tollgate_filter_testkit::conformance;

#[test]
fn it_conforms() {
    conformance::<Authorize>(&KIND);
}
