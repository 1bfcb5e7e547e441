//! A body's verdict, as another validator gives it, whatever form the body is sent in. What goes on is what came, to the byte.

mod material;

use tollgate_tests::{
    Client,
    h2::{self, H2, Outcome},
    parts::jsonschema,
};

use self::material::{Dice, add_suite, random};
use super::world::{Asked, World};

/// Every form of a body; the content is what travels.
fn forms(id: &str, name: &str, body: &str, judged: &jsonschema::Judged) -> Vec<Asked> {
    let plain = |kind: &str, content_type: &str| {
        Asked::new(format!("{id} {kind}"), "POST", &format!("/{name}")).field(format!("Content-Type: {content_type}")).body(body)
    };
    let json = "application/json";
    let packed = |kind: &str, bytes: &[u8]| plain(kind, json).field("Content-Encoding: gzip").body(bytes);
    vec![
        plain("plain", json),
        plain("chunked", json).chunked(),
        plain("charset", "application/json; charset=utf-8"),
        plain("quoted charset", "application/json;charset=\"UTF-8\""),
        packed("gzip", &judged.gzip),
        packed("gzip of two members", &judged.twice),
        packed("gzip in chunks", &judged.twice).chunked(),
    ]
}

#[test]
fn a_verdict_depends_on_neither_chunks_nor_charset_nor_coding() {
    let mut dice = Dice(7);
    let mut material = random(&mut dice, 60, 6);
    add_suite(&mut material, &mut dice);
    let judged = jsonschema::judge(&material.components, &material.cases);
    let world = World::serving(&material.definition());
    let (mut all, mut unsaid, mut good) = (Vec::new(), 0, 0);
    for (number, ((name, body), judged)) in material.cases.iter().zip(&judged).enumerate() {
        let Some(valid) = judged.valid else {
            unsaid += 1;
            continue;
        };
        good += usize::from(valid);
        let id = format!("{number} {body} under {}:", material.components[name]);
        all.extend(forms(&id, name, body, judged).into_iter().map(|asked| (asked, valid)));
    }
    let wrong = world.differences(&all);
    println!(
        "{} bodies, {good} of them good, {unsaid} more that the other validator cannot judge; {} requests, {} differences",
        material.cases.len() - unsaid,
        all.len(),
        wrong.len()
    );
    assert!(good * 4 > material.cases.len() && good * 4 < material.cases.len() * 3, "{good} good bodies are no mixture");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Sends a body over HTTP/2 in frames of odd sizes; whether it was accepted, when it was answered as the gateway answers.
fn over_http2(client: &mut H2, stream: u32, number: &str, name: &str, body: &str) -> Option<bool> {
    let path = format!("/{name}");
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", &path),
        ("content-type", "application/json"),
        ("x-case", number),
    ];
    client.headers(stream, &fields, false).unwrap();
    let mut rest = body.as_bytes();
    for size in [1, 2, 3, 5, 7, 11, 13].into_iter().cycle() {
        let (piece, more) = rest.split_at(size.min(rest.len()));
        let flags = if more.is_empty() { h2::END_STREAM } else { 0 };
        // A refusal may come before the end.
        if client.send(h2::DATA, flags, stream, piece).is_err() || more.is_empty() {
            break;
        }
        rest = more;
    }
    match client.outcome(stream) {
        Outcome::Answered(200) => Some(true),
        Outcome::Answered(400) => Some(false),
        _ => None,
    }
}

#[test]
fn a_verdict_is_the_same_over_http2_whatever_the_frames() {
    let material = random(&mut Dice(11), 40, 5);
    let judged = jsonschema::judge(&material.components, &material.cases);
    let world = World::serving(&material.definition());
    let mut wrong = Vec::new();
    // Each connection has a window of 64 KiB before anybody opens it further.
    for (numbers, cases) in material.cases.chunks(50).enumerate() {
        let mut client = H2::start(Client::connect(world.gateway.ports.h2c)).unwrap();
        for (at, (name, body)) in cases.iter().enumerate() {
            let number = numbers * 50 + at;
            let accepted = over_http2(&mut client, u32::try_from(2 * at + 1).unwrap(), &number.to_string(), name, body);
            if accepted != judged[number].valid {
                wrong.push(format!("{body} under {}: {accepted:?}", material.components[name]));
            }
        }
    }
    for request in world.upstream.requests() {
        let number: usize = request.message.field("x-case").unwrap().parse().unwrap();
        assert_eq!((judged[number].valid, request.message.text()), (Some(true), material.cases[number].1.clone()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.upstream.count(), judged.iter().filter(|one| one.valid == Some(true)).count());
}
