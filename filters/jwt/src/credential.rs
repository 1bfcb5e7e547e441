//! Where the token is in a request, and what of the request must not reach the upstream.

use std::sync::LazyLock;

use tollgate_filter_api::{Carrier, HeaderName, NoCredential, RequestHead, bytes_behind_scheme};

use crate::reasons::{MALFORMED, MISSING, Refusal, Refuse, SCHEME, TWO_CREDENTIALS};

/// Where a token in the query would be (RFC 6750 §2.3).
static QUERY: LazyLock<Carrier> = LazyLock::new(|| Carrier::Query("access_token".to_owned()));

/// The token of a request: once, in that header, behind that scheme.
///
/// As bytes: a token that was verified before is found without a look at each of its characters.
pub(crate) fn token<'a>(req: &'a RequestHead, header: &HeaderName, scheme: &str) -> Result<&'a [u8], Refusal> {
    let token = bytes_behind_scheme(req, header, scheme).map_err(|why| match why {
        NoCredential::Missing => MISSING.refusal(),
        NoCredential::OtherScheme => SCHEME.refusal(),
        NoCredential::Twice => TWO_CREDENTIALS.because("the header occurs more than once"),
        NoCredential::Unreadable => MALFORMED.because("the header is not ASCII"),
    })?;
    if req.query().is_some() && !QUERY.values(req).is_empty() {
        return Err(TWO_CREDENTIALS.because("a token in the header and one in the query"));
    }
    Ok(token)
}
