//! Many requests at once, bodies that nobody looks at, and modes that must not touch each other.

use std::{
    io::{BufReader, Read, Write},
    net::TcpListener,
    thread,
};

use serde_json::{Value, json};
use tollgate_tests::{Client, Gateway, Project, Settings, Upstream, client, message};

use crate::validation::world::{Asked, World, definition, open, takes};

/// Requests that are under way at once.
const AT_ONCE: usize = 1000;

// Trap 7.
#[test]
fn each_of_many_concurrent_requests_is_judged_by_its_own_operation() {
    let paths: serde_json::Map<String, Value> = (0..20)
        .map(|number| {
            (
                format!("/op{number}"),
                json!({ "post": takes(json!({ "type": "object", "required": ["op"], "properties": { "op": { "enum": [number] } } })) }),
            )
        })
        .collect();
    let world = World::serving(&definition("3.0.3", paths.into()));
    let mut asked: Vec<(usize, bool, Client)> = (0..AT_ONCE).map(|at| (at % 20, at / 20 % 2 == 1, world.gateway.connect())).collect();
    for (number, wrong, client) in &mut asked {
        let body = json!({ "op": *number + usize::from(*wrong) }).to_string();
        client.write(client::request("POST", &format!("/op{number}"), &["Content-Type: application/json"], body.as_bytes())).unwrap();
    }
    for (number, wrong, mut client) in asked {
        let answer = client.answer("POST").unwrap();
        let place = format!("/op{number}, {}: {}", if wrong { "bad" } else { "good" }, answer.text());
        assert_eq!(answer.status(), if wrong { 400 } else { 200 }, "{place}");
        let own = if wrong { "\"enum\"".to_owned() } else { format!("POST /op{number} ") };
        assert!(answer.text().contains(&own), "{place}");
    }
    assert_eq!(world.upstream.count(), AT_ONCE / 2);
    for request in world.upstream.requests() {
        let own = request.message.target().trim_start_matches("/op").to_owned();
        assert_eq!(request.message.text(), format!("{{\"op\":{own}}}"));
    }
}

/// Reads one request of so many bytes and forgets it.
fn sink(listener: TcpListener) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let mut total = 0;
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let head = message::head(&mut stream).unwrap().unwrap();
        let length: u64 = head.field("content-length").unwrap().parse().unwrap();
        let mut piece = vec![0; 1 << 16];
        while total < length {
            match stream.read(&mut piece).unwrap() {
                0 => break,
                count => total += count as u64,
            }
        }
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        total
    })
}

/// Streams so many bytes to an operation; how many arrived, and by how much the process grew.
fn streamed(media: Value, size: u64) -> (u64, u64) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let operation = json!({ "requestBody": { "required": true, "content": media }, "responses": { "200": { "description": "ok" } } });
    let definition =
        definition("3.0.3", json!({ "/upload": { "post": operation }, "/other": { "post": takes(json!({ "type": "object" })) } }));
    let project = Project::new().definition("api.json", open(&definition.to_string(), &url));
    let config = json!({ "chain": ["validate"], "limits": { "body_bytes": "2GiB" } });
    let gateway = Gateway::start(&project.build(&[]), Settings::of(config));
    let sink = sink(listener);
    let before = gateway.memory_bytes();
    let mut peak = before;
    let mut client = gateway.connect();
    client
        .write(format!(
            "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        ))
        .unwrap();
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..size >> 20 {
        if client.write(&piece).is_err() {
            break;
        }
        peak = peak.max(gateway.memory_bytes());
    }
    let answer = client.answer("POST").unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    (sink.join().unwrap(), peak - before)
}

// Trap 8.
#[test]
fn a_body_without_a_schema_streams_through_and_is_never_held() {
    let size = if std::env::var_os("TOLLGATE_TESTS_LARGE_BODIES").is_some() { 1 << 30 } else { 256 << 20 };
    for media in [json!({ "application/octet-stream": {} }), json!({ "*/*": {} })] {
        let (arrived, grown) = streamed(media.clone(), size);
        println!("{media}: {} MiB passed, the process grew by {} KiB", arrived >> 20, grown >> 10);
        assert_eq!(arrived, size);
        assert!(grown < 32 << 20, "grew by {grown} bytes");
    }
}

fn strict() -> Value {
    takes(json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } }))
}

const BAD: &str = "{ \"n\" : \"x\" }";

