//! What brokers and etcd deliver. It is data of strangers over a channel of ours: bounded, read by one schema, and refused
//! whole when anything is not as it must be (CVE-2026-4249 was one injected key that stopped a gateway).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Bad, Instruction, Statement, statement::Number};

/// Longest text or value, in bytes.
pub const LONGEST_MESSAGE: usize = 64 << 10;

/// Least time, in seconds, that something stays revoked of which only a `ttl` is said. The reference publishes the one that its
/// operator set, and an hour where he set none, however long the token lives.
const LEAST: u64 = 86_400;

/// The fields of the reference's message. It has others, which say nothing about the revocation.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "revokedToken")]
    revoked_token: String,
    ttl: Option<Value>,
    #[serde(rename = "expiryTime")]
    expiry_time: Option<Value>,
}

#[derive(Deserialize)]
struct Envelope {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "payloadData")]
    payload_data: Payload,
}

impl Payload {
    fn statement(&self, now: u32) -> Result<Statement, Bad> {
        revoked(&self.revoked_token, self.ttl.as_ref(), self.expiry_time.as_ref(), now)
    }
}

fn revoked(token: &str, ttl: Option<&Value>, expiry_time: Option<&Value>, now: u32) -> Result<Statement, Bad> {
    // 0, and an empty text, stand for an end that the publisher does not know.
    let end = |value: &Value| Number::or_never(value).map(|number| Some(number).filter(|number| !number.is_zero()));
    let ends = [ttl, expiry_time].map(|value| value.filter(|value| *value != "").map_or(Ok(None), end));
    let [ttl, expiry_time] = ends;
    Statement::token(token, [ttl?.map(|ttl| ttl.at_least(LEAST)), expiry_time?], now)
}

/// A MapMessage: `revokedToken`, and `ttl` or `expiryTime`; or the members of an [`Instruction`].
///
/// # Errors
/// When it is not one of a revocation.
pub fn wire_map(map: &BTreeMap<String, Value>, now: u32) -> Result<Statement, Bad> {
    let said = |name: &str| map.get(name).filter(|value| !value.is_null());
    match said("revokedToken").map(name) {
        Some(Value::String(token)) => revoked(&token, said("ttl"), said("expiryTime"), now),
        Some(_) => Err(Bad::new("`revokedToken` is no text")),
        None => {
            let times = ["before", "expires", "ttl"];
            let value = |(key, value): (&String, &Value)| (key.clone(), if times.contains(&&**key) { value.clone() } else { name(value) });
            instruction(Value::Object(map.iter().map(value).collect()), now)
        }
    }
}

/// A text that is a number, digit for digit, comes through ActiveMQ's transformation as one.
fn name(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.to_string().into(),
        other => other.clone(),
    }
}

/// A TextMessage: the reference's fields as JSON, in `event.payloadData` or at the top, or an [`Instruction`].
///
/// # Errors
/// When it is not one of a revocation.
pub fn text(text: &[u8], now: u32) -> Result<Statement, Bad> {
    if text.len() > LONGEST_MESSAGE {
        return Err(Bad::new(format!("longer than {LONGEST_MESSAGE} bytes")));
    }
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(text) {
        return envelope.event.payload_data.statement(now);
    }
    if let Ok(payload) = serde_json::from_slice::<Payload>(text) {
        return payload.statement(now);
    }
    serde_json::from_slice(text).map_err(|_| Bad::new("no JSON of a revocation")).and_then(|value| instruction(value, now))
}

fn instruction(value: Value, now: u32) -> Result<Statement, Bad> {
    let instruction: Instruction = serde_json::from_value(value).map_err(|_| Bad::new("no `revokedToken`, and no instruction"))?;
    instruction.statement(None, now)
}

/// A key of etcd without its prefix, and its value: nothing, the reference's `true`, a time to live, or an instruction. Where the
/// value names nothing, the last segment of the key names a token.
///
/// # Errors
/// When neither can be understood.
pub fn pair(key: &[u8], value: &[u8], now: u32) -> Result<Statement, Bad> {
    if value.len() > LONGEST_MESSAGE {
        return Err(Bad::new(format!("longer than {LONGEST_MESSAGE} bytes")));
    }
    let key = std::str::from_utf8(key).map_err(|_| Bad::new("the key is not UTF-8"))?;
    let name = key.rsplit('/').next().filter(|name| !name.is_empty());
    let value = value.trim_ascii();
    if value.first() == Some(&b'{') {
        let instruction: Instruction = serde_json::from_slice(value).map_err(|_| Bad::new("the value is no instruction"))?;
        return instruction.statement(name, now);
    }
    let name = name.ok_or_else(|| Bad::new("the key names no token"))?;
    let ttl = match std::str::from_utf8(value) {
        Ok("" | "true") => None,
        Ok(digits) => Some(Number::of(&Value::from(digits))?),
        Err(_) => return Err(Bad::new("the value is not UTF-8")),
    };
    Statement::token(name, [ttl, None], now)
}

#[cfg(test)]
#[path = "tests/message.rs"]
mod tests;
