//! Small guests, in text.
#![allow(dead_code)]

/// Imports, an allocator, and `$is`, which says whether `x-mode` is this text.
fn module(functions: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
        (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_replace_header_map_value" (func $set (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
        (import "env" "proxy_set_buffer_bytes" (func $set_body (param i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_send_local_response" (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_continue_stream" (func $go (param i32) (result i32)))
        (memory (export "memory") 2)
        (global $room (mut i32) (i32.const 65536))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
            (global.set $room (i32.const 65536))
            (global.get $room))
        (func $is (param $at i32) (param $size i32) (result i32)
            (if (call $get (i32.const 0) (i32.const 512) (i32.const 6) (i32.const 0) (i32.const 4)) (then (return (i32.const 0))))
            (if (i32.ne (i32.load (i32.const 4)) (local.get $size)) (then (return (i32.const 0))))
            (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.load8_u (local.get $at))))
        (data (i32.const 512) "x-mode")
        {functions})"#
    ))
    .expect("a guest of a test is legal")
}

/// A map as it crosses the border, for a `data` section.
pub fn pairs(fields: &[(&str, &str)]) -> (String, usize) {
    let number = |number: usize| u32::try_from(number).expect("it is small").to_le_bytes();
    let mut bytes = number(fields.len()).to_vec();
    for (name, value) in fields {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    fields.iter().flat_map(|(name, value)| [name, value]).for_each(|part| {
        bytes.extend(part.bytes());
        bytes.push(0);
    });
    (bytes.iter().map(|byte| format!("\\{byte:02x}")).collect(), bytes.len())
}

/// Sets `x-guest`, takes `x-secret` out, and does what `x-mode` says.
pub fn fields() -> Vec<u8> {
    let (map, size) = pairs(&[("x-mode", "answer")]);
    module(&format!(
        r#"
        (data (i32.const 1024) "x-guestseenx-secretanswer") (data (i32.const 1100) "trap") (data (i32.const 1110) "loop")
        (data (i32.const 1120) "write") (data (i32.const 1130) "pause") (data (i32.const 1140) "connection") (data (i32.const 1160) "{map}")
        (func $change (param $map i32)
            (drop (call $set (local.get $map) (i32.const 1024) (i32.const 7) (i32.const 1031) (i32.const 4)))
            (drop (call $remove (local.get $map) (i32.const 1035) (i32.const 8))))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $change (i32.const 0))
            (if (call $is (i32.const 1043) (i32.const 6)) (then
                (drop (call $answer (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 1031) (i32.const 4) (i32.const 1160) (i32.const {size}) (i32.const -1)))))
            (if (call $is (i32.const 1100) (i32.const 4)) (then unreachable))
            (if (call $is (i32.const 1110) (i32.const 4)) (then (loop (br 0))))
            (if (call $is (i32.const 1120) (i32.const 5)) (then
                (drop (call $set (i32.const 0) (i32.const 1140) (i32.const 10) (i32.const 1031) (i32.const 4)))))
            (call $is (i32.const 1130) (i32.const 5)))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $change (i32.const 2)) (i32.const 0))"#
    ))
}

/// Puts `!` behind every body.
pub fn bodies() -> Vec<u8> {
    module(
        r#"
        (data (i32.const 1024) "!")
        (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
            (if (local.get 2) (then (drop (call $set_body (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 1024) (i32.const 1)))))
            (i32.eqz (local.get 2)))
        (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
            (if (local.get 2) (then (drop (call $set_body (i32.const 1) (i32.const -1) (i32.const 0) (i32.const 1024) (i32.const 1)))))
            (i32.eqz (local.get 2)))"#,
    )
}

/// Makes 502 of every 500.
pub fn polish() -> Vec<u8> {
    module(
        r#"
        (data (i32.const 1024) ":status502")
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (drop (call $get (i32.const 2) (i32.const 1024) (i32.const 7) (i32.const 0) (i32.const 4)))
            (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 53)) (then
                (drop (call $set (i32.const 2) (i32.const 1024) (i32.const 7) (i32.const 1031) (i32.const 3)))))
            (i32.const 0))"#,
    )
}

/// Asks `authorizer` for every request, with its `x-user`; sets `x-asked` when it answers, and answers 503 when it does not.
pub fn calls() -> Vec<u8> {
    let (yes, size) = pairs(&[(":method", "GET"), (":path", "/decide"), ("x-user", "known")]);
    let (no, no_size) = pairs(&[(":method", "GET"), (":path", "/away")]);
    module(&format!(
        r#"
        (data (i32.const 1024) "authorizer") (data (i32.const 1040) "x-user") (data (i32.const 1050) "x-askedyes")
        (data (i32.const 1100) "{yes}") (data (i32.const 1200) "{no}")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $map i32) (local $size i32)
            (local.set $map (i32.const 1100))
            (local.set $size (i32.const {size}))
            (if (i32.eqz (call $get (i32.const 0) (i32.const 1040) (i32.const 6) (i32.const 0) (i32.const 4))) (then
                (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 110)) (then
                    (local.set $map (i32.const 1200))
                    (local.set $size (i32.const {no_size}))))))
            (if (call $call (i32.const 1024) (i32.const 10) (local.get $map) (local.get $size) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 0)) (then unreachable))
            (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
            (if (local.get 2)
                (then (drop (call $set (i32.const 0) (i32.const 1050) (i32.const 7) (i32.const 1057) (i32.const 3))) (drop (call $go (i32.const 0))))
                (else (drop (call $answer (i32.const 503) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))))))"#
    ))
}
