//! A JMS MapMessage as the Qpid and Andes clients write it, which is what the reference product's own broker carries:
//! content type `jms/map-message`, a count, then names and values behind their types.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Number, Value};

use super::wire::{Fields, text};
use crate::failure::Broken;

/// The fields of such a body; byte arrays come as base64.
pub(crate) fn read(body: Bytes) -> Result<BTreeMap<String, Value>, Broken> {
    let mut fields = Fields(body);
    let count = fields.u32()?;
    // Not more than there are bytes, whatever the count says: each field takes two at the least.
    (0..count).map(|_| Ok((name(&mut fields)?, value(&mut fields)?))).collect()
}

fn name(fields: &mut Fields) -> Result<String, Broken> {
    let end = memchr::memchr(0, &fields.0).ok_or(Broken("a text without its end"))?;
    let bytes = fields.take(end)?;
    fields.u8()?;
    text(&bytes)
}

fn value(fields: &mut Fields) -> Result<Value, Broken> {
    let float = |value| Number::from_f64(value).map_or(Value::Null, Value::Number);
    Ok(match fields.u8()? {
        1 => Value::Bool(fields.u8()? != 0),
        2 => fields.u8()?.cast_signed().into(),
        3 => match fields.u32()? {
            u32::MAX => Value::Null,
            length => STANDARD.encode(fields.take(length as usize)?).into(),
        },
        4 => fields.u16()?.cast_signed().into(),
        5 => char::from_u32(fields.u16()?.into()).map_or(Value::Null, |char| char.to_string().into()),
        6 => fields.u32()?.cast_signed().into(),
        7 => fields.u64()?.cast_signed().into(),
        8 => float(f32::from_bits(fields.u32()?).into()),
        9 => float(f64::from_bits(fields.u64()?)),
        10 => name(fields)?.into(),
        11 => Value::Null,
        _ => return Err(Broken("a value of no known type")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_values_are_read() {
        let body = b"\0\0\0\x04revokedToken\0\x0ajti-1\0ttl\0\x07\0\0\0\0\0\0\x0e\x10b\0\x01\x01raw\0\x03\0\0\0\x03\x01\x02\x03";
        let fields = read(Bytes::from_static(body)).unwrap();
        assert_eq!(json!(fields), json!({"revokedToken": "jti-1", "ttl": 3600, "b": true, "raw": "AQID"}));
    }

    #[test]
    fn a_count_or_length_that_is_not_true_is_refused() {
        assert!(read(Bytes::from_static(b"\xff\xff\xff\xffa\0\x01\x01")).is_err());
        assert!(read(Bytes::from_static(b"\0\0\0\x01a\0\x03\x7f\xff\xff\xff")).is_err());
        assert!(read(Bytes::from_static(b"\0\0\0\x01a")).is_err());
    }
}
