//! How long programs take on a body of 1 KB: `cargo run --release -p tollgate-jq --features compiler --example measure`.

use std::time::{Duration, Instant};

use tollgate_jq::{JqError, Limits, Program};

const ROUNDS: u32 = 50;
const RUNS: u32 = 200;

fn main() -> Result<(), JqError> {
    let item = |number: usize| {
        format!(
            r#"{{"id":{number},"name":"item {number}","price":{}.50,"tags":["a","b"],"owner":{{"name":"someone","secret":"hidden"}}}}"#,
            number * 7
        )
    };
    let body = format!(r#"{{"items":[{}],"total":9}}"#, (0..9).map(item).collect::<Vec<_>>().join(","));
    println!("{} bytes", body.len());
    for text in [
        ".",
        "del(.items[].owner.secret)",
        ".items |= map(select(.price > 30))",
        "[.items[] | {name: (.name | ascii_upcase), length: (.tags | length)}]",
    ] {
        let began = Instant::now();
        let program = Program::compile(text, Limits::default())?;
        let compiled = began.elapsed();
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            for _ in 0..RUNS {
                program.run(body.as_bytes())?;
            }
            best = best.min(began.elapsed() / RUNS);
        }
        println!("{:8.1} µs  {text}  (compiled in {:.1} ms)", best.as_secs_f64() * 1e6, compiled.as_secs_f64() * 1e3);
    }
    Ok(())
}
