//! Values of AMQP 1.0 (part 1 of the specification) as bytes. Nesting has a limit, and no count is believed further than
//! there are bytes for it.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Buf, Bytes};
use serde_json::{Map, Number, Value as Json};

use crate::failure::Broken;

/// Deepest nesting of lists, maps, arrays and descriptions.
const MAX_DEPTH: u8 = 8;
const SHORT: Broken = Broken("a value that ends too early");

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A string or a symbol.
    Text(String),
    Binary(Bytes),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// With a numeric descriptor; a symbolic one is `u64::MAX`, which stands for nothing.
    Described(u64, Box<Value>),
}

impl Value {
    pub(crate) fn uint(&self) -> Option<u64> {
        if let Self::Uint(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// As JSON; bytes that are not UTF-8 come as base64.
    pub(crate) fn json(self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => value.into(),
            Self::Int(value) => value.into(),
            Self::Uint(value) => value.into(),
            Self::Float(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => std::str::from_utf8(&bytes).map_or_else(|_| STANDARD.encode(&bytes), str::to_owned).into(),
            Self::List(list) => list.into_iter().map(Self::json).collect(),
            Self::Map(pairs) => Json::Object(object(pairs)),
            Self::Described(_, value) => value.json(),
        }
    }
}

/// Keys that are no text are written as JSON.
pub(crate) fn object(pairs: Vec<(Value, Value)>) -> Map<String, Json> {
    let key = |key: Value| if let Value::Text(text) = key { text } else { key.json().to_string() };
    pairs.into_iter().map(|(name, value)| (key(name), value.json())).collect()
}

/// Takes one value off the front.
pub(crate) fn decode(bytes: &mut Bytes) -> Result<Value, Broken> {
    nested(bytes, 0)
}

fn nested(bytes: &mut Bytes, depth: u8) -> Result<Value, Broken> {
    if depth > MAX_DEPTH {
        return Err(Broken("a value that is nested too deeply"));
    }
    match take(bytes, 1)?[0] {
        0 => {
            let descriptor = nested(bytes, depth + 1)?.uint().unwrap_or(u64::MAX);
            Ok(Value::Described(descriptor, Box::new(nested(bytes, depth + 1)?)))
        }
        code => of(code, bytes, depth),
    }
}

fn take(bytes: &mut Bytes, length: usize) -> Result<Bytes, Broken> {
    if bytes.len() < length { Err(SHORT) } else { Ok(bytes.split_to(length)) }
}

/// The value behind a constructor.
fn of(code: u8, bytes: &mut Bytes, depth: u8) -> Result<Value, Broken> {
    let mut data = match code >> 4 {
        4 => Bytes::new(),
        5 => take(bytes, 1)?,
        6 => take(bytes, 2)?,
        7 => take(bytes, 4)?,
        8 => take(bytes, 8)?,
        9 => take(bytes, 16)?,
        0xa | 0xc | 0xe => {
            let length = take(bytes, 1)?.get_u8();
            take(bytes, length.into())?
        }
        0xb | 0xd | 0xf => {
            let length = take(bytes, 4)?.get_u32();
            take(bytes, length as usize)?
        }
        _ => return Err(Broken("a value of no known type")),
    };
    Ok(match code {
        0x40 => Value::Null,
        0x41 => Value::Bool(true),
        0x42 => Value::Bool(false),
        0x56 => Value::Bool(data.get_u8() != 0),
        0x43 | 0x44 => Value::Uint(0),
        0x45 => Value::List(Vec::new()),
        0x50 | 0x52 | 0x53 => Value::Uint(data.get_u8().into()),
        0x51 | 0x54 | 0x55 => Value::Int(data.get_i8().into()),
        0x60 => Value::Uint(data.get_u16().into()),
        0x61 => Value::Int(data.get_i16().into()),
        0x70 => Value::Uint(data.get_u32().into()),
        0x71 => Value::Int(data.get_i32().into()),
        0x72 => Value::Float(data.get_f32().into()),
        0x73 => char::from_u32(data.get_u32()).map_or(Value::Null, |char| Value::Text(char.into())),
        0x80 => Value::Uint(data.get_u64()),
        0x81 | 0x83 => Value::Int(data.get_i64()),
        0x82 => Value::Float(data.get_f64()),
        // Decimals: nothing we read is one.
        0x74 | 0x84 | 0x94 => Value::Null,
        0x98 | 0xa0 | 0xb0 => Value::Binary(data),
        0xa1 | 0xa3 | 0xb1 | 0xb3 => Value::Text(std::str::from_utf8(&data).map_err(|_| Broken("a text that is not UTF-8"))?.to_owned()),
        0xc0 | 0xd0 => list(code, data, depth)?,
        0xc1 | 0xd1 => map(code, data, depth)?,
        0xe0 | 0xf0 => array(code, data, depth)?,
        _ => return Err(Broken("a value of no known type")),
    })
}

fn count(code: u8, data: &mut Bytes) -> Result<usize, Broken> {
    let count = if code & 0x10 == 0 { take(data, 1)?.get_u8().into() } else { take(data, 4)?.get_u32() as usize };
    // Also of arrays, whose elements may take no bytes at all.
    if count > data.len() { Err(SHORT) } else { Ok(count) }
}

fn list(code: u8, mut data: Bytes, depth: u8) -> Result<Value, Broken> {
    let count = count(code, &mut data)?;
    (0..count).map(|_| nested(&mut data, depth + 1)).collect::<Result<_, _>>().map(Value::List)
}

fn map(code: u8, mut data: Bytes, depth: u8) -> Result<Value, Broken> {
    let count = count(code, &mut data)?;
    let mut pair = || Ok((nested(&mut data, depth + 1)?, nested(&mut data, depth + 1)?));
    (0..count / 2).map(|_| pair()).collect::<Result<_, _>>().map(Value::Map)
}

fn array(code: u8, mut data: Bytes, depth: u8) -> Result<Value, Broken> {
    let count = count(code, &mut data)?;
    let constructor = take(&mut data, 1)?[0];
    if depth >= MAX_DEPTH {
        return Err(Broken("a value that is nested too deeply"));
    }
    (0..count).map(|_| of(constructor, &mut data, depth + 1)).collect::<Result<_, _>>().map(Value::List)
}

/// A value to be sent.
#[derive(Clone, Copy)]
pub(crate) enum Field<'a> {
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Text(&'a str),
    Symbol(&'a str),
    Binary(&'a [u8]),
    List(u8, &'a [Field<'a>]),
    /// Keys and values in turn; we send none.
    #[cfg(test)]
    Map(&'a [Field<'a>]),
}

/// Writes a list behind its numeric descriptor.
pub(crate) fn encode(descriptor: u8, fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for field in fields {
        write(*field, &mut body);
    }
    let mut bytes = vec![0, 0x53, descriptor, 0xd0];
    bytes.extend(length(body.len() + 4));
    bytes.extend(length(fields.len()));
    bytes.extend(body);
    bytes
}

/// What we send is bounded by what `check` lets through.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn write(field: Field<'_>, out: &mut Vec<u8>) {
    let variable = |code: u8, bytes: &[u8], out: &mut Vec<u8>| {
        out.push(code);
        out.extend(length(bytes.len()));
        out.extend(bytes);
    };
    match field {
        Field::Null => out.push(0x40),
        Field::Bool(true) => out.push(0x41),
        Field::Bool(false) => out.push(0x42),
        Field::Ubyte(value) => out.extend([0x50, value]),
        Field::Ushort(value) => {
            out.push(0x60);
            out.extend(value.to_be_bytes());
        }
        Field::Uint(value) => {
            out.push(0x70);
            out.extend(value.to_be_bytes());
        }
        Field::Ulong(value) => {
            out.push(0x80);
            out.extend(value.to_be_bytes());
        }
        Field::Text(text) => variable(0xb1, text.as_bytes(), out),
        Field::Symbol(text) => variable(0xb3, text.as_bytes(), out),
        Field::Binary(bytes) => variable(0xb0, bytes, out),
        Field::List(descriptor, fields) => out.extend(encode(descriptor, fields)),
        #[cfg(test)]
        Field::Map(fields) => {
            // As a list of the same fields, whose descriptor is left out.
            let mut list = encode(0, fields).split_off(3);
            list[0] = 0xd1;
            out.extend(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: impl Into<Vec<u8>>) -> Result<Value, Broken> {
        decode(&mut Bytes::from(bytes.into()))
    }

    #[test]
    fn what_is_written_can_be_read() {
        let fields = [Field::Null, Field::Bool(true), Field::Uint(7), Field::Text("a"), Field::List(0x24, &[])];
        let expected = Value::List(vec![
            Value::Null,
            Value::Bool(true),
            Value::Uint(7),
            Value::Text("a".into()),
            Value::Described(0x24, Box::new(Value::List(Vec::new()))),
        ]);
        assert_eq!(read(encode(0x10, &fields)), Ok(Value::Described(0x10, Box::new(expected))));
    }

    #[test]
    fn a_map_becomes_an_object() {
        let bytes = b"\xc1\x0c\x04\xa1\x01a\xa1\x01b\xa1\x01n\x55\xff";
        let Ok(Value::Map(pairs)) = read(*bytes) else { panic!("no map") };
        assert_eq!(Json::Object(object(pairs)), serde_json::json!({"a": "b", "n": -1}));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_use_up_the_stack() {
        let mut bytes = vec![0x40];
        for _ in 0..10_000 {
            let mut outer = vec![0xd0];
            outer.extend(length(bytes.len() + 4));
            outer.extend(length(1));
            outer.extend(&bytes);
            bytes = outer;
        }
        assert_eq!(read(bytes), Err(Broken("a value that is nested too deeply")));
        assert_eq!(read(vec![0; 100_000]), Err(Broken("a value that is nested too deeply")));
    }

    #[test]
    fn a_count_is_not_believed_further_than_there_are_bytes() {
        assert_eq!(read(*b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40"), Err(SHORT));
        assert_eq!(read(*b"\xd0\0\0\0\x04\xff\xff\xff\xff"), Err(SHORT));
        assert_eq!(read(*b"\xb0\xff\xff\xff\xffx"), Err(SHORT));
    }

    #[test]
    fn garbled_values_are_refused_or_read_and_never_more() {
        let seed = encode(0x12, &[Field::Text("name"), Field::Uint(0), Field::List(0x28, &[Field::Symbol("never")]), Field::Binary(b"x")]);
        let mut random = crate::testing::Random(5);
        for _ in 0..20_000 {
            let _ = read(random.garble(&seed));
        }
    }
}
