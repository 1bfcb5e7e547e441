//! The two lists that are fetched at the start: key templates, and blocks.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    bounds::LONGEST_LIST,
    decisions::{
        blocks::{BlockKind, BlockedAddresses},
        conditions::Addresses,
    },
    json::{self, Bad, name, whole},
};

/// The blocks of the list, and how many of it cannot be understood.
#[derive(Debug, Default)]
pub struct Blocked {
    pub(crate) names: Vec<(BlockKind, String)>,
    pub(crate) addresses: Vec<(i64, BlockedAddresses)>,
    pub(crate) bad: usize,
}

/// A blocked address or range. An operator's other notes beside it do not matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WrittenBlock {
    fixed_ip: Option<String>,
    starting_ip: Option<String>,
    ending_ip: Option<String>,
    #[serde(default)]
    invert: bool,
}

impl WrittenBlock {
    /// The addresses of an `IP` or `IPRANGE`.
    pub(crate) fn read(&self, condition: &str, tenant: &str) -> Result<BlockedAddresses, Bad> {
        let is_single = condition.eq_ignore_ascii_case("IP");
        let [first, last] = if is_single { [&self.fixed_ip, &self.fixed_ip] } else { [&self.starting_ip, &self.ending_ip] };
        let (Some(first), Some(last)) = (first, last) else { return Err(Bad("a blocked address without the address")) };
        Ok(BlockedAddresses { tenant: tenant.into(), addresses: Addresses::new(first, last, self.invert)? })
    }
}

/// Reads the answer of `keyTemplates`: a list of texts. What is none is left out; the second number says how many.
///
/// # Errors
/// When it is no list, or is too long.
pub fn key_templates(json: &[u8]) -> Result<(Vec<String>, usize), Bad> {
    let list: Vec<Value> = read(json, "key templates that are no list")?;
    let all = list.len();
    let good: Vec<String> = list.iter().filter_map(|one| Some(name(one).ok()?.into_owned())).collect();
    let bad = all - good.len();
    Ok((good, bad))
}

/// Reads the answer of `block`: lists by the kind of what is blocked.
///
/// # Errors
/// When it is no object, or is too long.
pub fn blocks(json: &[u8]) -> Result<Blocked, Bad> {
    let kinds: Map<String, Value> = read(json, "blocks that are no object")?;
    let mut blocked = Blocked::default();
    for (kind, list) in &kinds {
        match list {
            Value::Array(list) => list.iter().for_each(|one| blocked.add(kind, one)),
            Value::Null => {}
            _ => blocked.bad += 1,
        }
    }
    Ok(blocked)
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8], what: &'static str) -> Result<T, Bad> {
    if json.len() > LONGEST_LIST { Err(Bad("a list that is too long")) } else { json::read(json, what) }
}

impl Blocked {
    fn add(&mut self, kind: &str, one: &Value) {
        let names = match kind.to_ascii_uppercase().as_str() {
            "API" => BlockKind::Api,
            "APPLICATION" => BlockKind::Application,
            "USER" => BlockKind::User,
            "IP" | "IPRANGE" => {
                match addresses(kind, one) {
                    Ok(addresses) => self.addresses.push(addresses),
                    Err(_) => self.bad += 1,
                }
                return;
            }
            _ => return self.bad += 1,
        };
        match name(one) {
            Ok(name) => self.names.push((names, name.into_owned())),
            Err(_) => self.bad += 1,
        }
    }
}

/// The list `ip` has both, and says which by `type`.
fn addresses(kind: &str, one: &Value) -> Result<(i64, BlockedAddresses), Bad> {
    let said = |name: &str| one.get(name).filter(|value| !value.is_null());
    let id = whole(said("id").or_else(|| said("conditionId")).ok_or(Bad("a blocked address without its number"))?)?;
    let tenant = name(said("tenantDomain").ok_or(Bad("a blocked address without its tenant"))?)?;
    let kind = said("type").and_then(Value::as_str).unwrap_or(kind);
    let written: WrittenBlock = serde_json::from_value(one.clone()).map_err(|_| Bad("a blocked address of another form"))?;
    Ok((id, written.read(kind, &tenant)?))
}

#[cfg(test)]
#[path = "tests/lists.rs"]
mod tests;
