//! Where the token is in a request.

use tollgate_filter_api::{HeaderName, Reason, RequestHead};

use crate::reasons::{JWT, MALFORMED, MISSING, SCHEME, TWO};

/// The token: once, in that header, behind `Bearer`, with the characters of RFC 6750 §2.1.
pub(crate) fn token<'a>(req: &'a RequestHead, header: &HeaderName, longest: u64, jwt: bool) -> Result<&'a str, &'static Reason> {
    let mut values = req.get_all(header);
    let value = values.next().ok_or(&MISSING)?;
    if values.next().is_some() {
        return Err(&TWO);
    }
    let value = value.to_str().map_err(|_| &MALFORMED)?.trim_matches(' ');
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    let token = rest.trim_start_matches(' ');
    if !scheme.eq_ignore_ascii_case("Bearer") && !scheme.is_empty() {
        return Err(&SCHEME);
    }
    if token.is_empty() {
        return Err(&MISSING);
    }
    if !jwt && matches!(token.split('.').count(), 3 | 5) {
        return Err(&JWT);
    }
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let good = !body.is_empty() && body.bytes().all(legal) && token.len() as u64 <= longest;
    if good { Ok(token) } else { Err(&MALFORMED) }
}
