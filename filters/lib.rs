//! The catalogue: what this gateway can do.
//!
//! One explicit list. A filter that is not in it does not exist for the compiler, the gateway, the manual or the tests.

use tollgate_filter_api::Kind;

/// Every filter, in the order in which they stand in a chain that the operator did not order.
///
/// A browser's preflight carries no credentials, so `cors` stands before whoever asks for some. What copies the caller's
/// name into a header stands after whoever says who is calling.
pub const FILTERS: &[Kind] = &[
    filter_cors::KIND, //
];

/// The filter of that ID.
pub fn find(id: &str) -> Option<&'static Kind> {
    FILTERS.iter().find(|kind| kind.id == id)
}
