//! What a subscriber hears, and who listens.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

/// The content of one message, whatever protocol carried it.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Names and values: a JMS MapMessage, or an AMQP 0-9-1 message that is nothing but its header table.
    Map(BTreeMap<String, Value>),
    /// Text, JSON among it.
    Text(String),
    /// Anything that is not UTF-8.
    Bytes(Bytes),
}

impl Message {
    /// A body without a type of its own: text where it is UTF-8.
    pub(crate) fn plain(body: Bytes) -> Self {
        match std::str::from_utf8(&body) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(body),
        }
    }

    /// Names and values, if it has them: of a map, or of a text that is a JSON object.
    pub fn fields(&self) -> Option<BTreeMap<String, Value>> {
        match self {
            Self::Map(fields) => Some(fields.clone()),
            Self::Text(text) => serde_json::from_str(text).ok(),
            Self::Bytes(_) => None,
        }
    }
}

/// The listener cannot take a message now, as when it has no place to keep it. It is not acknowledged: the connection ends,
/// and with a durable subscription the broker delivers the message again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotNow(pub String);

/// Hears what happens to a subscription. All calls come from one task, in order, and must not block.
pub trait Listener: Send + Sync + 'static {
    /// The broker confirmed the subscription. What is published from now on arrives; what was published before only where
    /// the subscription is durable. Messages of a durable subscription may come shortly before this. With `exact`, the broker says when all
    /// that it had kept was heard, and [`drained`](Self::drained) passes that on; otherwise only that it falls silent may tell.
    fn connected(&self, exact: bool);

    /// Something came in order from the broker, a heartbeat at the least: once the broker has caught up, what was published until now has
    /// been heard.
    fn alive(&self);

    /// Everything that the broker had kept when it was connected has been heard.
    fn drained(&self);

    /// One message, before it is acknowledged. One of which nothing can be made is the listener's to count, and no error: a
    /// broker that delivers it again and again would keep every later one back. `published` is when that happened by the publisher's clock,
    /// if it says so: usually in milliseconds since 1970, but to be compared with other messages of the same publisher alone.
    ///
    /// # Errors
    /// When it cannot be taken now, and is to come again.
    fn message(&self, message: Message, published: Option<u64>) -> Result<(), NotNow>;

    /// A message was over a limit, or could not be read. It was acknowledged, so that it does not come again for ever.
    fn unread(&self, why: &str);

    /// The connection is gone, or could not be made; another attempt follows. What is published meanwhile is lost unless
    /// the subscription is durable.
    fn lost(&self, cause: &str);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_a_json_object_has_fields_and_no_other_text_has() {
        let of = |text: &str| Message::Text(text.to_owned()).fields();
        assert_eq!(of(r#"{"ttl":7}"#).and_then(|fields| fields.get("ttl").cloned()), Some(Value::from(7)));
        assert_eq!(of("[1]"), None);
        assert_eq!(of("plain"), None);
        assert_eq!(Message::Bytes(Bytes::from_static(b"{}")).fields(), None);
    }

    #[test]
    fn a_body_is_text_where_it_is_utf_8_and_bytes_where_it_is_not() {
        assert_eq!(Message::plain(Bytes::from_static("jti-\u{e9}".as_bytes())), Message::Text("jti-\u{e9}".to_owned()));
        assert_eq!(Message::plain(Bytes::from_static(&[0xff, 1])), Message::Bytes(Bytes::from_static(&[0xff, 1])));
    }
}