// Trap 9.
#[test]
fn report_changes_nothing_and_counts() {
    let definition = definition("3.0.3", json!({ "/x": { "post": strict() } }));
    let world = World::settings(&definition.to_string(), &json!({ "chain": [{ "validate": { "request": "report" } }] }));
    let plain = World::settings(&definition.to_string(), &json!({ "chain": [] }));
    for body in [BAD, r#"{"n":1}"#, "no json", ""] {
        let asked = Asked::json("x", "/x", body);
        let (reported, untouched) = (world.ask(asked.clone()), plain.ask(asked));
        let (seen, wanted) = (reported.arrived.as_ref().unwrap(), untouched.arrived.as_ref().unwrap());
        assert_eq!((&seen.start, &seen.body), (&wanted.start, &wanted.body));
        let fields = |answer: &message::Message| {
            let mut names: Vec<String> = answer.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            names.sort();
            (answer.status(), names, answer.text())
        };
        assert_eq!(fields(reported.answer.as_ref().unwrap()), fields(untouched.answer.as_ref().unwrap()));
        assert_eq!(seen.fields.len(), wanted.fields.len(), "{seen:?} {wanted:?}");
    }
    let metrics = world.gateway.admin("/metrics").text();
    let counted = metrics.lines().filter(|line| line.contains("validat") && !line.starts_with('#') && !line.ends_with(" 0"));
    assert!(counted.count() > 0, "{metrics}");
}

// Trap 9.
#[test]
fn the_mode_of_one_api_or_operation_leaves_the_others() {
    let mut loose = strict();
    loose["x-tollgate-validate"] = json!({ "request": "off" });
    let mut watched = strict();
    watched["x-tollgate-validate"] = json!({ "request": "report" });
    let paths = json!({ "/strict": { "post": strict() }, "/loose": { "post": loose }, "/watched": { "post": watched } });
    let upstream = Upstream::start();
    let mut other = definition("3.0.3", json!({ "/x": { "post": strict() } }));
    other["x-tollgate-validate"] = json!({ "request": "off" });
    other["info"]["title"] = "other".into();
    let other = open(&other.to_string(), &upstream.url()).replacen("\"x-wso2-basePath\":\"/\"", "\"x-wso2-basePath\":\"/other\"", 1);
    let project = Project::new()
        .definition("one.json", open(&definition("3.0.3", paths).to_string(), &upstream.url()))
        .definition("other.json", other);
    let gateway = Gateway::start(&project.build(&[]), Settings::of(json!({ "chain": ["validate"] })));
    let status = |target: &str| gateway.send("POST", target, &["Content-Type: application/json"], BAD.as_bytes()).status();
    assert_eq!(["/strict", "/loose", "/watched", "/other/x", "/strict"].map(status), [400, 200, 200, 200, 400]);
    assert_eq!(upstream.count(), 3);
}

// Trap 10.
#[test]
fn what_two_readers_would_read_in_two_ways_is_refused_and_big_numbers_stay_as_they_are() {
    let schema = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "number" } } });
    let world = World::serving(&definition("3.0.3", json!({ "/x": { "post": takes(schema) } })));
    let cases: [(&[u8], bool); 12] = [
        (br#"{"n":1,"n":2}"#, false),
        (br#"{"n":1,"\u006e":2}"#, false),
        (br#"{"n":1,"a":{"b":1,"b":1}}"#, false),
        (b"\xef\xbb\xbf{\"n\":1}", false),
        (b"{\"n\":1}\xff", false),
        (b"{\"n\":1,\"a\":\"\xff\"}", false),
        (b"{\"n\":1} {\"n\":2}", false),
        (b"{\"n\":NaN}", false),
        (b"\xff\xfe{\0\"\0n\0\"\0:\x001\0}\0", false),
        (br#"{"n":12345678901234567890123}"#, true),
        (br#"{"n":0.1000000000000000055511151231257827}"#, true),
        (br#" {"n" : 1.0e0 } "#, true),
    ];
    let asked: Vec<_> = cases.iter().map(|(body, pass)| (Asked::json("x", "/x", *body), *pass)).collect();
    let wrong = world.differences(&asked);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_body_that_nobody_declared_streams_through_or_is_refused_as_the_setting_says() {
    let operation = json!({ "responses": { "200": { "description": "ok" } } });
    let definition = definition("3.0.3", json!({ "/x": { "post": operation } })).to_string();
    let ask = |undeclared: &str| {
        let world = World::settings(&definition, &json!({ "chain": [{ "validate": { "undeclared_body": undeclared } }] }));
        let empty = world.ask(Asked::new("empty", "POST", "/x").field("Content-Type: text/plain"));
        assert!(empty.passed(), "{empty:?}");
        (world.ask(Asked::new("full", "POST", "/x").body("text")), world)
    };
    assert!(ask("ignore").0.passed());
    let (reported, world) = ask("report");
    assert!(reported.passed(), "{reported:?}");
    world.gateway.metric_reaches("tollgate_validate_reported_total", 1.0);
    let (refused, _world) = ask("refuse");
    assert!(refused.refused() && refused.status() == 415, "{refused:?}");
}
