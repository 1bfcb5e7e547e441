//! Guests that mean harm, or were written wrongly.
#![cfg(feature = "compiler")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{ALLOCATOR, call, field, head, load, on_request, settings, take, wat};
use tollgate_filter_api::RequestHead;
use tollgate_proxy_wasm::{Broken, Kind, LoadProblem, Next, Program, Settings, Taken};

fn run(program: &Program, head: &mut RequestHead) -> Result<Next, Broken> {
    let mut vm = take(program);
    vm.begin(call())?;
    vm.swap_request(head);
    let next = vm.request_head(true);
    vm.swap_request(head);
    let next = next?;
    program.give(vm, 200)?;
    Ok(next)
}

fn breaks(body: &str, kind: Kind, words: &str) {
    let program = on_request(body);
    let broken = run(&program, &mut head(&[("x-a", b"1")])).unwrap_err();
    assert_eq!(broken.kind, kind, "{broken}");
    assert!(broken.to_string().contains(words), "{broken}");
    assert_eq!(program.alive(), 0, "the instance was given up");
}

#[test]
fn what_loops_recurses_traps_or_grows_ends_its_request() {
    breaks("(loop (br 0)) (i32.const 0)", Kind::Time, "it took longer than it may");
    breaks("unreachable", Kind::Trap, "unreachable");
    let deep = load(
        &wat(r#"(func $deep (param i32 i32 i32) (result i32) (call $deep (local.get 0) (local.get 1) (local.get 2)))
        (export "proxy_on_request_headers" (func $deep))"#),
        settings(),
    )
    .unwrap();
    let broken = run(&deep, &mut head(&[])).unwrap_err();
    assert!(broken.to_string().contains("nested too deeply"), "{broken}");
    let grows = on_request("(drop (memory.grow (i32.const 9999))) (i32.const 0)");
    run(&grows, &mut head(&[])).unwrap();
    assert_eq!(grows.alive(), 0, "who was refused memory serves nobody else");
}

#[test]
fn all_callbacks_of_a_request_have_one_limit_of_time() {
    let slow = r#"(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (local i32)
        (loop (local.set 3 (i32.add (local.get 3) (i32.const 1))) (br_if 0 (i32.lt_u (local.get 3) (i32.const 30000000)))) (i32.const 0))"#;
    let millis = std::time::Duration::from_millis;
    let limits = Settings { callback: millis(2_000), request: millis(60), ..settings() };
    let program = load(&wat(slow), limits).unwrap();
    let mut vm = take(&program);
    vm.begin(call()).unwrap();
    vm.swap_request(&mut head(&[]));
    let broken = (0..10_000).find_map(|_| vm.body("x".into(), false).err()).unwrap();
    assert_eq!(broken.kind, Kind::Time, "{broken}");
}

#[test]
fn pointers_that_lead_nowhere_are_refused() {
    // A name, a value, and places for results: each outside the memory.
    let bad = [
        "(call $get (i32.const 0) (i32.const -8) (i32.const 16) (i32.const 0) (i32.const 4))",
        "(call $get (i32.const 0) (i32.const 65536) (i32.const 1) (i32.const 0) (i32.const 4))",
        "(call $pairs (i32.const 0) (i32.const 65533) (i32.const 4))",
        "(call $pairs (i32.const 0) (i32.const 0) (i32.const -1))",
        "(call $add (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0))",
        "(call $set_pairs (i32.const 0) (i32.const 8) (i32.const -1))",
        "(call $log (i32.const 2) (i32.const 65000) (i32.const 1000))",
        "(call $answer (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0))",
    ];
    for bad in bad {
        // 6 is INVALID_MEMORY_ACCESS; any other status traps.
        let program = on_request(&format!("(if (i32.ne {bad} (i32.const 6)) (then unreachable)) (i32.const 0)"));
        assert!(matches!(run(&program, &mut head(&[("x-a", b"1")])), Ok(Next::Go)), "{bad}");
    }
    let unknown =
        on_request("(if (i32.ne (call $pairs (i32.const 9) (i32.const 0) (i32.const 4)) (i32.const 2)) (then unreachable)) (i32.const 0)");
    assert!(run(&unknown, &mut head(&[])).is_ok());
}

#[test]
fn an_allocator_is_not_trusted() {
    let head_of = |allocator: &str| {
        let ask = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))"#;
        load(&wat(&format!("{allocator} {ask}")), settings()).unwrap()
    };
    let calls_back = r#"(func (export "malloc") (param i32) (result i32) (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))"#;
    let loops = r#"(func (export "malloc") (param i32) (result i32) (loop (br 0)) (i32.const 0))"#;
    let has_none = r#"(func (export "malloc") (param i32) (result i32) (i32.const 0))"#;
    for (allocator, words) in [
        (calls_back, "its allocator asked its host"),
        (loops, "it took longer than it may"),
        (has_none, "its allocator had no room"),
        ("", "or it exports none"),
    ] {
        let broken = run(&head_of(allocator), &mut head(&[])).unwrap_err();
        assert!(broken.to_string().contains(words), "{broken}");
    }
    // A place outside the memory is answered like any other bad pointer: 6, which is then taken for an action and means nothing.
    let outside = r#"(func (export "malloc") (param i32) (result i32) (i32.const -16))"#;
    assert!(matches!(run(&head_of(outside), &mut head(&[])), Ok(Next::Go)));
}

