//! Guests in Rust, as users write them.
#![cfg(feature = "compiler")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{built, bytes, call, field, head, load, settings, take};
use http::HeaderMap;
use tollgate_filter_api::{RequestHead, ResponseHead};
use tollgate_proxy_wasm::{Broken, CallAnswer, Kind, LoadProblem, Next, Program};

/// A request's head through a guest; the request is over then.
fn run(program: &Program, head: &mut RequestHead) -> Result<(), Broken> {
    let mut vm = take(program);
    vm.begin(call())?;
    vm.swap_request(head);
    let next = vm.request_head(true);
    vm.swap_request(head);
    assert!(matches!(next?, Next::Go));
    program.give(vm, 200)
}

#[test]
fn a_filter_reads_writes_adds_and_removes_fields_both_ways() {
    let program = built("headers");
    let mut req = head(&[("x-name", b"Ada"), ("x-secret", b"1"), ("x-added", b"zero")]);
    let mut vm = take(&program);
    vm.begin(call()).unwrap();
    vm.swap_request(&mut req);
    vm.request_head(true).unwrap();
    vm.swap_request(&mut req);
    assert_eq!(field(&req, "x-greeting"), Some("hello, Ada"));
    assert_eq!(req.fields().get_all("x-added").iter().collect::<Vec<_>>(), ["zero", "one", "two"]);
    assert_eq!(field(&req, "x-secret"), None);
    let mut resp = ResponseHead::build(404).unwrap();
    resp.append("server-secret".parse().unwrap(), "1".parse().unwrap());
    vm.swap_response(&mut resp);
    vm.response_head(false).unwrap();
    vm.swap_response(&mut resp);
    assert_eq!(resp.fields().get("x-status-seen").unwrap(), "404");
    assert!(!resp.fields().contains_key("server-secret"));
    // What the guest did to one head is done to the one that takes its place, and the guest is not asked again.
    let mut second = ResponseHead::build(503).unwrap();
    vm.repeat_changes(&mut second);
    assert_eq!(second.fields().get("x-guest").unwrap(), "headers");
    program.give(vm, 404).unwrap();
    assert_eq!(program.alive(), 1);
}

#[test]
fn a_field_that_is_not_utf_8_ends_its_own_request_only() {
    let program = built("headers");
    let broken = run(&program, &mut head(&[("x-name", b"1 \xc0\xa7")])).unwrap_err();
    assert_eq!(broken.kind, Kind::Trap);
    let text = broken.to_string();
    assert!(text.starts_with("module `guest` (") && text.contains("in `proxy_on_request_headers`"), "{text}");
    assert!(text.contains("its last words: ") && text.contains("Utf8Error"), "{text}");
    // The instance was given up, and the next request has a fresh one.
    assert_eq!(program.alive(), 0);
    let mut req = head(&[("x-name", b"Ada")]);
    run(&program, &mut req).unwrap();
    assert_eq!(field(&req, "x-greeting"), Some("hello, Ada"));
}

#[test]
fn the_words_of_a_panic_are_those_of_the_guest() {
    let broken = run(&built("panics"), &mut head(&[("x-panic", b"no such luck")])).unwrap_err();
    assert!(broken.to_string().contains("no such luck"), "{broken}");
    let broken = run(&built("panics"), &mut head(&[("x-panic", b"at the end"), ("x-panic-in", b"done")])).unwrap_err();
    assert!(broken.to_string().contains("in `proxy_on_done`"), "{broken}");
}

#[test]
fn a_whole_body_is_rewritten_while_the_head_can_be_changed() {
    let program = built("body");
    let mut vm = take(&program);
    let mut req = head(&[("content-length", b"6")]);
    vm.begin(call()).unwrap();
    vm.swap_request(&mut req);
    assert!(matches!(vm.request_head(false).unwrap(), Next::Go));
    assert!(matches!(vm.body("colour".into(), true).unwrap(), Next::Go));
    vm.swap_request(&mut req);
    assert_eq!(vm.take_body(), ("shade of grey".into(), true));
    // How a body is framed is the gateway's to say.
    assert_eq!(field(&req, "content-length"), Some("6"));
    let mut resp = ResponseHead::build(200).unwrap();
    vm.swap_response(&mut resp);
    vm.response_head(false).unwrap();
    assert!(matches!(vm.body("colour".into(), false).unwrap(), Next::Wait), "it waits for the rest");
    vm.body("a colour".into(), true).unwrap();
    vm.swap_response(&mut resp);
    assert_eq!(vm.take_body().0, "a shade of grey");
}

