//! What guests try, and what becomes of it.
#![cfg(feature = "compiler")]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tollgate_sandbox::{
    Guest, Instance, Limits, LoadError, Module, NotMade, Offer, Pool, Resident, Sandbox, Stopped, Why,
    wasmtime::{InstancePre, Linker, TypedFunc},
};

const MEMORY: usize = 1 << 20;

fn sandbox() -> Sandbox {
    Sandbox::new(Limits { memory: MEMORY, instances: 8 }).unwrap()
}

fn load(sandbox: &Sandbox, wat: &str) -> Result<Module, LoadError> {
    Module::compile(sandbox, &wat::parse_str(wat).unwrap())
}

fn linked(module: &Module) -> InstancePre<Guest<()>> {
    Linker::new(module.sandbox().engine()).instantiate_pre(module.compiled()).unwrap()
}

fn started(module: &Module) -> Result<Instance<()>, NotMade> {
    Instance::new(module, &linked(module), (), Sandbox::budget(Duration::from_millis(10)))
}

fn instance(sandbox: &Sandbox, wat: &str) -> Instance<()> {
    started(&load(sandbox, wat).unwrap()).unwrap()
}

fn call(instance: &mut Instance<()>, name: &str) -> Result<i32, Stopped> {
    let function: TypedFunc<(), i32> = instance.function(name).unwrap();
    instance.call(&function, (), Sandbox::budget(Duration::from_millis(10)))
}

const GUEST: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "loop") (result i32) (loop (br 0)) (i32.const 0))
    (func $deep (export "recurse") (result i32) (call $deep))
    (func (export "trap") (result i32) unreachable)
    (func (export "grow") (result i32) (memory.grow (i32.const 64)))
    (func (export "leak") (result i32) (memory.grow (i32.const 8)))
    (func (export "one") (result i32) (i32.const 1)))"#;

#[test]
fn a_loop_is_stopped_by_the_clock() {
    let mut guest = instance(&sandbox(), GUEST);
    let began = Instant::now();
    let stopped = call(&mut guest, "loop").unwrap_err();
    let took = began.elapsed();
    assert!(matches!(stopped.why, Why::Time), "{stopped}");
    // Later than asked by two ticks, and by whatever else the machine does.
    assert!(took >= Duration::from_millis(10) && took < Duration::from_secs(2), "{took:?}");
    assert!(guest.used() >= Sandbox::budget(Duration::from_millis(10)) && !guest.is_fit());
}

#[test]
fn a_guest_that_was_stopped_is_never_called_again() {
    for (name, is_it) in [("recurse", matches_stack as fn(&Why) -> bool), ("trap", |why| matches!(why, Why::Trap(_)))] {
        let mut guest = instance(&sandbox(), GUEST);
        assert_eq!(call(&mut guest, "one").unwrap(), 1);
        let stopped = call(&mut guest, name).unwrap_err();
        assert!(is_it(&stopped.why), "{name}: {stopped}");
        assert!(!guest.is_fit());
        assert!(matches!(call(&mut guest, "one").unwrap_err().why, Why::Broken));
    }
}

fn matches_stack(why: &Why) -> bool {
    matches!(why, Why::Stack)
}

#[test]
fn memory_past_the_limit_is_not_given_and_remembered() {
    let mut guest = instance(&sandbox(), GUEST);
    assert_eq!(call(&mut guest, "grow").unwrap(), -1);
    assert!(!guest.is_fit(), "a guest that was refused memory serves nobody else");
    let stopped = call(&mut guest, "trap").unwrap_err();
    assert!(stopped.to_string().ends_with("after it had asked for more memory than it may have"), "{stopped}");
}

#[test]
fn a_guest_that_has_leaked_half_of_its_memory_is_given_up() {
    let mut guest = instance(&sandbox(), GUEST);
    assert!(guest.is_fit());
    assert_eq!(call(&mut guest, "leak").unwrap(), 1);
    assert!(!guest.is_fit());
}

#[test]
fn a_worn_out_guest_is_given_up() {
    let mut guest = instance(&sandbox(), GUEST);
    (0..99_999).for_each(|_| guest.begin());
    assert!(guest.is_fit());
    guest.begin();
    assert!(!guest.is_fit());
}

#[test]
fn a_start_section_has_a_budget_too() {
    let module = load(&sandbox(), "(module (func $f (loop (br 0))) (start $f))").unwrap();
    let Err(NotMade::Stopped(stopped)) = started(&module) else { panic!("it started") };
    assert!(matches!(stopped.why, Why::Time), "{stopped}");
}

#[test]
fn more_instances_than_there_may_be_are_told_apart_from_those_that_fail() {
    let module = load(&sandbox(), GUEST).unwrap();
    let all: Vec<Instance<()>> = (0..8).map(|_| started(&module).unwrap()).collect();
    assert!(matches!(started(&module), Err(NotMade::Busy)));
    drop(all);
    assert!(started(&module).is_ok());
}

#[test]
fn what_asks_for_too_much_at_once_is_not_compiled() {
    let memory = load(&sandbox(), "(module (memory 17))").unwrap_err();
    assert_eq!(memory, LoadError::Memory { minimum: 17 << 16, limit: MEMORY });
    assert!(memory.to_string().contains("1114112 bytes of memory, and the limit is 1048576"), "{memory}");
    assert_eq!(load(&sandbox(), "(module (table 20001 funcref))").unwrap_err(), LoadError::Table { minimum: 20_001 });
    assert_eq!(Module::compile(&sandbox(), &wat::parse_str("(component)").unwrap()).unwrap_err(), LoadError::Component);
    for bytes in [&b""[..], b"\0as", b"#!/bin/sh", b"\0asm\x01\0\0\0\x05\xff"] {
        assert!(matches!(Module::compile(&sandbox(), bytes), Err(LoadError::Invalid(_))), "{bytes:?}");
    }
}

#[test]
fn what_no_sdk_needs_is_off() {
    for wat in [
        "(module (memory 1) (memory 1))",
        "(module (memory i64 1))",
        "(module (memory 1 1 shared))",
        "(module (func $f (return_call $f)))",
        "(module (tag))",
        "(module (type (struct)))",
        "(module (func (param (ref func))))",
        "(module (func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0)))))",
    ] {
        assert!(matches!(load(&sandbox(), wat), Err(LoadError::NotCompiled(_))), "{wat}");
    }
}

#[derive(Debug)]
struct Fit(bool);

impl Resident for Fit {
    fn is_fit(&self) -> bool {
        self.0
    }
}

#[test]
fn a_pool_hands_out_what_was_used_last_and_no_more_than_it_may() {
    let pool = Pool::new(2);
    let (Offer::Room(first), Offer::Room(second)) = (pool.ask(), pool.ask()) else { panic!("there is room for two") };
    assert!(matches!(pool.ask(), Offer::Busy));
    let one = Box::new(Fit(true));
    let at: *const Fit = &raw const *one;
    pool.give(Box::new(Fit(true)));
    pool.give(one);
    pool.give(Box::new(Fit(false)));
    let Offer::Ready(found) = pool.ask() else { panic!("one waits") };
    assert_eq!(&raw const *found, at);
    drop((first, second));
    assert_eq!(pool.alive(), 0);
}
