//! Programs and requests for these tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::{Instant, SystemTime},
};

use tollgate_filter_api::{Call, HeaderName, HeaderValue, Metrics, RequestHead, RequestId};
use tollgate_proxy_wasm::{LoadProblem, Program, Settings, Taken, Vm};
use tollgate_sandbox::{Limits, Module, Sandbox};

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(Limits { memory: 16 << 20, instances: 64 }).unwrap());

pub fn settings() -> Settings {
    Settings {
        name: "guest".to_owned(),
        configuration: Default::default(),
        upstreams: vec!["authorizer".to_owned()],
        most_body: 1 << 20,
        most_calls: 2,
        instances: 8,
        callback: std::time::Duration::from_millis(50),
        request: std::time::Duration::from_millis(200),
        start: std::time::Duration::from_secs(1),
        is_pooled: true,
    }
}

pub fn load(wasm: &[u8], settings: Settings) -> Result<Program, LoadProblem> {
    Program::load(Module::compile(&SANDBOX, wasm).unwrap(), settings, Metrics::default())
}

/// A guest of `tests/guests/built`.
pub fn built(name: &str) -> Program {
    load(&bytes(name), settings()).unwrap()
}

pub fn bytes(name: &str) -> Vec<u8> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/built");
    std::fs::read(built.join(name).with_extension("wasm")).unwrap()
}

/// A guest with these functions, the marker and an allocator that has 64 KiB.
pub fn wat(functions: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
            (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
            (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_buffer_bytes" (func $set_body (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
            (import "env" "proxy_set_shared_data" (func $share (param i32 i32 i32 i32 i32) (result i32)))
            (import "env" "proxy_send_local_response" (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            {functions})"#
    ))
    .unwrap()
}

pub const ALLOCATOR: &str = r#"(global $room (mut i32) (i32.const 4096))
    (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
        (global.set $room (i32.add (global.get $room) (local.get $size)))
        (i32.sub (global.get $room) (local.get $size)))"#;

/// A guest that runs this when a request's head comes, with `$a` to hold a number in.
pub fn on_request(body: &str) -> Program {
    let wat =
        wat(&format!(r#"{ALLOCATOR} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $a i32) {body})"#));
    load(&wat, settings()).unwrap()
}

pub fn call() -> Call {
    Call {
        operation: Arc::default(),
        client: [192, 0, 2, 1].into(),
        secure: true,
        host: "api.example.com".into(),
        has_body: false,
        now: SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5),
        instant: Instant::now(),
        request_id: RequestId::fresh(7, false),
        forwarded: None,
    }
}

pub fn head(fields: &[(&str, &[u8])]) -> RequestHead {
    let mut head = RequestHead::build("GET", "/v1/things?a=1").unwrap();
    for (name, value) in fields {
        head.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    head
}

pub fn take(program: &Program) -> Box<Vm> {
    match program.take() {
        Taken::Vm(vm) => vm,
        other => panic!("no instance: {other:?}"),
    }
}

/// The first value of a field.
pub fn field<'h>(head: &'h RequestHead, name: &str) -> Option<&'h str> {
    head.fields().get(name)?.to_str().ok()
}
