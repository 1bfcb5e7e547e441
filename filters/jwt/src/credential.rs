//! Where the token is in a request, and what of the request must not reach the upstream.

use std::sync::LazyLock;

use tollgate_filter_api::{Carrier, HeaderName, RequestHead};

use crate::reasons::{MISSING, Refusal, Refuse, SCHEME, TWO_CREDENTIALS};

/// Where a token in the query would be (RFC 6750 §2.3).
static QUERY: LazyLock<Carrier> = LazyLock::new(|| Carrier::Query("access_token".to_owned()));

/// The token of a request: once, in that header, behind that scheme.
///
/// As bytes: a token that was verified before is found without a look at each of its characters.
pub(crate) fn token<'a>(req: &'a RequestHead, header: &HeaderName, scheme: &str) -> Result<&'a [u8], Refusal> {
    let mut values = req.get_all(header);
    let Some(value) = values.next() else { return Err(MISSING.refusal()) };
    if values.next().is_some() {
        return Err(TWO_CREDENTIALS.because("the header occurs more than once"));
    }
    let token = behind(trimmed(value.as_bytes()), scheme)?;
    if req.query().is_some() && !QUERY.values(req).is_empty() {
        return Err(TWO_CREDENTIALS.because("a token in the header and one in the query"));
    }
    Ok(token)
}

/// Whether the first value of a header has that scheme.
pub(crate) fn has_scheme(req: &RequestHead, header: &HeaderName, scheme: &str) -> bool {
    let value = req.get(header).map(|value| value.as_bytes().trim_ascii_start()).unwrap_or_default();
    value.split(|byte| *byte == b' ').next().is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
}

/// What stands behind the scheme and its spaces.
fn behind<'a>(value: &'a [u8], scheme: &str) -> Result<&'a [u8], Refusal> {
    if scheme.is_empty() {
        return if value.is_empty() { Err(MISSING.refusal()) } else { Ok(value) };
    }
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    let token = trimmed(rest);
    match word.eq_ignore_ascii_case(scheme.as_bytes()) {
        true if token.is_empty() => Err(MISSING.refusal()),
        true => Ok(token),
        false if word.is_empty() => Err(MISSING.refusal()),
        false => Err(SCHEME.refusal()),
    }
}

/// Without the spaces around it.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}
