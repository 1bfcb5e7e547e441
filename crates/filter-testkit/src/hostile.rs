//! Arbitrary heads, values, facts and documents against a filter: it may refuse, it must not panic.
//!
//! The stream of requests is a function of the seed, so a failure names what repeats it. This is no replacement for a
//! fuzzer that is led by coverage; it holds every filter of the catalogue to the same floor in every test run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use tollgate_filter_api::{AnswerHead, Body, Bytes, HeaderName, HeaderValue, Kind, NoCertificate, Peer, Principal, PrincipalParts};

use tollgate_filter_cases::{Case, CaseFile, Harness, Request, Run, Setup, request};

/// Sends `rounds` bent requests for each case that can be built without things made at run time. Answers how many were
/// sent. A filter whose cases need such things is tried by its own [`Conformance`](crate::Conformance).
///
/// # Panics
/// When the filter does, or when it uses a reason that it does not list.
pub fn hostile(kind: &Kind, seed: u64, rounds: u64) -> u64 {
    let mut sent = 0;
    for (name, text) in kind.cases {
        let file = CaseFile::parse(name, text).unwrap_or_else(|error| panic!("cases/{name}: {error}"));
        sent += file_rounds(|| declared(kind, &file), &file, seed, rounds)
            .unwrap_or_else(|error| panic!("`{}`: cases/{name}: {error}", kind.id));
    }
    sent
}

fn declared(kind: &Kind, file: &CaseFile) -> Setup {
    Setup::new(*kind).declared(file.declared.clone()).declared_once(file.declared_once.clone())
}

/// The rounds of one file.
pub(crate) fn file_rounds(world: impl Fn() -> Setup, file: &CaseFile, seed: u64, rounds: u64) -> Result<u64, String> {
    let mut sent = 0;
    for round in 0..rounds {
        let mut dice = Dice::new(seed ^ (round << 32));
        let outcome = catch_unwind(AssertUnwindSafe(|| one_round(world(), file, &mut dice)));
        sent += outcome.map_err(|_| format!("it panics on a hostile request: seed {seed}, round {round}"))?;
    }
    Ok(sent)
}

fn one_round(mut setup: Setup, file: &CaseFile, dice: &mut Dice) -> u64 {
    setup.world.any_document(Bytes::from(dice.bytes(200)));
    for (location, text) in &file.documents {
        setup = setup.document(location, text.clone());
    }
    let Ok(Some(harness)) = setup.build(&file.config) else { return 0 };
    for case in &file.cases {
        let mut run = bent(&harness, file, case, dice).may_wait().run();
        let _ = run.try_upstream();
        let _ = run.try_upstream();
        let mut response = answer(case, dice);
        whole(&mut run, case, &mut response, dice);
        run.page(response.status());
        let _ = run.try_response(&mut response);
        run.chunk_if_it_may(dice.bytes(100));
        run.done(response.status());
    }
    u64::try_from(file.cases.len()).unwrap_or(u64::MAX)
}

/// The request of a case with things added to it, taken from it and replaced.
fn bent<'h>(harness: &'h Harness, file: &CaseFile, case: &Case, dice: &mut Dice) -> Request<'h> {
    let mut request = request(harness, file, case);
    let names: Vec<&String> = case.request.headers.keys().collect();
    for _ in 0..dice.below(4) {
        let name = if names.is_empty() || dice.below(2) == 0 { dice.name() } else { names[dice.below(names.len())].clone() };
        request = request.header(&name, dice.value());
    }
    for name in names {
        match dice.below(4) {
            0 => request = request.without(name),
            1 => request = request.without(name).header(name, dice.value()),
            _ => {}
        }
    }
    if case.given.principal.is_some() && dice.below(2) == 0 {
        request = request.given(stranger(dice));
    }
    if case.given.peer.is_some() {
        request = request.given(Peer::Anonymous(NoCertificate::NotTrusted { sha256: None }));
    }
    match &case.request.body {
        Some(_) => request.body(dice.bytes(300)),
        None => request,
    }
}

