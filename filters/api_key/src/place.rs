//! Finding a key.

use tollgate_filter_api::{Answer, Carrier, Cause, CauseKind, HeaderName, RequestHead, Rule, Shown};

use crate::{
    config::Place,
    reasons::{MISSING, TWO, UNKNOWN},
};

/// Longest key that is looked at, in bytes.
const LONGEST: usize = 8 << 10;

/// Where keys are; `None` when no such place can have that name.
pub(crate) fn carrier(place: Place, name: &str) -> Option<Carrier> {
    let token = HeaderName::from_bytes(name.as_bytes()).ok();
    match place {
        Place::Header => token.map(Carrier::Header),
        Place::Query => (!name.is_empty()).then(|| Carrier::Query(name.to_owned())),
        Place::Cookie => token.map(|_| Carrier::Cookie(name.to_owned())),
    }
}

/// The key, when there is exactly one.
pub(crate) fn find(carrier: &Carrier, req: &RequestHead) -> Result<String, Answer> {
    let missing = || MISSING.because(Cause::new(CauseKind::Missing, "API key", Rule::demand()));
    let mut found = carrier.values(req);
    let key = found.pop().ok_or_else(missing)?;
    if !found.is_empty() {
        let cause = Cause::new(CauseKind::Ambiguous, "API key", Rule::Fixed("one key is sent"));
        return Err(TWO.because(cause.detail("it occurs more than once")));
    }
    let key = String::from_utf8(key.into_owned());
    let key = key.map_err(|_| UNKNOWN.because(Cause::new(CauseKind::Malformed, "API key", Rule::Fixed("a key is UTF-8"))))?;
    match key.len() {
        0 => Err(missing()),
        1..=LONGEST => Ok(key),
        length => {
            let cause = Cause::new(CauseKind::OverLimit, "API key", Rule::Fixed("the filter's own limit"));
            Err(UNKNOWN.because(cause.seen(Shown::Bytes(length as u64)).wanted(Shown::Bytes(LONGEST as u64))))
        }
    }
}