#[test]
fn a_write_that_is_refused_names_field_and_rule() {
    let write = |name: &str, value: &str| {
        let (names, values) = (name.len(), value.len());
        let data = format!(r#"(data (i32.const 0) "{name}") (data (i32.const 256) "{value}")"#);
        let add = format!("(call $set (i32.const 0) (i32.const 0) (i32.const {names}) (i32.const 256) (i32.const {values}))");
        let on_request = format!(r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {add})"#);
        let program = load(&wat(&format!("{data} {ALLOCATOR} {on_request}")), settings()).unwrap();
        let mut req = head(&[("x-a", b"1")]);
        (run(&program, &mut req).map_err(|broken| (broken.kind, broken.to_string())), req)
    };
    for (name, value, words) in [
        ("connection", "x-a", "field `connection`: it belongs to the connection"),
        ("x_forwarded_for", "1.2.3.4", "field `x_forwarded_for`: the gateway writes it itself"),
        ("x-new", "a\\0db", "it is no legal field"),
        ("a b", "c", "it is no legal field"),
        (":path", "no slash", "pseudo field `:path`: it is no path"),
        (":method", "CONNECT", "pseudo field `:method`"),
        (":authority", "evil.example", "the operation was chosen by it"),
        (":status", "200", "there is no such pseudo field"),
    ] {
        let (kind, text) = write(name, value).0.unwrap_err();
        assert!(kind == Kind::Refused && text.contains(words), "{name}: {text}");
    }
    let (done, req) = write(":path", "/v2/other?b=2");
    done.unwrap();
    assert_eq!((req.path(), req.query()), ("/v2/other", Some("b=2")));
    let (done, req) = write("content-length", "5");
    done.unwrap();
    assert_eq!(field(&req, "content-length"), None);
}

#[test]
fn heads_do_not_grow_without_bound() {
    // 100,000 fields of 33 bytes.
    let many = "(loop (drop (call $add (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 32)))
        (local.set $a (i32.add (local.get $a) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $a) (i32.const 100000)))) (i32.const 0)";
    let many = wat(&format!(
        r#"(data (i32.const 0) "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") {ALLOCATOR}
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $a i32) {many})"#
    ));
    let mut req = head(&[]);
    let broken = run(&load(&many, settings()).unwrap(), &mut req).unwrap_err();
    assert!(broken.to_string().contains("there may be 1024 fields"), "{broken}");
    assert_eq!(req.fields().len(), 1024);
    // A map that says it has four thousand million fields.
    breaks(
        "(i32.store (i32.const 0) (i32.const -1)) (call $set_pairs (i32.const 0) (i32.const 0) (i32.const 64))",
        Kind::Refused,
        "malformed",
    );
}

#[test]
fn what_is_not_offered_says_its_name() {
    breaks(
        "(call $tick (i32.const 100))",
        Kind::Trap,
        "`proxy_set_tick_period_milliseconds`, which is not offered here: guests have no timers",
    );
    breaks(
        "(loop (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
            (drop (call $share (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 0))) (br 0)) (i32.const 0)",
        Kind::Trap,
        "its shared data has no room",
    );
}

#[test]
fn what_cannot_be_run_is_told_at_start() {
    let problem = |wat: &str| load(&wat::parse_str(wat).unwrap(), settings()).unwrap_err();
    assert!(matches!(problem("(module)"), LoadProblem::NoMarker));
    let old = problem(r#"(module (func (export "proxy_abi_version_0_1_0")))"#);
    assert!(old.to_string().contains("ABI 0.1.0, and 0.2.0 and 0.2.1 are run here"), "{old}");
    let import = problem(r#"(module (import "env" "fly" (func)) (func (export "proxy_abi_version_0_2_0")))"#);
    assert!(import.to_string().contains("`fly` of `env`"), "{import}");
    let typed = problem(r#"(module (import "env" "proxy_log" (func)) (func (export "proxy_abi_version_0_2_0")))"#);
    assert!(matches!(typed, LoadProblem::Import(_)) && typed.to_string().contains("proxy_log"), "{typed}");
    let export = problem(r#"(module (func (export "proxy_on_done")) (func (export "proxy_abi_version_0_2_0")))"#);
    assert!(matches!(export, LoadProblem::Export("proxy_on_done")), "{export}");
    let start = |name: &str, body: &str| load(&wat(&format!("(func (export \"{name}\") {body})")), settings()).unwrap_err().to_string();
    assert!(start("_initialize", "unreachable").contains("in `_initialize`: wasm trap: wasm `unreachable`"));
    let tick = start("proxy_on_configure", "(param i32 i32) (result i32) (call $tick (i32.const 1))");
    assert!(tick.contains("`proxy_set_tick_period_milliseconds`"), "{tick}");
    assert!(start("proxy_on_vm_start", "(param i32 i32) (result i32) (i32.const 0)").contains("`proxy_on_vm_start` returned false"));
}

#[test]
fn no_more_instances_run_than_may_and_one_that_is_free_is_taken_again() {
    let program = on_request("(i32.const 0)");
    let all: Vec<_> = (0..8).map(|_| take(&program)).collect();
    assert!(matches!(program.take(), Taken::Busy));
    all.into_iter().for_each(|vm| program.give(vm, 200).unwrap());
    assert_eq!(program.alive(), 8);
    let fresh = load(&wat(ALLOCATOR), Settings { is_pooled: false, ..settings() }).unwrap();
    fresh.give(take(&fresh), 200).unwrap();
    assert_eq!(fresh.alive(), 0, "each request has an instance of its own");
}
