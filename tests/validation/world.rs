//! A gateway that validates, before an upstream that records.

use std::{collections::BTreeMap, io};

use serde_json::{Value, json};
use tollgate_tests::{Client, Gateway, Message, Project, Ran, Response, Settings, Upstream, client::request};

/// A request, with a name of its own for whoever reads about it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: String,
    pub method: String,
    pub target: String,
    /// Whole lines without their ends.
    pub fields: Vec<String>,
    pub body: Vec<u8>,
    /// Sent in chunks of odd sizes.
    pub chunked: bool,
}

impl Asked {
    /// A POST of JSON.
    pub fn json(id: impl Into<String>, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(id, "POST", target).field("Content-Type: application/json").body(body)
    }

    pub fn new(id: impl Into<String>, method: &str, target: &str) -> Self {
        Self { id: id.into(), method: method.to_owned(), target: target.to_owned(), fields: Vec::new(), body: Vec::new(), chunked: false }
    }

    #[must_use]
    pub fn field(mut self, line: impl Into<String>) -> Self {
        self.fields.push(line.into());
        self
    }

    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// What came of a request.
#[derive(Debug)]
pub struct Verdict {
    pub answer: io::Result<Response>,
    /// What the upstream saw of it.
    pub arrived: Option<Message>,
}

impl Verdict {
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, Response::status)
    }

    /// The upstream answered.
    pub fn passed(&self) -> bool {
        self.status() == 200 && self.arrived.is_some()
    }

    /// The filter refused, as it says that it does, and the upstream saw nothing.
    pub fn refused(&self) -> bool {
        let reason = self.problem()["reason"].as_str().unwrap_or_default().to_owned();
        (400..500).contains(&self.status()) && reason.starts_with("validate.") && self.arrived.is_none()
    }

    /// The body of the refusal; null when it is none.
    pub fn problem(&self) -> Value {
        self.answer.as_ref().ok().and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default()
    }

    /// The rules it names.
    pub fn rules(&self) -> Vec<String> {
        let problem = self.problem();
        let errors = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().map(|error| error["rule"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is wrong when the request should have been decided like this; the upstream must see what was sent, to the byte.
    pub fn differs(&self, asked: &Asked, accept: bool) -> Option<String> {
        let right =
            if accept { self.passed() && self.arrived.as_ref().is_some_and(|arrived| arrived.body == asked.body) } else { self.refused() };
        (!right).then(|| {
            let (wanted, seen) = (if accept { "accepted" } else { "refused" }, self.arrived.as_ref().map(Message::text));
            let body: String = String::from_utf8_lossy(&asked.body).chars().take(200).collect();
            let said = self.answer.as_ref().map(|answer| format!("{} {}", answer.status(), answer.text()));
            format!("{}: to be {wanted}: {} {} {body:?}: {said:?}; the upstream saw {:?}", asked.id, asked.method, asked.target, seen)
        })
    }
}

pub struct World {
    pub upstream: Upstream,
    pub gateway: Gateway,
}

impl World {
    /// Validates requests to an API that is open to everybody.
    pub fn serving(definition: &Value) -> Self {
        Self::serving_text(&definition.to_string())
    }

    /// As [`serving`](Self::serving), with every number of the definition spelled as it was.
    pub fn serving_text(definition: &str) -> Self {
        Self::settings(definition, &json!({ "chain": ["validate"] }))
    }

    /// With these settings of the gateway's.
    pub fn settings(definition: &str, config: &Value) -> Self {
        let upstream = Upstream::start();
        let project = Project::new().definition("api.json", open(definition, &upstream.url()));
        let artifact = project.build(&[]);
        let gateway = Gateway::start(&artifact, Settings { config: config.clone(), tls: None, h2c: true });
        Self { upstream, gateway }
    }

    /// Asks for everything, one request after the other.
    pub fn judge(&self, all: &[Asked]) -> Vec<Verdict> {
        self.upstream.forget();
        let answers = answers(&self.gateway, all);
        let mut arrived: BTreeMap<usize, Message> =
            self.upstream.requests().into_iter().filter_map(|request| Some((number(&request.message)?, request.message))).collect();
        answers.into_iter().enumerate().map(|(at, answer)| Verdict { answer, arrived: arrived.remove(&at) }).collect()
    }

    /// Asks for everything; what was decided in another way comes back.
    pub fn differences(&self, all: &[(Asked, bool)]) -> Vec<String> {
        let asked: Vec<Asked> = all.iter().map(|(asked, _)| asked.clone()).collect();
        let verdicts = self.judge(&asked);
        verdicts.iter().zip(all).filter_map(|(verdict, (asked, accept))| verdict.differs(asked, *accept)).collect()
    }

    pub fn ask(&self, asked: Asked) -> Verdict {
        self.judge(&[asked]).remove(0)
    }
}

/// Which request of a list it was.
fn number(request: &Message) -> Option<usize> {
    request.field("x-case")?.parse().ok()
}

fn answers(gateway: &Gateway, all: &[Asked]) -> Vec<io::Result<Response>> {
    let mut client = gateway.connect();
    let mut answers = Vec::new();
    for (number, asked) in all.iter().enumerate() {
        let number = format!("X-Case: {number}");
        let mut fields: Vec<&str> = asked.fields.iter().map(String::as_str).collect();
        fields.push(&number);
        let answer = ask(&mut client, asked, &fields);
        let over = answer.as_ref().map_or(true, |answer| answer.field("connection").is_some_and(|said| said.eq_ignore_ascii_case("close")));
        if over {
            client = gateway.connect();
        }
        answers.push(answer);
    }
    answers
}

/// A gateway may refuse before it has read everything: its answer counts, not that the rest could not be written.
fn ask(client: &mut Client, asked: &Asked, fields: &[&str]) -> io::Result<Response> {
    let written = if asked.chunked {
        write_chunks(client, asked, fields)
    } else {
        client.write(request(&asked.method, &asked.target, fields, &asked.body))
    };
    let answer = client.answer(&asked.method);
    if answer.is_err() {
        written?;
    }
    answer
}

/// One chunk for each write, of sizes that cut every token somewhere.
fn write_chunks(client: &mut Client, asked: &Asked, fields: &[&str]) -> io::Result<()> {
    let fields: Vec<&str> = fields.iter().copied().chain(["Transfer-Encoding: chunked"]).collect();
    client.write(request(&asked.method, &asked.target, &fields, b""))?;
    let mut rest = asked.body.as_slice();
    for size in [1, 2, 3, 5, 7, 11, 13].into_iter().cycle() {
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        if chunk.is_empty() {
            break;
        }
        client.write([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())?;
        rest = more;
    }
    client.write("0\r\n\r\n")
}

/// A definition, open to everybody and with an endpoint; the rest of its text as it was.
pub fn open(definition: &str, endpoint: &str) -> String {
    let more = json!({
        "x-wso2-basePath": "/",
        "x-wso2-disable-security": true,
        "x-wso2-production-endpoints": { "urls": [endpoint], "type": "http" },
    });
    let more = more.to_string();
    definition.replacen('{', &format!("{},", &more[..more.len() - 1]), 1)
}

/// Whether a definition builds.
pub fn try_build(definition: &str) -> Ran {
    Project::new().definition("api.json", open(definition, "http://127.0.0.1:9")).try_build(&[]).0
}

/// A definition in OpenAPI of that version, with these paths.
pub fn definition(version: &str, paths: Value) -> Value {
    json!({ "openapi": version, "info": { "title": "validation", "version": "1" }, "paths": paths })
}

/// An operation that takes a body of JSON under a schema.
pub fn takes(schema: Value) -> Value {
    json!({
        "requestBody": { "required": true, "content": { "application/json": { "schema": schema } } },
        "responses": { "200": { "description": "ok" } },
    })
}
