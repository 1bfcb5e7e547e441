//! The content of a message: its header frame, its properties and its body.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use super::{jms_map, wire::Fields};
use crate::{failure::Broken, listener::Message, wire::MAX_SKIPPED};

/// Longest body of a message.
const MAX_BODY: usize = 1 << 20;

/// A content header, and what came of the body.
pub(super) struct Content {
    /// Bytes of the body that are still to come.
    pub missing: usize,
    /// What cannot be read, or is too long, is not kept.
    pub read: Result<(Properties, BytesMut), Broken>,
}

/// What a content header says of a message.
#[derive(Debug)]
pub(super) struct Properties {
    kind: String,
    headers: Map<String, Value>,
    /// When it was published, by the publisher's clock and in its unit.
    pub published: Option<u64>,
}

/// One message that cannot be read is left out; it would come again after every new connection.
pub(super) fn content(payload: &Bytes) -> Result<Content, Broken> {
    let mut fields = Fields(payload.clone());
    let (_class, _weight, size) = (fields.u16()?, fields.u16()?, fields.u64()?);
    let missing = usize::try_from(size).ok().filter(|size| *size <= MAX_SKIPPED).ok_or(Broken("a body that is too long"))?;
    let read = if missing > MAX_BODY { Err(Broken("a body that is too long")) } else { properties(&mut fields) };
    Ok(Content { missing, read: read.map(|properties| (properties, BytesMut::new())) })
}

fn properties(fields: &mut Fields) -> Result<Properties, Broken> {
    let flags = fields.u16()?;
    let kind = if flags & 0x8000 == 0 { String::new() } else { fields.short()? };
    if flags & 0x4000 != 0 {
        fields.short()?;
    }
    let headers = if flags & 0x2000 == 0 { Map::new() } else { fields.table()? };
    Ok(Properties { kind, headers, published: published(flags, fields) })
}

/// When it was published, behind the other properties. That it cannot be read is no fault of the message.
fn published(flags: u16, fields: &mut Fields) -> Option<u64> {
    for octet in [0x1000, 0x0800] {
        if flags & octet != 0 {
            fields.u8().ok()?;
        }
    }
    for text in [0x0400, 0x0200, 0x0100, 0x0080] {
        if flags & text != 0 {
            fields.short().ok()?;
        }
    }
    if flags & 0x0040 == 0 { None } else { fields.u64().ok() }
}

/// A map that cannot be read is passed on as the bytes it is: one bad message ends no subscription.
pub(super) fn message(content: Properties, body: Bytes) -> Message {
    if content.kind == "jms/map-message" {
        return jms_map::read(body.clone()).map_or(Message::Bytes(body), Message::Map);
    }
    if body.is_empty() && !content.headers.is_empty() {
        return Message::Map(content.headers.into_iter().collect());
    }
    Message::plain(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_stands_behind_all_other_properties() {
        let time = b"\0\0\x01\xa0\xc4\x0e\x24\x07";
        let all = [&b"\xff\xc0\x04text\x01x\0\0\0\0\x02\x04\x01c\0\x011\x02id"[..], time].concat();
        let of = |bytes: &[u8]| properties(&mut Fields(Bytes::copy_from_slice(bytes)));
        let read = of(&all).unwrap();
        assert_eq!((&*read.kind, read.published), ("text", Some(0x1a0_c40e_2407)));
        assert_eq!(of(&[&b"\0\x40"[..], time].concat()).unwrap().published, Some(0x1a0_c40e_2407));
        assert_eq!(of(b"\0\0").unwrap().published, None);
        assert_eq!(of(&all[..all.len() - 1]).unwrap().published, None, "a message is read without it");
    }
}