/// A principal of which every text is hostile.
fn stranger(dice: &mut Dice) -> Principal {
    let mut claims = Map::new();
    for name in ["sub", "email", "role", "groups", "address"] {
        let text = dice.text();
        let value = match dice.below(4) {
            0 => Value::String(text),
            1 => Value::Array(vec![Value::String(text), Value::Null]),
            2 => Value::Object(Map::from_iter([(text, Value::Bool(true))])),
            _ => Value::from(f64::MAX),
        };
        claims.insert(name.into(), value);
    }
    let scopes = vec![dice.text(), dice.text()];
    let (subject, issuer, client) = (Some(dice.text()), Some(dice.text()), Some(dice.text()));
    Principal::new(PrincipalParts { filter: "test", subject, issuer, client, scopes, claims, ..PrincipalParts::default() })
}

/// Shows a filter that reads answers a bent one.
fn whole(run: &mut Run, case: &Case, head: &mut AnswerHead, dice: &mut Dice) {
    if !run.reads(head) {
        return;
    }
    let shown = case.response.as_ref().and_then(|response| response.body.as_ref());
    let bytes = match shown {
        Some(body) if dice.below(2) == 0 => body.as_bytes()[..dice.below(body.len() + 1)].to_vec(),
        _ => dice.bytes(300),
    };
    let limit = run.filter.answer_body().map_or(0, |answers| answers.limit);
    let mut body = Body::from(Bytes::from(bytes));
    if body.len() <= limit {
        let _ = run.try_answer(head, &mut body);
    }
}

fn answer(case: &Case, dice: &mut Dice) -> AnswerHead {
    let mut head = AnswerHead::build([200, 204, 304, 401, 502][dice.below(5)]).expect("a known status is legal");
    let names: Vec<&String> = case.response.iter().flat_map(|response| response.headers.keys().chain(response.expect.keys())).collect();
    for _ in 0..dice.below(5) {
        let name = if names.is_empty() { dice.name() } else { names[dice.below(names.len())].clone() };
        let name = HeaderName::from_bytes(name.as_bytes()).expect("names of a case are legal");
        head.append(name, HeaderValue::from_bytes(&dice.value()).expect("values are made legal"));
    }
    head
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// Names that some filter reads, in spellings that some parser confuses.
    fn name(&mut self) -> String {
        const NAMES: [&str; 14] = [
            "origin",
            "authorization",
            "Authorization",
            "access-control-request-method",
            "access-control-request-headers",
            "host",
            "x_forwarded_for",
            "x-jwt-assertion",
            "x_jwt_assertion",
            "content-length",
            "transfer-encoding",
            "vary",
            "cookie",
            "x!#$%&'*+.^_`|~",
        ];
        NAMES[self.below(NAMES.len())].to_owned()
    }

    /// A value that HTTP allows: everything but control characters, and tab.
    fn value(&mut self) -> Vec<u8> {
        const STARTS: [&[u8]; 12] = [
            b"",
            b"null",
            b"https://a.example",
            b"Bearer ",
            b"Bearer eyJhbGciOiJub25lIn0.e30.",
            b"Basic Og==",
            b"GET",
            b"*",
            b",,,",
            b"\xff\xfe",
            b"\"\\",
            b"\t ",
        ];
        let mut value = STARTS[self.below(STARTS.len())].to_vec();
        let most = if self.below(50) == 0 { 20_000 } else { 40 };
        value.extend(self.bytes(most).into_iter().filter(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f)));
        value
    }

    /// Text that a credential may carry; control characters are likely.
    fn text(&mut self) -> String {
        const PARTS: [&str; 10] = ["a", "\r\n", "X-Admin: 1", "\0", "é", "💥", "%0d%0a", "\u{202e}", "\u{7f}", " "];
        let most = if self.below(50) == 0 { 9_000 } else { 12 };
        (0..self.below(most)).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }
}
