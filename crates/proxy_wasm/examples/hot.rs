//! What a request costs that passes a module: a guest in Rust that gets, sets, adds twice and removes a field, and one that does nothing.
//!
//! `cargo run --release -p tollgate-proxy-wasm --features compiler --example hot`

#![allow(clippy::unwrap_used)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tollgate_filter_api::{Call, Metrics, RequestHead, RequestId};
use tollgate_proxy_wasm::{Program, Settings, Taken};
use tollgate_sandbox::{Limits, Module, Sandbox};

const ROUNDS: u32 = 20_000;

fn settings(is_pooled: bool) -> Settings {
    Settings {
        name: "guest".to_owned(),
        configuration: Default::default(),
        upstreams: Vec::new(),
        most_body: 1 << 20,
        most_calls: 8,
        instances: 512,
        callback: Duration::from_millis(10),
        request: Duration::from_millis(50),
        start: Duration::from_secs(1),
        is_pooled,
    }
}

fn call() -> Call {
    Call {
        operation: Arc::default(),
        client: [192, 0, 2, 1].into(),
        secure: true,
        host: "api.example.com".into(),
        has_body: false,
        now: SystemTime::now(),
        instant: Instant::now(),
        request_id: RequestId::fresh(7, false),
        forwarded: None,
    }
}

fn head() -> RequestHead {
    let mut head = RequestHead::build("GET", "/v1/things?a=1").unwrap();
    for (name, value) in [("x-name", "Ada"), ("accept", "*/*"), ("user-agent", "curl/8"), ("x-secret", "1")] {
        head.append(name.parse().unwrap(), value.parse().unwrap());
    }
    head
}

fn through(program: &Program, call: &Call, head: &mut RequestHead) {
    let Taken::Vm(mut vm) = program.take() else { panic!("no instance") };
    vm.begin(call.clone()).unwrap();
    vm.swap_request(head);
    vm.request_head(true).unwrap();
    vm.swap_request(head);
    program.give(vm, 200).unwrap();
}

fn main() {
    let sandbox = Sandbox::new(Limits { memory: 16 << 20, instances: 1024 }).unwrap();
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/built");
    let load = |name: &str, is_pooled| {
        let wasm = std::fs::read(guests.join(name)).unwrap();
        let began = Instant::now();
        let module = Module::compile(&sandbox, &wasm).unwrap();
        println!("{name}: {} bytes compiled in {:?}", wasm.len(), began.elapsed());
        Program::load(module, settings(is_pooled), Metrics::default()).unwrap()
    };
    let call = call();
    for (name, is_pooled) in [("headers.wasm", true), ("headers.wasm", false), ("template_c.wasm", true), ("stream.wasm", true)] {
        let program = load(name, is_pooled);
        let mut times = Vec::new();
        for _ in 0..100 {
            // Made beforehand: what they cost is not the module's.
            let mut heads: Vec<RequestHead> = (0..ROUNDS / 100).map(|_| head()).collect();
            let began = Instant::now();
            heads.iter_mut().for_each(|head| through(&program, &call, head));
            times.push(began.elapsed() / (ROUNDS / 100));
        }
        times.sort();
        let how = if is_pooled { "pooled" } else { "fresh each time" };
        println!("{name}, {how}: best {:?}, median {:?} a request", times[0], times[times.len() / 2]);
    }
}
