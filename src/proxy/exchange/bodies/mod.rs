//! Bodies that do not just stream past: read whole or changed on the way, and the sub-requests that carry them.

mod judged;
pub(super) mod rewritten;
pub(super) mod subrequest;
pub(super) mod whole_answer;
pub(super) mod whole_body;
