use super::*;

fn all(bytes: impl AsRef<[u8]>) -> Result<Vec<Incoming>, Broken> {
    let mut inbox = BytesMut::from(bytes.as_ref());
    let mut found = Vec::new();
    while let Some(incoming) = decode(&mut inbox)? {
        found.push(incoming);
    }
    Ok(found)
}

fn one(bytes: impl AsRef<[u8]>) -> Result<Frame, Broken> {
    match all(bytes)?.pop() {
        Some(Incoming::Frame(frame)) => Ok(frame),
        other => panic!("expected a frame, found {other:?}"),
    }
}

fn cause(bytes: impl AsRef<[u8]>) -> &'static str {
    match all(bytes) {
        Err(Broken(cause)) => cause,
        Ok(found) => panic!("expected a refusal, found {found:?}"),
    }
}

#[test]
fn a_body_ends_at_its_length_or_at_the_first_nul() {
    let frame = one("MESSAGE\ncontent-length:3\n\na\0b\0").unwrap();
    assert_eq!((frame.command, &frame.body[..]), (Command::Message, &b"a\0b"[..]));
    let frame = one("MESSAGE\na:1\n\nab\0").unwrap();
    assert_eq!((frame.header("a"), &frame.body[..]), (Some("1"), &b"ab"[..]));
}

#[test]
fn line_ends_may_have_a_carriage_return() {
    let frame = one("MESSAGE\r\na:1\r\nb:2\r\n\r\nx\0").unwrap();
    assert_eq!((frame.header("a"), frame.header("b"), &frame.body[..]), (Some("1"), Some("2"), &b"x"[..]));
}

#[test]
fn line_ends_between_frames_are_heartbeats() {
    let found = all("\n\r\nRECEIPT\nreceipt-id:1\n\n\0\n").unwrap();
    assert!(matches!(found[..], [Incoming::Beat, Incoming::Beat, Incoming::Frame(_), Incoming::Beat]), "{found:?}");
}

#[test]
fn headers_are_unescaped_except_in_connected() {
    let frame = one("MESSAGE\na\\cb:x\\ny\\\\z\\r\n\n\0").unwrap();
    assert_eq!(frame.header("a:b"), Some("x\ny\\z\r"));
    assert_eq!(one("CONNECTED\nsession:a\\tb\n\n\0").unwrap().header("session"), Some("a\\tb"));
    assert_eq!(cause("MESSAGE\na:\\t\n\n\0"), "an escape that is none");
    assert_eq!(cause("MESSAGE\na:\\\n\n\0"), "an escape that is none");
}

#[test]
fn of_a_repeated_header_the_first_counts() {
    assert_eq!(one("MESSAGE\nack:1\nack:2\n\n\0").unwrap().header("ack"), Some("1"));
}

#[test]
fn nothing_is_found_before_a_frame_is_whole() {
    let whole = b"MESSAGE\ncontent-length:3\nack:7\n\nabc\0";
    for end in 0..whole.len() {
        assert_eq!(all(&whole[..end]), Ok(Vec::new()), "{end}");
    }
    assert!(one(whole).is_ok());
}

#[test]
fn what_is_over_a_limit_is_refused_before_it_is_whole() {
    assert_eq!(cause(format!("MESSAGE\na:{}", "x".repeat(MAX_HEAD))), "a head that is too long");
    assert_eq!(cause(format!("RECEIPT\ncontent-length:{}\n\n", MAX_BODY + 1)), "a body that is too long");
    assert_eq!(cause(format!("ERROR\n\n{}", "x".repeat(MAX_BODY + 1))), "a body that is too long");
}

#[test]
fn what_is_not_stomp_is_refused() {
    for (bytes, expected) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "a command that no broker sends"),
        ("SEND\n\n\0", "a command that no broker sends"),
        ("MESSAGE\nno colon\n\n\0", "a header without a colon"),
        ("MESSAGE\n:v\n\n\0", "a header without a name"),
        ("MESSAGE\ncontent-length:+1\n\na\0", "a content-length that is no number"),
        ("MESSAGE\ncontent-length:\n\n\0", "a content-length that is no number"),
        ("MESSAGE\ncontent-length:99999999999999999999\n\n\0", "a content-length that is no number"),
        ("MESSAGE\ncontent-length:1\n\nab\0", "a body without a NUL behind it"),
    ] {
        assert_eq!(cause(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn garbled_frames_are_refused_or_waited_for_and_never_more() {
    let seed = b"\nMESSAGE\ncontent-length:5\nack:1\\c2\n\nhello\0RECEIPT\r\nreceipt-id:s\r\n\r\n\0".to_vec();
    let mut random = crate::testing::Random(7);
    for _ in 0..20_000 {
        let garbled = random.garble(&seed);
        let length = garbled.len();
        if let Ok(found) = all(garbled) {
            assert!(found.len() <= length);
        }
    }
}

#[test]
fn what_is_sent_is_escaped_except_in_connect() {
    assert_eq!(&encode("ACK", &[("id", "a:b\\c\nd\r")])[..], b"ACK\nid:a\\cb\\\\c\\nd\\r\n\n\0");
    assert_eq!(&encode("CONNECT", &[("passcode", "a:b\\c")])[..], b"CONNECT\npasscode:a:b\\c\n\n\0");
}

#[test]
fn a_message_that_is_too_long_is_known_by_its_head_before_its_body_came() {
    let rest = |bytes: String| match all(&bytes).unwrap().remove(0) {
        Incoming::TooLong(frame, rest) => (frame.header("ack").map(str::to_owned), rest),
        other => panic!("expected a long message, found {other:?}"),
    };
    let announced = format!("MESSAGE\nack:7\ncontent-length:{}\n\n", MAX_BODY + 1);
    assert_eq!(rest(announced), (Some("7".to_owned()), Rest::Bytes(MAX_BODY + 2)));
    let mut inbox = BytesMut::from(format!("MESSAGE\nack:7\n\n{}", "x".repeat(MAX_BODY + 1)).as_bytes());
    assert!(matches!(decode(&mut inbox), Ok(Some(Incoming::TooLong(_, Rest::UntilNul)))));
    assert_eq!(inbox.len(), MAX_BODY + 1);
}

#[test]
fn what_a_publisher_writes_into_headers_cannot_keep_a_message_from_being_acknowledged() {
    let many = one(format!("MESSAGE\n{}ack:7\n\nx\0", "a:b\n".repeat(10 * MAX_HEADERS))).unwrap();
    assert_eq!((many.header("ack"), many.headers.len()), (Some("7"), MAX_HEADERS + 1));
    assert_eq!(one(b"MESSAGE\nack:7\na:\xff\n\n\0").unwrap().header("ack"), Some("7"));
}
