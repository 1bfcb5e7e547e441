//! The `wasm` filter from outside.
#![cfg(feature = "compiler")]

mod guests;

use base64::{Engine, engine::general_purpose::STANDARD};
use filter_wasm::{KIND, Wasm};
use tollgate_filter_api::{RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::Conformance;
use tollgate_sandbox::digest;

fn server(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    match request.target.as_ref().map(|target| target.path()) {
        Some("/decide") => Ok(RemoteResponse::of_type(200, "text/plain", "fine")),
        _ => Err(RemoteError("it is away".to_owned())),
    }
}

#[test]
fn it_conforms() {
    let polish = guests::polish();
    Conformance::<Wasm>::new(&KIND)
        .document("filters/tenant.wasm", guests::bodies())
        .document("fields.wasm", guests::fields())
        .document("bodies.wasm", guests::bodies())
        .document("calls.wasm", guests::calls())
        .value("polish.bytes", STANDARD.encode(&polish))
        .value("polish.sha256", hex::encode(digest(&polish)))
        .answer_with(server)
        .run();
}
