//! Gateways that run modules.

use std::path::PathBuf;

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Settings, Upstream,
    project::{everything, open_api},
};

/// A module of `tests/guests/built`.
pub fn built(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("guests/built").join(name).with_extension("wasm")
}

/// A gateway whose chain is one module with these further settings.
pub fn running(upstream: &Upstream, module: &str, more: Value) -> Gateway {
    let mut settings = json!({ "module": module });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let definition = open_api("/v1", &upstream.url(), everything());
    Gateway::serving(&definition, Settings { h2c: true, ..Settings::of(json!({ "chain": [{ "wasm": settings }] })) })
}

/// Does harm when `x-mode` says so, by its first letter; otherwise it sets `x-guest` both ways.
pub const HOSTILE: &str = r#"(module
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (global $bad (mut i32) (i32.const 0))
    (data (i32.const 512) "x-modex-guestseen")
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32)
        (if (global.get $bad) (then (drop (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))))
        (i32.const 65536))
    (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
    (func $is (param i32) (result i32) (i32.eq (i32.load8_u (i32.const 65536)) (local.get 0)))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $set (i32.const 0) (i32.const 518) (i32.const 7) (i32.const 525) (i32.const 4)))
        (if (call $get (i32.const 0) (i32.const 512) (i32.const 6) (i32.const 0) (i32.const 4)) (then (return (i32.const 0))))
        (if (call $is (i32.const 108)) (then (loop (br 0))))                                  ;; loop
        (if (call $is (i32.const 97)) (then                                                   ;; allocate
            (loop (br_if 0 (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))) unreachable))
        (if (call $is (i32.const 114)) (then (drop (call $deep (i32.const 1)))))              ;; recurse
        (if (call $is (i32.const 116)) (then unreachable))                                    ;; trap
        (if (call $is (i32.const 109)) (then                                                  ;; map
            (i32.store (i32.const 1024) (i32.const -1))
            (drop (call $set_pairs (i32.const 0) (i32.const 1024) (i32.const 65536)))))
        (if (call $is (i32.const 102)) (then                                                  ;; fields
            (loop (drop (call $add (i32.const 0) (i32.const 518) (i32.const 7) (i32.const 1024) (i32.const 0))) (br 0))))
        (if (call $is (i32.const 112)) (then                                                  ;; pointers
            (drop (i32.load (call $pairs (i32.const 0) (i32.const -4) (i32.const -8)))) (drop (i32.load (i32.const -4)))))
        (if (call $is (i32.const 99)) (then                                                   ;; callback
            (global.set $bad (i32.const 1)) (drop (call $pairs (i32.const 0) (i32.const 0) (i32.const 4)))))
        (i32.const 1))                                                                        ;; wait for ever
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
        (drop (call $set (i32.const 2) (i32.const 518) (i32.const 7) (i32.const 525) (i32.const 4)))
        (i32.const 0)))"#;
