//! Finding a key, and taking it out. What is beside it stays as it was sent, byte for byte.

use std::borrow::Cow;

use http::header::COOKIE;
use tollgate_filter_api::{Fault, HeaderName, HeaderValue, Reason, RequestHead};

use crate::{
    config::Place,
    reasons::{MISSING, TWO, UNKNOWN},
};

/// Longest key that is looked at, in bytes.
const LONGEST: usize = 8 << 10;

/// Where to look.
pub(crate) enum Spot {
    Header(HeaderName),
    Query(String),
    Cookie(String),
}

impl Spot {
    /// `None` when no such place can have that name.
    pub(crate) fn new(place: Place, name: &str) -> Option<Self> {
        let token = HeaderName::from_bytes(name.as_bytes()).ok();
        match place {
            Place::Header => token.map(Self::Header),
            Place::Query => (!name.is_empty()).then(|| Self::Query(name.to_owned())),
            Place::Cookie => token.map(|_| Self::Cookie(name.to_owned())),
        }
    }

    /// The key, when there is exactly one.
    pub(crate) fn find(&self, req: &RequestHead) -> Result<String, &'static Reason> {
        let mut found: Vec<Cow<'_, [u8]>> = match self {
            Self::Header(name) => req.get_all(name).map(|value| value.as_bytes().trim_ascii().into()).collect(),
            Self::Query(name) => pairs(req.query().unwrap_or_default(), '&').filter_map(|pair| query_value(pair, name)).collect(),
            Self::Cookie(name) => cookies(req).filter_map(|pair| cookie_value(pair, name)).map(Cow::from).collect(),
        };
        let key = found.pop().filter(|key| !key.is_empty()).ok_or(&MISSING)?;
        if !found.is_empty() {
            return Err(&TWO);
        }
        let key = String::from_utf8(key.into_owned()).map_err(|_| &UNKNOWN)?;
        if key.len() > LONGEST { Err(&UNKNOWN) } else { Ok(key) }
    }

    /// Takes it out.
    pub(crate) fn strip(&self, req: &mut RequestHead) -> Result<(), Fault> {
        match self {
            Self::Header(name) => req.remove(name),
            Self::Query(name) => {
                let rest = kept(req.query().unwrap_or_default(), '&', |pair| query_value(pair, name).is_none());
                req.set_query(rest.as_deref()).map_err(|_| Fault::new("api_key.query", "the query without the key cannot be sent"))?;
            }
            Self::Cookie(name) => {
                let fields: Vec<HeaderValue> = req.get_all(&COOKIE).filter_map(|field| without(field, name)).collect();
                req.remove(&COOKIE);
                fields.into_iter().for_each(|field| req.append(COOKIE, field));
            }
        }
        Ok(())
    }
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator)
}

/// What is left of a list; `None` when nothing is.
fn kept(text: &str, separator: char, keep: impl Fn(&str) -> bool) -> Option<String> {
    let rest: Vec<&str> = text.split(separator).filter(|pair| keep(pair)).collect();
    (!rest.is_empty()).then(|| rest.join(separator.encode_utf8(&mut [0; 4])))
}

fn query_value<'a>(pair: &'a str, wanted: &str) -> Option<Cow<'a, [u8]>> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(name) == wanted.as_bytes()).then(|| decoded(value))
}

/// The bytes of a percent-encoded text; a broken escape stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return text.as_bytes().into();
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, tail)) = rest.split_first() {
        match tail {
            [high, low, after @ ..] if first == b'%' && digit(*high).is_some() && digit(*low).is_some() => {
                out.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out.into()
}

fn cookies(req: &RequestHead) -> impl Iterator<Item = &[u8]> {
    req.get_all(&COOKIE).flat_map(|field| field.as_bytes().split(|byte| *byte == b';')).map(<[u8]>::trim_ascii)
}

fn cookie_value<'a>(pair: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    pair.strip_prefix(wanted.as_bytes())?.strip_prefix(b"=").map(<[u8]>::trim_ascii)
}

/// A field of cookies without that one; `None` when nothing is left.
fn without(field: &HeaderValue, name: &str) -> Option<HeaderValue> {
    let keep = |pair: &&[u8]| cookie_value(pair.trim_ascii(), name).is_none();
    let pairs: Vec<&[u8]> = field.as_bytes().split(|byte| *byte == b';').filter(keep).collect();
    let rest = pairs.join(&b';');
    let rest = rest.trim_ascii();
    if rest.is_empty() { None } else { HeaderValue::from_bytes(rest).ok() }
}
