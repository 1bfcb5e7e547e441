//! What the `wasm` filter does beyond its cases.
#![cfg(feature = "compiler")]
#![allow(clippy::unwrap_used)]

mod guests;

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use filter_wasm::Wasm;
use serde_json::{Value, json};
use tollgate_filter_api::{Problem, ResponseHead};
use tollgate_filter_testkit::{Harness, Run, Setup};
use tollgate_sandbox::digest;

/// A guest in Rust, of `tests/guests/built`.
fn built(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/built").join(name).with_extension("wasm")).unwrap()
}

fn with(wasm: Vec<u8>) -> Setup<Wasm> {
    Harness::setup().document("guest.wasm", wasm)
}

fn running(wasm: Vec<u8>, settings: &str) -> Harness<Wasm> {
    with(wasm).yaml(&format!("{{module: guest.wasm, {settings}}}"))
}

fn problem(wasm: Vec<u8>, settings: &str) -> Problem {
    with(wasm).problem(&format!("{{module: guest.wasm, {settings}}}"))
}

fn fault(run: &Run) -> (&'static str, String) {
    let fault = run.outcome().as_ref().unwrap_err();
    (fault.id, fault.cause.to_string())
}

#[test]
fn a_fault_names_module_digest_callback_and_the_guests_last_words() {
    let wasm = built("panics");
    let harness = running(wasm.clone(), "");
    let run = harness.request("GET", "/").header("x-panic", "no such tenant").run();
    let (id, cause) = fault(&run);
    assert_eq!(id, "wasm.trap");
    for part in ["module `guest`", &hex::encode(digest(&wasm))[..12], "`proxy_on_request_headers`", "no such tenant"] {
        assert!(cause.contains(part), "{part}: {cause}");
    }
    assert_eq!(harness.metric("wasm_broken_total", None), 1.0);
    harness.request("GET", "/").run().next();
}

#[test]
fn a_guest_that_breaks_when_its_request_is_over_harms_nobody() {
    let harness = running(built("panics"), "");
    let mut run = harness.request("GET", "/").header("x-panic", "late").header("x-panic-in", "done").run().next();
    run.done(200);
    assert_eq!(harness.metric("wasm_broken_total", None), 1.0);
    harness.request("GET", "/").run().next().done(200);
}

#[test]
fn as_many_requests_as_there_are_instances_and_one_more_is_refused() {
    let harness = running(guests::fields(), "limits: {instances: 2}");
    let first = harness.request("GET", "/").run().next();
    let mut second = harness.request("GET", "/").run().next();
    let busy = harness.request("GET", "/").run().assert_fault("wasm.busy");
    assert!(busy.outcome().as_ref().unwrap_err().retry_after.is_some());
    assert_eq!(harness.metric("wasm_busy_total", None), 1.0);
    second.done(200);
    let third = harness.request("GET", "/").run().next();
    // A request that is given up gives its instance up.
    drop((first, third));
    harness.request("GET", "/").run().next();
}

#[test]
fn an_answer_that_takes_the_place_of_the_first_gets_what_the_guest_did_to_that() {
    let mut run = running(built("headers"), "").request("GET", "/").run().next();
    let first = run.response_with(200, &[("server-secret", "1")]);
    assert_eq!(first.fields()["x-status-seen"], "200");
    let second = run.response_with(503, &[("server-secret", "1")]);
    assert_eq!((&second.fields()["x-guest"], &second.fields()["x-status-seen"]), (&"headers".parse().unwrap(), &"200".parse().unwrap()));
    assert!(!second.fields().contains_key("server-secret"));
}

#[test]
fn the_head_of_an_answer_that_is_held_is_shown_once() {
    let settings = "response_body: whole";
    let mut run = running(built("headers"), settings).request("GET", "/").run().next();
    let (head, _) = run.answer_with(200, &[("content-type", "text/plain")], "body");
    let mut head: ResponseHead = {
        let mut copy = ResponseHead::build(head.status()).unwrap();
        head.fields().iter().for_each(|(name, value)| copy.append(name.clone(), value.clone()));
        copy
    };
    run.try_response(&mut head).unwrap();
    assert_eq!(head.fields().get_all("x-status-seen").iter().count(), 1, "{head:?}");
}

#[test]
fn a_guest_cannot_hold_the_head_of_an_answer_that_streams() {
    let holds = wat::parse_str(
        r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1"))
            (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 1)))"#,
    );
    let harness = running(holds.unwrap(), "");
    let mut run = harness.request("GET", "/").run().next();
    let fault = run.try_response(&mut ResponseHead::build(200).unwrap()).unwrap_err();
    assert!(fault.id == "wasm.paused" && fault.cause.contains("`response_body: whole` holds it"), "{fault}");
    // The gateway answers for it, and the guest that broke is not asked again.
    run.response(503);
}

