//! What a value of etcd says: one endpoint, or several.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tollgate_url::{Url, UrlError};

/// Most bytes of a value.
const LONGEST: usize = 256 << 10;
/// Most bytes of the name of a zone.
const LONGEST_ZONE: usize = 255;
/// Largest weight.
const MOST_WEIGHT: u64 = 1000;

/// An endpoint, as somebody said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it is.
    pub url: String,
    /// Its share of the requests; 0 takes no new ones.
    pub weight: u32,
    /// Where it stands.
    pub zone: Option<String>,
    /// 0 comes first.
    pub priority: u8,
}

/// Why a value says no endpoint. Repeats nothing of it: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("the URL {0}")]
    Url(UrlError),
    #[error("expected a text in UTF-8")]
    Text,
    #[error("expected at most {LONGEST} bytes")]
    Long,
    #[error("expected a URL, or JSON; it is no JSON from line {0}, column {1} on")]
    Json(usize, usize),
    #[error("expected a URL or an object for each endpoint")]
    Kind,
    #[error("expected at least one endpoint; without the key there is none")]
    None,
    #[error("expected `url`, a text")]
    NoUrl,
    #[error("expected `weight` to be a number from 0 to {MOST_WEIGHT}")]
    Weight,
    #[error("expected `zone` to be a text of 1 to {LONGEST_ZONE} bytes")]
    Zone,
    #[error("expected `priority` to be a number from 0 to 255")]
    Priority,
    #[error("expected nothing but `url`, `weight`, `zone` and `priority`")]
    Unknown,
}

/// Reads a value: a URL, a JSON object, or a JSON array of both.
///
/// # Errors
/// The first thing that is wrong; then nothing of it counts.
pub fn read(value: &[u8]) -> Result<Arc<[Entry]>, Bad> {
    if value.len() > LONGEST {
        return Err(Bad::Long);
    }
    let text = std::str::from_utf8(value).map_err(|_| Bad::Text)?.trim();
    if !text.starts_with(['{', '[']) {
        return Ok(Arc::from([bare(text)?]));
    }
    let read: Value = serde_json::from_str(text).map_err(|error| Bad::Json(error.line(), error.column()))?;
    let entries = match read {
        Value::Array(items) if items.is_empty() => return Err(Bad::None),
        Value::Array(items) => items.iter().map(one).collect::<Result<Vec<_>, _>>()?,
        one_of_them => vec![one(&one_of_them)?],
    };
    Ok(entries.into())
}

fn one(value: &Value) -> Result<Entry, Bad> {
    match value {
        Value::String(url) => bare(url),
        Value::Object(members) => described(members),
        _ => Err(Bad::Kind),
    }
}

fn bare(url: &str) -> Result<Entry, Bad> {
    let entry = Entry { url: url.to_owned(), weight: 1, zone: None, priority: 0 };
    entry.check()?;
    Ok(entry)
}

fn described(members: &Map<String, Value>) -> Result<Entry, Bad> {
    let url = members.get("url").and_then(Value::as_str).ok_or(Bad::NoUrl)?;
    let mut entry = bare(url)?;
    for (name, value) in members {
        match name.as_str() {
            "url" => {}
            "weight" => entry.weight = number(value, MOST_WEIGHT).ok_or(Bad::Weight)?,
            "zone" => entry.zone = Some(value.as_str().ok_or(Bad::Zone)?.to_owned()),
            "priority" => entry.priority = number(value, u64::from(u8::MAX)).ok_or(Bad::Priority)?,
            _ => return Err(Bad::Unknown),
        }
    }
    entry.check()?;
    Ok(entry)
}

fn number<T: TryFrom<u64>>(value: &Value, most: u64) -> Option<T> {
    value.as_u64().filter(|number| *number <= most)?.try_into().ok()
}

impl Entry {
    /// Judges what could be said and must not be.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), Bad> {
        Url::parse_http(&self.url).map_err(Bad::Url)?;
        if u64::from(self.weight) > MOST_WEIGHT {
            return Err(Bad::Weight);
        }
        if self.zone.as_ref().is_some_and(|zone| !(1..=LONGEST_ZONE).contains(&zone.len())) {
            return Err(Bad::Zone);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(value: &str) -> Vec<(String, u32, Option<String>, u8)> {
        let read = read(value.as_bytes()).unwrap();
        read.iter().map(|entry| (entry.url.clone(), entry.weight, entry.zone.clone(), entry.priority)).collect()
    }

    #[test]
    fn a_value_is_a_url_or_says_more_in_json() {
        let plain = |url: &str| (url.to_owned(), 1, None, 0);
        assert_eq!(entries(" http://a.example:1/base\n"), [plain("http://a.example:1/base")]);
        assert_eq!(entries(r#"{"url":"https://a.example"}"#), [plain("https://a.example")]);
        let full = r#"{"url":"http://a.example","weight":0,"zone":"eu-1","priority":255}"#;
        assert_eq!(entries(full), [("http://a.example".to_owned(), 0, Some("eu-1".to_owned()), 255)]);
        let several = r#"["http://a.example", {"url":"http://b.example","weight":1000}]"#;
        assert_eq!(entries(several), [plain("http://a.example"), ("http://b.example".to_owned(), 1000, None, 0)]);
    }

    #[test]
    fn what_is_no_endpoint_is_refused_whole_and_not_repeated() {
        for (value, expected) in [
            ("", "the URL"),
            ("hunter2", "the URL"),
            ("ftp://hunter2", "the URL"),
            ("http://u:hunter2@a.example", "user information"),
            ("{\"url\":\"http://hunter2.example\",}", "no JSON from line 1, column"),
            ("{}", "`url`"),
            ("[]", "at least one"),
            ("[[\"http://hunter2.example\"]]", "for each endpoint"),
            ("[\"http://hunter2.example\", 7]", "for each endpoint"),
            (r#"{"url":7}"#, "`url`"),
            (r#"{"url":"http://hunter2.example","weight":1001}"#, "`weight`"),
            (r#"{"url":"http://hunter2.example","weight":-1}"#, "`weight`"),
            (r#"{"url":"http://hunter2.example","weight":1.5}"#, "`weight`"),
            (r#"{"url":"http://hunter2.example","weight":"hunter2"}"#, "`weight`"),
            (r#"{"url":"http://hunter2.example","zone":""}"#, "`zone`"),
            (r#"{"url":"http://hunter2.example","priority":256}"#, "`priority`"),
            (r#"{"url":"http://hunter2.example","hunter2":1}"#, "nothing but"),
        ] {
            let bad = read(value.as_bytes()).unwrap_err().to_string();
            assert!(bad.contains(expected) && !bad.contains("hunter2"), "{value}: {bad}");
        }
        assert_eq!(read(b"http://\xff").unwrap_err(), Bad::Text);
        assert_eq!(read(&vec![b' '; LONGEST + 1]).unwrap_err(), Bad::Long);
    }
}