#[test]
fn a_configuration_is_read_or_refused_with_the_guests_words() {
    let with =
        |text: &'static str| load(&bytes("configuration"), tollgate_proxy_wasm::Settings { configuration: text.into(), ..settings() });
    let mut req = head(&[]);
    run(&with("x-a: 1\nx-b: 2").unwrap(), &mut req).unwrap();
    assert_eq!((field(&req, "x-a"), field(&req, "x-b")), (Some("1"), Some("2")));
    for wrong in ["", "no field"] {
        let problem = with(wrong).unwrap_err();
        assert!(matches!(problem, LoadProblem::Refused("proxy_on_configure", _)), "{problem}");
        assert!(problem.to_string().contains("the configuration must have lines of `name: value`"), "{problem}");
    }
}

#[test]
fn a_request_waits_for_the_answer_to_a_call() {
    let program = built("authorize");
    let ask = |answer: Option<CallAnswer>| {
        let mut vm = take(&program);
        let mut req = head(&[("authorization", b"Bearer x")]);
        vm.begin(call()).unwrap();
        vm.allow_calls(true);
        vm.swap_request(&mut req);
        assert!(matches!(vm.request_head(true).unwrap(), Next::Wait));
        let calls = vm.take_calls();
        let [asked] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((asked.upstream, asked.method.as_str(), asked.target.as_str()), (0, "GET", "/decide"));
        let sent: HeaderMap = asked.fields.iter().cloned().collect();
        assert_eq!(sent["authorization"], "Bearer x");
        assert_eq!(sent["x-asked-path"], "/v1/things?a=1");
        let next = vm.call_answer(asked.id, answer).unwrap();
        vm.swap_request(&mut req);
        program.give(vm, 200).unwrap();
        (next, field(&req, "x-user").map(str::to_owned))
    };
    let answer = |status, body: &'static str| {
        let fields = [("x-user".parse().unwrap(), "ada".parse().unwrap())].into_iter().collect();
        Some(CallAnswer { status, fields, body: body.into() })
    };
    let (next, user) = ask(answer(200, ""));
    assert!(matches!(next, Next::Go));
    assert_eq!(user.as_deref(), Some("ada"));
    let (Next::Answer(local), _) = ask(answer(401, "no")) else { panic!("it answers itself") };
    assert_eq!((local.status, &*local.body), (403, &b"refused: no"[..]));
    assert_eq!(local.fields, [("x-decided-by".parse().unwrap(), "authorize".parse().unwrap())]);
    let (Next::Answer(local), _) = ask(None) else { panic!("it answers itself") };
    assert_eq!(local.status, 503);
    assert_eq!(program.alive(), 1, "one instance served all three");
}

#[test]
fn a_call_that_nobody_can_wait_for_is_not_made() {
    let program = built("authorize");
    let mut vm = take(&program);
    let mut req = head(&[]);
    vm.begin(call()).unwrap();
    vm.swap_request(&mut req);
    let Next::Answer(local) = vm.request_head(true).unwrap() else { panic!("it answers itself") };
    assert_eq!(&*local.body, b"nobody could be asked");
}

#[test]
fn pieces_are_rewritten_one_by_one() {
    let program = built("stream");
    let mut vm = take(&program);
    let mut resp = ResponseHead::build(200).unwrap();
    vm.begin(call()).unwrap();
    vm.swap_response(&mut resp);
    vm.response_head(false).unwrap();
    vm.swap_response(&mut resp);
    for (piece, last, expected) in [("a1", false, "a##"), ("22", true, "####[end]")] {
        assert!(matches!(vm.body(piece.into(), last).unwrap(), Next::Go));
        assert_eq!(vm.take_body().0, expected);
    }
}
