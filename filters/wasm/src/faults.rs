//! What becomes of a guest that breaks, and of one that answers.

use std::time::Duration;

use tollgate_filter_api::{Answer, Fault, Reason, Reply};
use tollgate_proxy_wasm::{Broken, Kind, LocalAnswer};

static ANSWER: Reply = Reply::new(
    "wasm.answer",
    200,
    "A module answered the request",
    "A WebAssembly module answered in the upstream's place. Status, fields and body are the module's.",
);

/// Every way in which the filter ends a request.
pub const REASONS: &[Reason] = &[*ANSWER.reason()];

/// A guest that broke. The client gets 503.
pub fn fault(broken: &Broken) -> Fault {
    let id = match broken.kind {
        Kind::Trap => "wasm.trap",
        Kind::Time => "wasm.time",
        Kind::Refused => "wasm.refused",
        Kind::Paused => "wasm.paused",
        Kind::Closed => "wasm.closed",
    };
    Fault::new(id, broken.to_string())
}

/// No instance is free.
pub fn busy(title: &str) -> Fault {
    Fault::new("wasm.busy", format!("{title}: as many requests have an instance of it as `limits.instances` allows"))
        .retry_after(Duration::from_secs(1))
}

/// A guest's own answer.
pub fn answer(local: LocalAnswer) -> Answer {
    let answer = ANSWER.answer().with_status(local.status).body(local.body);
    local.fields.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}
