//! Where the token is in a request.

use tollgate_filter_api::{HeaderName, NoCredential, Reason, RequestHead, behind_scheme};

use crate::{
    config::Config,
    reasons::{JWT, MALFORMED, MISSING, SCHEME, TWO},
};

/// The token: once, in that header, behind that scheme, with the characters of RFC 6750 §2.1.
pub(crate) fn token<'a>(req: &'a RequestHead, config: &Config, header: &HeaderName, scheme: &str) -> Result<&'a str, &'static Reason> {
    let token = behind_scheme(req, header, scheme).map_err(|why| match why {
        NoCredential::Missing => &MISSING,
        NoCredential::OtherScheme => &SCHEME,
        NoCredential::Twice => &TWO,
        NoCredential::Unreadable => &MALFORMED,
    })?;
    if !config.jwt && matches!(token.split('.').count(), 3 | 5) {
        return Err(&JWT);
    }
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let good = !body.is_empty() && body.bytes().all(legal) && token.len() as u64 <= config.max_length.0;
    if good { Ok(token) } else { Err(&MALFORMED) }
}
