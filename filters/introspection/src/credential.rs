//! Where the token is in a request.

use tollgate_filter_api::{Answer, Cause, CauseKind, HeaderName, NoCredential, RequestHead, Rule, Shown, behind_scheme};

use crate::{
    config::Config,
    reasons::{JWT, MALFORMED, MISSING, SCHEME, TWO},
};

/// The token: once, in that header, behind that scheme, with the characters of RFC 6750 §2.1.
pub(crate) fn token<'a>(req: &'a RequestHead, config: &Config, header: &HeaderName, scheme: &'static str) -> Result<&'a str, Answer> {
    let token = behind_scheme(req, header, scheme).map_err(|why| absent(why, scheme))?;
    if !config.jwt && matches!(token.split('.').count(), 3 | 5) {
        let cause = Cause::new(CauseKind::NotAllowed, "token", Rule::setting("/jwt"));
        return Err(JWT.because(cause.detail("it looks like a JWT")));
    }
    if token.len() as u64 > config.max_length.0 {
        let cause = Cause::new(CauseKind::OverLimit, "token", Rule::setting("/max_length"));
        return Err(MALFORMED.because(cause.seen(Shown::Bytes(token.len() as u64)).wanted(Shown::Bytes(config.max_length.0))));
    }
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(legal) { Err(malformed("it holds characters that no token has")) } else { Ok(token) }
}

fn absent(why: NoCredential, scheme: &'static str) -> Answer {
    match why {
        NoCredential::Missing => MISSING.because(Cause::new(CauseKind::Missing, "token", Rule::demand())),
        NoCredential::OtherScheme => {
            SCHEME.because(Cause::new(CauseKind::NotAllowed, "authentication scheme", Rule::demand()).wanted(scheme))
        }
        NoCredential::Twice => {
            let cause = Cause::new(CauseKind::Ambiguous, "credential", Rule::Fixed("RFC 6750 §2"));
            TWO.because(cause.detail("the header occurs more than once"))
        }
        NoCredential::Unreadable => malformed("the header is not printable ASCII"),
    }
}

fn malformed(detail: &'static str) -> Answer {
    MALFORMED.because(Cause::new(CauseKind::Malformed, "token", Rule::Fixed("RFC 6750 §2.1")).detail(detail))
}