#[test]
fn pieces_of_an_answer_are_rewritten_and_those_of_others_are_not() {
    let harness = running(built("stream"), "response_body: stream, answers: {media_types: [text/plain]}");
    let mut run = harness.request("GET", "/").run().next();
    run.response_with(200, &[("content-type", "text/plain")]);
    assert_eq!(run.chunk(Some("a1".into()), false).unwrap(), "a##");
    assert_eq!(run.chunk(None, true).unwrap(), "[end]");
    let mut run = harness.request("GET", "/").run().next();
    run.response_with(200, &[("content-type", "image/png")]);
    assert_eq!(run.chunk(Some("a1".into()), true).unwrap(), "a1");
}

#[test]
fn what_a_guest_holds_back_comes_with_the_next_piece_and_is_bounded() {
    let harness = running(built("body"), "response_body: stream, limits: {body: 16B}");
    let mut run = harness.request("GET", "/").run().next();
    run.response(200);
    assert_eq!(run.chunk(Some("a col".into()), false).unwrap(), "");
    assert_eq!(run.chunk(Some("our".into()), true).unwrap(), "a shade of grey");
    let mut run = harness.request("GET", "/").run().next();
    run.response(200);
    run.chunk(Some("12345678".into()), false);
    let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.chunk(Some("123456789".into()), false)));
    assert!(cut.unwrap_err().downcast_ref::<String>().unwrap().contains("wasm.held"));
}

#[test]
fn a_large_body_is_shown_on_another_thread() {
    let text = "x".repeat(2 << 20);
    let harness = running(built("body"), "request_body: whole, limits: {body: 4MiB, memory: 32MiB, callback: 2s, request: 2s}");
    let run = harness.request("POST", "/").body(format!("{text} colour")).run().next();
    assert!(run.body().unwrap().ends_with(b"x shade of grey"));
}

#[test]
fn a_module_that_cannot_run_does_not_start() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    for (wasm, settings, words) in [
        (b"MZ".to_vec(), "", "no valid WebAssembly module"),
        (wat("(module)"), "", "exports no `proxy_abi_version_0_2_1`"),
        (wat("(module (memory 300))"), "", "begins with 19660800 bytes of memory, and the limit is 16777216"),
        (guests::fields(), "limits: {module: 100B}", "and `limits.module` is 100B"),
        (built("configuration"), "configuration: nothing", "the configuration must have lines of `name: value`"),
        (built("configuration"), "configuration: aaaaaaaaaa, limits: {configuration: 4B}", "and `limits.configuration` is 4B"),
    ] {
        let problem = problem(wasm, settings);
        assert!(problem.message.contains(words) && problem.code == "wasm.module", "{words}: {problem}");
        assert_eq!(problem.pointer, "/module");
    }
    for (settings, pointer) in [
        ("limits: {callback: 3s}", "/limits/callback"),
        ("limits: {request: 0s}", "/limits/request"),
        ("limits: {memory: 2GiB}", "/limits/memory"),
        ("limits: {instances: 0}", "/limits/instances"),
        ("configuration: 7", "/configuration"),
        ("answers: {statuses: [100]}", "/answers"),
        ("interceptors: {none: {}}", "/interceptors/none"),
    ] {
        assert_eq!(problem(guests::fields(), settings).pointer, pointer);
    }
}

fn project(name: &str, wasm: &[u8], sha256: &str) -> Value {
    json!({ "modules": { name: { "file": format!("interceptors/{name}.wasm"), "sha256": sha256, "bytes": STANDARD.encode(wasm) } } })
}

#[test]
fn modules_of_a_definition_are_those_that_were_built_and_run_in_order() {
    let wasm = built("configuration");
    let sha256 = hex::encode(digest(&wasm));
    let both = json!({ "interceptors": [{ "module": "add", "phases": ["request"] }] });
    let setup = || Harness::<Wasm>::setup().declared(both.clone());
    let settings = "interceptors: {add: {configuration: 'x-a: 1'}}";
    let harness = setup().declared_once(project("add", &wasm, &sha256)).yaml(settings);
    let mut run = harness.request("GET", "/").run().next();
    assert_eq!(run.header("x-a"), Some("1"));
    assert!(!run.response(200).fields().contains_key("x-a"), "it runs on requests alone");
    let other = setup().declared_once(project("add", &built("headers"), &sha256)).problem(settings);
    assert!(other.declared && other.message.contains("interceptors/add.wasm: its bytes are not those"), "{other}");
    let none = setup().problem("{}");
    assert!(none.declared && none.message.contains("no module `add`"), "{none}");
    assert!(Harness::<Wasm>::setup().is_idle("{}"));
}

#[test]
fn operations_with_the_same_settings_share_instances_and_others_do_not() {
    let setup = with(guests::fields());
    let one = setup.yaml("{module: guest.wasm, limits: {instances: 1}}");
    let same = setup.yaml("{module: guest.wasm, limits: {instances: 1}}");
    let other = setup.yaml("{module: guest.wasm, limits: {instances: 1}, configuration: x}");
    let _run = one.request("GET", "/").run().next();
    same.request("GET", "/").run().assert_fault("wasm.busy");
    other.request("GET", "/").run().next();
}
