//! The compact serialization of RFC 7515, read strictly: three parts, base64url, a header that is one JSON object.
//!
//! Knows nothing of keys, claims or time. What it refuses: other serializations, JWE, nested and compressed tokens, `crit`
//! (no extension is understood here, so none can be demanded) and `b64`. `jwk`, `jku`, `x5u`, `x5c` and `x5t` are never used.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};

use crate::{algorithm::Algorithm, json};

/// With or without padding; a last character that carries stray bits is refused all the same.
const PADDED: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Why a text is no token that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither three parts nor the five of an encrypted token (RFC 7516 §3.1): an opaque token, which somebody else may know.
    #[error("no JWS, but an opaque token")]
    Opaque,
    /// `alg` is unknown here, `none` or symmetric.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// An extension is demanded (RFC 7515 §4.1.11).
    #[error("an extension is demanded: {0}")]
    Critical(&'static str),
    /// Anything else; the text says what.
    #[error("{0}")]
    Form(&'static str),
}

/// A token taken apart, nothing of it believed yet.
#[derive(Debug)]
pub struct Jws<'a> {
    /// What the header asks for.
    pub algorithm: Algorithm,
    /// The key's name, compared exactly and used for nothing else.
    pub kid: Option<String>,
    /// `typ`, if there is one.
    pub typ: Option<String>,
    /// The whole header.
    pub header: Map<String, Value>,
    /// The decoded payload.
    pub payload: Vec<u8>,
    /// What was signed: the first two parts as they were sent.
    pub input: &'a [u8],
    /// The decoded signature.
    pub signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. `padded` also accepts base64url with `=`, which RFC 7515 §2 forbids.
    ///
    /// # Errors
    /// [`Malformed`] when it is not one strict token.
    pub fn parse(token: &'a str, padded: bool) -> Result<Self, Malformed> {
        let (header, payload, signature) = parts(token)?;
        let fields = json::object(&decode(header, padded)?).map_err(|_| Malformed::Form("the header is not one strict JSON object"))?;
        refuse_extensions(&fields)?;
        let algorithm = algorithm(&fields)?;
        Ok(Self {
            algorithm,
            kid: text(&fields, "kid")?,
            typ: text(&fields, "typ")?,
            header: fields,
            payload: decode(payload, padded)?,
            input: &token.as_bytes()[..header.len() + 1 + payload.len()],
            signature: decode(signature, padded)?,
        })
    }

    /// The other signature that anybody can make of this one, as a token carries it; see [`Algorithm::twin`].
    pub fn twin(&self) -> Option<String> {
        self.algorithm.twin(&self.signature).map(|twin| URL_SAFE_NO_PAD.encode(twin))
    }
}

/// `typ` as it is compared: lower case, without `application/` unless another slash follows (RFC 7515 §4.1.9).
pub fn normal_type(typ: &str) -> String {
    let lower = typ.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(rest) if !rest.contains('/') => rest.to_owned(),
        _ => lower,
    }
}

/// What has not the shape of a JOSE object is somebody else's: opaque tokens may hold dots.
fn parts(token: &str) -> Result<(&str, &str, &str), Malformed> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.count()) {
        (Some(header), Some(payload), Some(signature), 0) if !header.is_empty() => Ok((header, payload, signature)),
        (.., Some(_), 0) => Err(Malformed::Form("an empty header")),
        (.., Some(_), 2) => Err(Malformed::Form("an encrypted token")),
        _ => Err(Malformed::Opaque),
    }
}

fn decode(part: &str, padded: bool) -> Result<Vec<u8>, Malformed> {
    let decoded = if padded { PADDED.decode(part) } else { URL_SAFE_NO_PAD.decode(part) };
    decoded.map_err(|_| Malformed::Form("a part is not base64url"))
}

fn algorithm(fields: &Map<String, Value>) -> Result<Algorithm, Malformed> {
    match fields.get("alg") {
        Some(Value::String(name)) => Algorithm::parse(name).ok_or(Malformed::Algorithm),
        _ => Err(Malformed::Form("`alg` is not a string")),
    }
}

/// A parameter that says something: one that is null counts as absent.
fn said<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

/// `crit` is refused whatever it holds: an empty list is forbidden too (RFC 7515 §4.1.11).
fn refuse_extensions(fields: &Map<String, Value>) -> Result<(), Malformed> {
    if fields.contains_key("crit") {
        return Err(Malformed::Critical("`crit` is there"));
    }
    if said(fields, "b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(Malformed::Critical("`b64` is not true"));
    }
    if said(fields, "enc").is_some() || said(fields, "zip").is_some() {
        return Err(Malformed::Form("an encrypted or compressed token"));
    }
    match said(fields, "cty") {
        None => Ok(()),
        Some(Value::String(cty)) if !cty.to_ascii_lowercase().contains("jwt") => Ok(()),
        Some(_) => Err(Malformed::Form("a token within a token")),
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Malformed> {
    match said(fields, name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Malformed::Form("a header parameter has the wrong type")),
    }
}
