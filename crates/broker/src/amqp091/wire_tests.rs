use serde_json::json;

use super::*;

fn table(bytes: &[u8]) -> Result<Value, Broken> {
    let mut framed = BytesMut::new();
    framed.put_u32(bytes.len().try_into().unwrap());
    framed.put_slice(bytes);
    Fields(framed.freeze()).table().map(Value::Object)
}

#[test]
fn a_frame_is_found_when_it_is_whole() {
    let whole = Method::new(1, 60, 80).u64(7).u8(0).frame();
    for end in 0..whole.len() {
        assert_eq!(decode(&mut BytesMut::from(&whole[..end])), Ok(None), "{end}");
    }
    let frame = decode(&mut BytesMut::from(&whole[..])).unwrap().unwrap();
    assert_eq!((frame.kind, frame.payload.len()), (Kind::Method, 13));
}

#[test]
fn what_is_no_frame_is_refused_before_it_is_whole() {
    let cause = |bytes: &[u8]| decode(&mut BytesMut::from(bytes)).unwrap_err().0;
    assert_eq!(cause(b"AMQP\x03\x01\x00\x00"), "a version other than AMQP 0-9-1");
    assert_eq!(cause(b"HTTP/1.1"), "a frame of no known type");
    assert_eq!(cause(&[1, 0, 0, 0xff, 0, 0, 0]), "a frame that is too long");
    assert_eq!(cause(&[8, 0, 0, 0, 0, 0, 0, 0]), "a frame without its end");
}

#[test]
fn a_table_is_read() {
    let bytes = b"\x01tt\x01\x01sS\x00\x00\x00\x02hi\x01ll\x00\x00\x00\x00\x00\x00\x00\x07\x01vV\x01AA\x00\x00\x00\x02b\xff";
    assert_eq!(table(bytes), Ok(json!({"t": true, "s": "hi", "l": 7, "v": null, "A": [-1]})));
}

#[test]
fn deep_nesting_is_refused_and_does_not_use_up_the_stack() {
    let mut bytes = Vec::new();
    for _ in 0..10_000 {
        let mut outer = b"A".to_vec();
        outer.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        outer.extend(&bytes);
        bytes = outer;
    }
    bytes.splice(0..0, *b"\x01n");
    assert_eq!(table(&bytes), Err(Broken("a table that is nested too deeply")));
}

#[test]
fn garbled_frames_and_tables_are_refused_or_waited_for_and_never_more() {
    let frame = Method::new(1, 60, 60).short("tag").u64(7).u8(0).short("amq.topic").short("revoked").frame();
    let fields = b"\x01tt\x01\x01sS\x00\x00\x00\x02hi\x01FF\x00\x00\x00\x04\x01nb\xff";
    let mut random = crate::testing::Random(3);
    for _ in 0..20_000 {
        let mut inbox = BytesMut::from(&random.garble(&frame)[..]);
        while let Ok(Some(_)) = decode(&mut inbox) {}
        let _ = table(&random.garble(fields));
    }
}
