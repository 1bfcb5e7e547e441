//! What brokers and etcd deliver. It is data of strangers over a channel of ours: bounded, read by one schema, and refused
//! whole when anything is not as it must be (CVE-2026-4249 was one injected key that stopped a gateway).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{Bad, Instruction, Statement, statement::Number};

/// Longest text or value, in bytes.
pub const LONGEST_MESSAGE: usize = 64 << 10;

/// The fields of the reference's message. It has others, which say nothing about the revocation.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "revokedToken")]
    revoked_token: String,
    ttl: Option<Number>,
    #[serde(rename = "expiryTime")]
    expiry_time: Option<Number>,
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
        Statement::token(&self.revoked_token, [self.ttl, self.expiry_time], now)
    }
}

/// A MapMessage: `revokedToken`, and `ttl` or `expiryTime`.
///
/// # Errors
/// When it is not one of a revocation.
pub fn wire_map(map: &BTreeMap<String, Value>, now: u32) -> Result<Statement, Bad> {
    let Some(Value::String(token)) = map.get("revokedToken") else { return Err(Bad::new("no `revokedToken`")) };
    let end = |name: &str| match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => Number::of(value).map(Some),
    };
    Statement::token(token, [end("ttl")?, end("expiryTime")?], now)
}

/// A TextMessage: the same fields as JSON, in `event.payloadData` or at the top.
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
    let payload: Payload = serde_json::from_slice(text).map_err(|_| Bad::new("no JSON of a revocation"))?;
    payload.statement(now)
}

/// A key of etcd without its prefix, and its value: nothing, a number as the reference's `ttl`, or an instruction. Where the
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
        Ok("") => None,
        Ok(digits) => Some(Number::of(&Value::from(digits))?),
        Err(_) => return Err(Bad::new("the value is not UTF-8")),
    };
    Statement::token(name, [ttl, None], now)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
