//! Where the token is in a request, and what of the request must not reach the upstream.

use std::sync::LazyLock;

use tollgate_filter_api::{Carrier, Cause, CauseKind, HeaderName, NoCredential, RequestHead, Rule, bytes_behind_scheme};

use crate::reasons::{MISSING, Refusal, Refuse, SCHEME, TWO_CREDENTIALS, malformed};

/// Where a token in the query would be (RFC 6750 §2.3).
static QUERY: LazyLock<Carrier> = LazyLock::new(|| Carrier::Query("access_token".to_owned()));

/// The token of a request: once, in that header, behind that scheme.
///
/// As bytes: a token that was verified before is found without a look at each of its characters.
pub(crate) fn token<'a>(req: &'a RequestHead, header: &HeaderName, scheme: &str) -> Result<&'a [u8], Refusal> {
    let token = bytes_behind_scheme(req, header, scheme).map_err(|why| match why {
        NoCredential::Missing => MISSING.refuse(Cause::new(CauseKind::Missing, "token", Rule::demand())),
        NoCredential::OtherScheme => {
            SCHEME.refuse(Cause::new(CauseKind::NotAllowed, "authentication scheme", Rule::setting("/scheme")).wanted(scheme.to_owned()))
        }
        NoCredential::Twice => two("the header occurs more than once"),
        NoCredential::Unreadable => malformed("token", "the header is not ASCII"),
    })?;
    if req.query().is_some() && !QUERY.values(req).is_empty() {
        return Err(two("a token in the header and one in the query"));
    }
    Ok(token)
}

fn two(detail: &'static str) -> Refusal {
    TWO_CREDENTIALS.refuse(Cause::new(CauseKind::Ambiguous, "credential", Rule::Fixed("RFC 6750 §2")).detail(detail))
}
