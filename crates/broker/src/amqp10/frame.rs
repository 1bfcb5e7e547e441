//! Frames and protocol headers of AMQP 1.0 (part 2), and the sections of a message (part 3).

use bytes::{Buf, Bytes, BytesMut};

use super::value::{self, Field, Value};
use crate::{failure::Broken, listener::Message};

/// Longest frame we let the broker send.
pub(crate) const MAX_FRAME: u32 = 64 << 10;

/// A heartbeat, to be sent.
pub(crate) const HEARTBEAT: &[u8] = &[0, 0, 0, 8, 2, 0, 0, 0];

/// What a frame says; a heartbeat says nothing.
#[derive(Debug, PartialEq)]
pub(crate) struct Performative {
    pub(crate) code: u64,
    fields: Vec<Value>,
    pub(crate) payload: Bytes,
}

impl Performative {
    /// A field by its place; what was left out at the end is null.
    pub(crate) fn field(&self, place: usize) -> &Value {
        self.fields.get(place).unwrap_or(&Value::Null)
    }
}

/// Takes a protocol header off the front, if it is there whole.
pub(crate) fn decode_header(inbox: &mut BytesMut) -> Result<Option<[u8; 8]>, Broken> {
    let Some(header) = inbox.first_chunk::<8>().copied() else { return Ok(None) };
    if !header.starts_with(b"AMQP") {
        return Err(Broken("an answer that is not AMQP"));
    }
    inbox.advance(8);
    Ok(Some(header))
}

/// Takes one frame off the front, if it is there whole; `Some(None)` is a heartbeat.
pub(crate) fn decode(inbox: &mut BytesMut) -> Result<Option<Option<Performative>>, Broken> {
    let Some(mut head) = inbox.get(..8) else { return Ok(None) };
    let (size, offset) = (head.get_u32(), usize::from(head.get_u8()) * 4);
    if size > MAX_FRAME {
        return Err(Broken("a frame that is too long"));
    }
    let size = size as usize;
    if offset < 8 || offset > size {
        return Err(Broken("a frame whose content is not in it"));
    }
    if inbox.len() < size {
        return Ok(None);
    }
    let mut body = inbox.split_to(size).freeze().slice(offset..);
    if body.is_empty() {
        return Ok(Some(None));
    }
    match value::decode(&mut body)? {
        Value::Described(code, fields) => match *fields {
            Value::List(fields) => Ok(Some(Some(Performative { code, fields, payload: body }))),
            _ => Err(Broken("a frame without a list of fields")),
        },
        _ => Err(Broken("a frame without a description")),
    }
}

/// A frame on the only channel, to be sent.
pub(crate) fn encode(sasl: bool, code: u8, fields: &[Field<'_>]) -> Bytes {
    let body = value::encode(code, fields);
    let mut frame = Vec::with_capacity(body.len() + 8);
    frame.extend(u32::try_from(body.len() + 8).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend([2, u8::from(sasl), 0, 0]);
    frame.extend(body);
    frame.into()
}

/// The place of the time among the properties of a message.
const CREATION_TIME: usize = 8;

/// The content of a message out of its sections.
pub(crate) fn message(mut payload: Bytes) -> Result<Message, Broken> {
    let (mut properties, mut data) = (Vec::new(), BytesMut::new());
    while !payload.is_empty() {
        match value::decode(&mut payload)? {
            Value::Described(0x74, value) => {
                if let Value::Map(pairs) = *value {
                    properties = pairs;
                }
            }
            Value::Described(0x75, value) => {
                if let Value::Binary(bytes) = *value {
                    data.extend_from_slice(&bytes);
                }
            }
            Value::Described(0x76 | 0x77, value) => return Ok(of_value(*value)),
            Value::Described(..) => (),
            _ => return Err(Broken("a message without sections")),
        }
    }
    if data.is_empty() && !properties.is_empty() {
        return Ok(Message::Map(value::object(properties).into_iter().collect()));
    }
    Ok(Message::plain(data.freeze()))
}

/// When a message was made, as one of its sections before the content says.
pub(crate) fn created(mut payload: Bytes) -> Option<u64> {
    loop {
        match value::decode(&mut payload).ok()? {
            Value::Described(0x70..=0x72, _) => {}
            Value::Described(0x73, value) => match *value {
                Value::List(fields) => return fields.into_iter().nth(CREATION_TIME)?.json().as_u64(),
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn of_value(value: Value) -> Message {
    match value {
        Value::Map(pairs) => Message::Map(value::object(pairs).into_iter().collect()),
        Value::Text(text) => Message::Text(text),
        Value::Binary(bytes) => Message::plain(bytes),
        other => Message::Text(other.json().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_when_it_is_whole() {
        let whole = encode(false, 0x18, &[]);
        for end in 0..whole.len() {
            assert_eq!(decode(&mut BytesMut::from(&whole[..end])), Ok(None), "{end}");
        }
        let frame = decode(&mut BytesMut::from(&whole[..])).unwrap().unwrap().unwrap();
        assert_eq!((frame.code, frame.field(3)), (0x18, &Value::Null));
        assert_eq!(decode(&mut BytesMut::from(HEARTBEAT)), Ok(Some(None)));
    }

    #[test]
    fn what_is_no_frame_is_refused_before_it_is_whole() {
        let cause = |bytes: &[u8]| decode(&mut BytesMut::from(bytes)).unwrap_err().0;
        assert_eq!(cause(b"HTTP/1.1 400"), "a frame that is too long");
        assert_eq!(cause(&[0, 0, 0, 8, 1, 0, 0, 0]), "a frame whose content is not in it");
        assert_eq!(cause(&[0, 0, 0, 8, 3, 0, 0, 0]), "a frame whose content is not in it");
        assert_eq!(cause(&[0, 0, 0, 9, 2, 0, 0, 0, 0x40]), "a frame without a description");
    }

    #[test]
    fn a_jms_map_a_text_and_bare_data_are_told_apart() {
        let map = b"\x00\x53\x72\xc1\x01\x00\x00\x53\x77\xc1\x07\x02\xa1\x01a\xa1\x01b";
        assert_eq!(message(Bytes::from_static(map)), Ok(Message::Map([("a".to_owned(), "b".into())].into())));
        assert_eq!(message(Bytes::from_static(b"\x00\x53\x77\xa1\x02hi")), Ok(Message::Text("hi".into())));
        assert_eq!(message(Bytes::from_static(b"\x00\x53\x75\xa0\x02hi")), Ok(Message::Text("hi".into())));
        let made = b"\x00\x53\x70\x45\x00\x53\x73\xc0\x12\x09\x40\x40\x40\x40\x40\x40\x40\x40\x83\0\0\x01\xa0\xc4\x0e\x24\x07\x00\x53\x75\xa0\x02hi";
        assert_eq!(created(Bytes::from_static(made)), Some(0x1a0_c40e_2407));
        assert_eq!(message(Bytes::from_static(made)), Ok(Message::Text("hi".into())));
        assert_eq!(created(Bytes::from_static(&made[..20])), None);
        assert_eq!(created(Bytes::from_static(b"\x00\x53\x75\xa0\x02hi")), None);
    }
}
