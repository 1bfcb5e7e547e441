//! Finding a key.

use tollgate_filter_api::{Carrier, HeaderName, Reason, RequestHead};

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
pub(crate) fn find(carrier: &Carrier, req: &RequestHead) -> Result<String, &'static Reason> {
    let mut found = carrier.values(req);
    let key = found.pop().ok_or(&MISSING)?;
    if !found.is_empty() {
        return Err(&TWO);
    }
    let key = String::from_utf8(key.into_owned()).map_err(|_| &UNKNOWN)?;
    match key.len() {
        0 => Err(&MISSING),
        1..=LONGEST => Ok(key),
        _ => Err(&UNKNOWN),
    }
}
