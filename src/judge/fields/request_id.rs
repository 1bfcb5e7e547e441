//! Request ids: made by the gateway, or taken over from a client or proxy that may set them.
//!
//! Only a well-formed id is taken over, and it is written anew. Anything else that a client sends in the field goes nowhere, not even
//! into the log.

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_filter_api::{Problem, RequestId};

use crate::config::{IdAnswers, IdFormat, IdSource, RequestIds};

/// The default field.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The settings, ready for use.
#[derive(Debug)]
pub struct Ids {
    /// The field that carries the id.
    pub field: HeaderName,
    /// Whether upstreams get the id.
    pub upstream: bool,
    /// Whether answers of upstreams carry the id.
    pub all_answers: bool,
    source: IdSource,
    uuid: bool,
}

impl Ids {
    /// Reads the settings.
    ///
    /// # Errors
    /// When the field cannot be used.
    pub fn new(config: &RequestIds) -> Result<Self, Problem> {
        Ok(Self {
            field: config.field()?,
            upstream: config.upstream,
            all_answers: config.answers == IdAnswers::All,
            source: config.from,
            uuid: config.format == IdFormat::Uuid,
        })
    }

    /// The field, unless it is the default one, which the gateway reserves anyway.
    pub fn own_field(&self) -> Option<HeaderName> {
        (self.field != REQUEST_ID).then(|| self.field.clone())
    }

    /// The id of a request. `trusted` says whether a trusted proxy sent it.
    pub fn of(&self, headers: &HeaderMap, fresh: u128, trusted: impl FnOnce() -> bool) -> RequestId {
        let believed = match self.source {
            IdSource::Gateway => false,
            IdSource::TrustedProxies => trusted(),
            IdSource::Clients => true,
        };
        let sent = believed.then(|| self.sent(headers)).flatten();
        sent.unwrap_or_else(|| RequestId::fresh(fresh, self.uuid))
    }

    fn sent(&self, headers: &HeaderMap) -> Option<RequestId> {
        let mut values = headers.get_all(&self.field).iter();
        let (one, another) = (values.next()?, values.next());
        RequestId::parse(one.as_bytes(), self.uuid).filter(|_| another.is_none())
    }
}

/// An id as a field's value.
pub fn value(id: RequestId) -> HeaderValue {
    let (text, length) = id.text();
    HeaderValue::from_bytes(&text[..length]).expect("hex digits and dashes are legal in a field")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = "93bac548d2de4546b106880a5018460d";

    fn of(from: IdSource, sent: &[&str], trusted: bool) -> String {
        let mut headers = HeaderMap::new();
        for id in sent {
            headers.append("x-request-id", id.parse().unwrap());
        }
        Ids::new(&RequestIds { from, ..RequestIds::default() }).unwrap().of(&headers, 7, || trusted).to_string()
    }

    #[test]
    fn an_id_is_taken_over_from_whom_the_settings_name() {
        for (from, trusted, taken) in [
            (IdSource::Gateway, true, false),
            (IdSource::TrustedProxies, false, false),
            (IdSource::TrustedProxies, true, true),
            (IdSource::Clients, false, true),
        ] {
            assert_eq!(of(from, &[SENT], trusted) == SENT, taken, "{from:?} {trusted}");
        }
    }

    #[test]
    fn what_is_no_id_or_comes_twice_is_replaced() {
        let fresh = format!("{:032x}", 7);
        for sent in [&[][..], &["forged"], &[SENT, SENT], &[""], &["93bac548d2de4546b106880a5018460d, x"]] {
            assert_eq!(of(IdSource::Clients, sent, false), fresh, "{sent:?}");
        }
    }
}
