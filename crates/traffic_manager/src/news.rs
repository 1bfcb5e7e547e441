//! Messages of the topic `throttleData`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    bounds::{FURTHEST, LONGEST_MESSAGE},
    decisions::{
        blocks::{BlockKind, BlockedAddresses},
        conditions::{self, Group},
        throttled::Key,
    },
    json::{self, Bad, name, truth, whole},
    lists::WrittenBlock,
};

/// What a message says.
#[derive(Debug)]
pub struct News(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Throttled { key: Key, until: u64, groups: Vec<Group> },
    Released(Key),
    Template { template: String, is_there: bool },
    Block { kind: BlockKind, name: String, is_there: bool },
    Addresses { id: i64, addresses: Option<BlockedAddresses> },
}

#[derive(Deserialize)]
struct Envelope {
    event: Payload,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "payloadData")]
    payload_data: BTreeMap<String, Value>,
}

/// A MapMessage. Of a template, a decision and a block it is the first of which it has the name. `now` is in milliseconds since 1970.
///
/// # Errors
/// When it cannot be understood, or is too much.
pub fn wire_map(map: &BTreeMap<String, Value>, now: u64) -> Result<News, Bad> {
    let said = |name: &str| map.get(name).filter(|value| !value.is_null());
    let kind = if let Some(template) = said("keyTemplateValue") {
        let state = said("keyTemplateState").ok_or(Bad("a key template without its state"))?;
        Kind::Template { template: name(template)?.into_owned(), is_there: name(state)?.eq_ignore_ascii_case("add") }
    } else if let Some(key) = said("throttleKey") {
        decision(&name(key)?, said, now)?
    } else if let Some(condition) = said("blockingCondition") {
        block(&name(condition)?, said)?
    } else {
        return Err(Bad("a message of another kind"));
    };
    Ok(News(kind))
}

/// A TextMessage: the same in `event.payloadData`.
///
/// # Errors
/// When it cannot be understood, or is too much.
pub fn text(text: &[u8], now: u64) -> Result<News, Bad> {
    if text.len() > LONGEST_MESSAGE {
        return Err(Bad("a message that is too long"));
    }
    let envelope: Envelope = json::read(text, "a text of another form")?;
    wire_map(&envelope.event.payload_data, now)
}

fn decision<'a>(key: &str, said: impl Fn(&str) -> Option<&'a Value>, now: u64) -> Result<Kind, Bad> {
    let key = Key::new(key);
    if !truth(said("isThrottled").ok_or(Bad("a decision that does not say what it is"))?)? {
        return Ok(Kind::Released(key));
    }
    let until = whole(said("expiryTimeStamp").ok_or(Bad("a decision without an end"))?)?;
    let until = u64::try_from(until).unwrap_or(0);
    if until > now.saturating_add(FURTHEST) {
        return Err(Bad("a decision for more than a year"));
    }
    let groups = match said("evaluatedConditions") {
        Some(Value::String(text)) => conditions::read(text)?,
        Some(_) => return Err(Bad("conditions that are no text")),
        None => Vec::new(),
    };
    if key.is_conditional() && groups.is_empty() {
        return Err(Bad("a decision about a condition that it does not have"));
    }
    Ok(Kind::Throttled { key, until, groups })
}

fn block<'a>(condition: &str, said: impl Fn(&str) -> Option<&'a Value>) -> Result<Kind, Bad> {
    let value = said("conditionValue").ok_or(Bad("a block without its value"))?;
    let is_there = said("state").is_some_and(|state| matches!(state, Value::Bool(true)) || state == "true");
    let kind = match condition.to_ascii_uppercase().as_str() {
        "API" => BlockKind::Api,
        "APPLICATION" => BlockKind::Application,
        "USER" => BlockKind::User,
        "IP" | "IPRANGE" => return addresses(condition, value, is_there, said),
        _ => return Err(Bad("a block of another kind")),
    };
    Ok(Kind::Block { kind, name: name(value)?.into_owned(), is_there })
}

fn addresses<'a>(condition: &str, value: &Value, is_there: bool, said: impl Fn(&str) -> Option<&'a Value>) -> Result<Kind, Bad> {
    let id = whole(said("id").ok_or(Bad("a blocked address without its number"))?)?;
    if !is_there {
        return Ok(Kind::Addresses { id, addresses: None });
    }
    let written: WrittenBlock = match value {
        Value::String(text) if text.len() <= LONGEST_MESSAGE => json::read(text.as_bytes(), "a blocked address of another form")?,
        _ => return Err(Bad("a blocked address of another form")),
    };
    let tenant = name(said("tenantDomain").ok_or(Bad("a blocked address without its tenant"))?)?;
    Ok(Kind::Addresses { id, addresses: Some(written.read(condition, &tenant)?) })
}

#[cfg(test)]
#[path = "tests/news.rs"]
mod tests;
