//! Machine code that was compiled elsewhere.
#![cfg(feature = "compiler")]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tollgate_sandbox::{
    CodeBook, Guest, Instance, Limits, LoadError, Module, Sandbox, digest, host_target, precompile,
    wasmtime::{Linker, TypedFunc},
};

fn sandbox(memory: usize) -> Sandbox {
    Sandbox::new(Limits { memory, instances: 2 }).unwrap()
}

fn guest() -> Vec<u8> {
    wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "seven") (result i32) (i32.const 7)))"#).unwrap()
}

#[test]
fn it_is_the_same_each_time_and_runs_as_if_it_had_been_compiled_here() {
    let (sandbox, wasm) = (sandbox(1 << 20), guest());
    let code = precompile(&sandbox, &wasm, &host_target()).unwrap();
    assert_eq!(code, precompile(&sandbox, &wasm, &host_target()).unwrap());
    let book = CodeBook::by_verified_signature([(digest(&wasm), code)]);
    let module = Module::from_code(&sandbox, &wasm, book.of(&wasm).unwrap()).unwrap();
    assert!(book.of(b"another").is_none());
    assert_eq!(module.digest(), Module::compile(&sandbox, &wasm).unwrap().digest());
    let pre = Linker::<Guest<()>>::new(sandbox.engine()).instantiate_pre(module.compiled()).unwrap();
    let budget = Sandbox::budget(Duration::from_millis(100));
    let mut instance = Instance::new(&module, &pre, (), budget).unwrap();
    let seven: TypedFunc<(), i32> = instance.function("seven").unwrap();
    assert_eq!(instance.call(&seven, (), budget).unwrap(), 7);
}

#[test]
fn what_was_made_for_another_machine_or_other_settings_is_refused() {
    let (small, large, wasm) = (sandbox(1 << 20), sandbox(2 << 20), guest());
    let load = |sandbox: &Sandbox, code: &[u8]| {
        let book = CodeBook::by_verified_signature([(digest(&wasm), code.to_vec())]);
        Module::from_code(sandbox, &wasm, book.of(&wasm).unwrap()).unwrap_err().to_string()
    };
    let code = precompile(&small, &wasm, &host_target()).unwrap();
    assert!(load(&large, &code).contains("its machine code is of no use here"));
    assert!(load(&small, b"not code").contains("no machine code"));
    assert!(matches!(precompile(&small, &wasm, "vax-dec-ultrix"), Err(LoadError::NotCompiled(_))));
}
