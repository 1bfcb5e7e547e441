//! AMQP 0-9-1 as bytes: frames, the fields of methods, tables. Size and nesting have limits.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde_json::{Map, Number, Value};

use crate::failure::Broken;

/// Longest frame we let the broker send, without its eight bytes of frame.
pub(crate) const FRAME_MAX: u32 = 128 << 10;
/// Deepest nesting of tables and lists.
const MAX_DEPTH: u8 = 8;
const END: u8 = 0xce;
const SHORT: Broken = Broken("a frame that ends too early");

/// A heartbeat, to be sent.
pub(crate) const HEARTBEAT: &[u8] = &[8, 0, 0, 0, 0, 0, 0, END];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Method,
    Header,
    Body,
    Heartbeat,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) payload: Bytes,
}

/// Takes one frame off the front, if it is there whole.
pub(crate) fn decode(inbox: &mut BytesMut) -> Result<Option<Frame>, Broken> {
    let kind = match inbox.first() {
        None => return Ok(None),
        Some(1) => Kind::Method,
        Some(2) => Kind::Header,
        Some(3) => Kind::Body,
        Some(8) => Kind::Heartbeat,
        Some(b'A') => return Err(Broken("a version other than AMQP 0-9-1")),
        Some(_) => return Err(Broken("a frame of no known type")),
    };
    let Some(mut head) = inbox.get(3..7) else { return Ok(None) };
    let size = head.get_u32();
    if size > FRAME_MAX {
        return Err(Broken("a frame that is too long"));
    }
    let whole = size as usize + 8;
    match inbox.get(whole - 1) {
        None => Ok(None),
        Some(&END) => {
            let payload = inbox.split_to(whole).freeze().slice(7..whole - 1);
            Ok(Some(Frame { kind, payload }))
        }
        Some(_) => Err(Broken("a frame without its end")),
    }
}

/// A method frame, its fields written one by one.
pub(crate) struct Method {
    channel: u16,
    payload: BytesMut,
}

impl Method {
    pub(crate) fn new(channel: u16, class: u16, method: u16) -> Self {
        let mut payload = BytesMut::new();
        payload.put_u16(class);
        payload.put_u16(method);
        Self { channel, payload }
    }

    pub(crate) fn u8(mut self, value: u8) -> Self {
        self.payload.put_u8(value);
        self
    }

    pub(crate) fn u16(mut self, value: u16) -> Self {
        self.payload.put_u16(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.payload.put_u32(value);
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.payload.put_u64(value);
        self
    }

    /// At most 255 bytes; `check` sees to that for everything an operator writes.
    pub(crate) fn short(mut self, text: &str) -> Self {
        let text = &text.as_bytes()[..text.len().min(255)];
        self.payload.put_u8(u8::try_from(text.len()).unwrap_or(u8::MAX));
        self.payload.put_slice(text);
        self
    }

    pub(crate) fn long(mut self, bytes: &[u8]) -> Self {
        self.payload.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.payload.put_slice(bytes);
        self
    }

    pub(crate) fn frame(self) -> Bytes {
        let mut frame = BytesMut::with_capacity(self.payload.len() + 8);
        frame.put_u8(1);
        frame.put_u16(self.channel);
        frame.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        frame.put_slice(&self.payload);
        frame.put_u8(END);
        frame.freeze()
    }
}

/// Reads fields one after the other.
pub(crate) struct Fields(pub(crate) Bytes);

impl Fields {
    fn need(&self, length: usize) -> Result<(), Broken> {
        if self.0.len() < length { Err(SHORT) } else { Ok(()) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Broken> {
        self.need(1)?;
        Ok(self.0.get_u8())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Broken> {
        self.need(2)?;
        Ok(self.0.get_u16())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Broken> {
        self.need(4)?;
        Ok(self.0.get_u32())
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Broken> {
        self.need(8)?;
        Ok(self.0.get_u64())
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes, Broken> {
        self.need(length)?;
        Ok(self.0.split_to(length))
    }

    pub(crate) fn short(&mut self) -> Result<String, Broken> {
        let length = self.u8()?.into();
        text(&self.take(length)?)
    }

    pub(crate) fn long(&mut self) -> Result<Bytes, Broken> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(crate) fn table(&mut self) -> Result<Map<String, Value>, Broken> {
        self.nested_table(0)
    }

    fn nested_table(&mut self, depth: u8) -> Result<Map<String, Value>, Broken> {
        let mut rest = Self(self.long()?);
        let mut table = Map::new();
        while !rest.0.is_empty() {
            let name = rest.short()?;
            table.insert(name, rest.value(depth)?);
        }
        Ok(table)
    }

    /// A value behind its type, in the types that RabbitMQ uses.
    fn value(&mut self, depth: u8) -> Result<Value, Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken("a table that is nested too deeply"));
        }
        Ok(match self.u8()? {
            b't' => Value::Bool(self.u8()? != 0),
            b'b' => i8::from_be_bytes([self.u8()?]).into(),
            b'B' => self.u8()?.into(),
            b's' | b'U' => self.u16()?.cast_signed().into(),
            b'u' => self.u16()?.into(),
            b'I' => self.u32()?.cast_signed().into(),
            b'i' => self.u32()?.into(),
            b'l' | b'L' => self.u64()?.cast_signed().into(),
            b'T' => self.u64()?.into(),
            b'f' => float(f32::from_bits(self.u32()?).into()),
            b'd' => float(f64::from_bits(self.u64()?)),
            b'D' => {
                let scale = self.u8()?;
                float(f64::from(self.u32()?.cast_signed()) / 10_f64.powi(scale.into()))
            }
            b'S' | b'x' => String::from_utf8_lossy(&self.long()?).into_owned().into(),
            b'V' => Value::Null,
            b'F' => self.nested_table(depth + 1)?.into(),
            b'A' => {
                let mut rest = Self(self.long()?);
                let mut list = Vec::new();
                while !rest.0.is_empty() {
                    list.push(rest.value(depth + 1)?);
                }
                list.into()
            }
            _ => return Err(Broken("a value of no known type")),
        })
    }
}

fn float(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

pub(crate) fn text(bytes: &[u8]) -> Result<String, Broken> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Broken("a text that is not UTF-8"))
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
