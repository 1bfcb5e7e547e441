//! The PROXY protocol of HAProxy, version 1 and 2: who a client is, as the proxy before it says.
//!
//! Whoever can connect can say anything here, so it is read from trusted addresses alone. Nothing is read behind the header, and not more than a
//! header may have.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;
/// More than what proxies add to the addresses; a larger header is refused.
const LONGEST_BINARY: usize = 4096;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The connection failed, or ended before.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It begins otherwise.
    #[error("the connection does not begin with a header")]
    Missing,
    /// It begins like one.
    #[error("the header is malformed: {0}")]
    Malformed(&'static str),
}

/// Reads a header. `None` when the proxy speaks for itself, as for a check of its own, or for a client without an address.
///
/// # Errors
/// [`HeaderError`]; the connection is of no use then.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, HeaderError> {
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        return binary(stream).await;
    }
    if !start.starts_with(b"PROXY ") {
        return Err(HeaderError::Missing);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(HeaderError::Malformed("the line has no end"));
        }
        line.push(stream.read_u8().await?);
    }
    text(&line[..line.len() - 2])
}

/// A line of version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 5000 80`.
fn text(line: &[u8]) -> Result<Option<SocketAddr>, HeaderError> {
    let malformed = HeaderError::Malformed;
    let line = std::str::from_utf8(line).map_err(|_| malformed("it is no text"))?;
    let words: Vec<&str> = line.split(' ').collect();
    let (family, [source, target, port, target_port]) = match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", family, rest @ ..] => (*family, <[&str; 4]>::try_from(rest).map_err(|_| malformed("it has not six words"))?),
        _ => return Err(malformed("it has not six words")),
    };
    let address = |text: &str| text.parse::<IpAddr>().ok().filter(|address| address.is_ipv4() == (family == "TCP4"));
    let port_of = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    if !["TCP4", "TCP6"].contains(&family) {
        return Err(malformed("the protocol is none of TCP4, TCP6 and UNKNOWN"));
    }
    match (address(source), address(target), port_of(port), port_of(target_port)) {
        (Some(source), Some(_), Some(port), Some(_)) => Ok(Some(SocketAddr::new(source, port))),
        _ => Err(malformed("an address or a port is none")),
    }
}

/// What follows the signature of version 2.
async fn binary(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, HeaderError> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let [version_and_command, family, high, low] = fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_BINARY {
        return Err(HeaderError::Malformed("it is too long"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match version_and_command {
        // LOCAL: whatever follows says nothing.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(HeaderError::Malformed("version or command is unknown")),
    }
    let port = |at: usize| rest.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let found = match family {
        0x11 => rest.first_chunk::<4>().map(|bytes| IpAddr::from(Ipv4Addr::from(*bytes))).zip(port(8)),
        0x21 => rest.first_chunk::<16>().map(|bytes| IpAddr::from(Ipv6Addr::from(*bytes))).zip(port(32)),
        // Unix sockets and datagrams have no address that could be a client of HTTP.
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Ok(None),
        _ => return Err(HeaderError::Malformed("the family is unknown")),
    };
    let (address, port) = found.ok_or(HeaderError::Malformed("it is shorter than its addresses"))?;
    let whole = if address.is_ipv4() { 12 } else { 36 };
    if length < whole { Err(HeaderError::Malformed("it is shorter than its addresses")) } else { Ok(Some(SocketAddr::new(address, port))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of these bytes, and what is left.
    async fn read_all(bytes: &[u8]) -> (Result<Option<String>, String>, Vec<u8>) {
        let mut rest = bytes;
        let read = read(&mut rest).await;
        (read.map(|found| found.map(|address| address.to_string())).map_err(|error| error.to_string()), rest.to_vec())
    }

    fn version2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, content, b"GET /"].concat()
    }

    #[tokio::test]
    async fn both_versions_name_the_client_and_what_follows_is_left() {
        let v4 = [192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0, 80];
        let v6: Vec<u8> =
            [[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat().into_iter().chain([0x13, 0x88, 0, 80]).collect();
        let with_more = [&v4[..], &[4, 0, 1, 9]].concat();
        for (bytes, expected) in [
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\nGET /".to_vec(), Some("192.0.2.1:5000")),
            (b"PROXY TCP6 2001:db8::1 ::1 5000 80\r\nGET /".to_vec(), Some("[2001:db8::1]:5000")),
            (b"PROXY UNKNOWN\r\nGET /".to_vec(), None),
            (b"PROXY UNKNOWN ffff:f...f:ffff 65535\r\nGET /".to_vec(), None),
            (version2(0x21, 0x11, &v4), Some("192.0.2.1:5000")),
            (version2(0x21, 0x11, &with_more), Some("192.0.2.1:5000")),
            (version2(0x21, 0x21, &v6), Some("[2001:db8::1]:5000")),
            (version2(0x20, 0x00, b""), None),
            (version2(0x21, 0x31, &[0; 216]), None),
        ] {
            let (read, rest) = read_all(&bytes).await;
            assert_eq!((read, rest.as_slice()), (Ok(expected.map(str::to_owned)), &b"GET /"[..]), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        for (bytes, why) in [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "does not begin"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000\r\n".to_vec(), "six words"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 80 x\r\n".to_vec(), "six words"),
            (b"PROXY TCP4 ::1 ::1 5000 80\r\n".to_vec(), "an address"),
            (b"PROXY TCP6 192.0.2.1 192.0.2.1 5000 80\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 +500 80\r\n".to_vec(), "an address"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 80\r\n".to_vec(), "an address"),
            (b"PROXY UDP4 192.0.2.1 192.0.2.2 5000 80\r\n".to_vec(), "protocol"),
            (long, "no end"),
            (version2(0x31, 0x11, &[0; 12]), "version"),
            (version2(0x22, 0x11, &[0; 12]), "version"),
            (version2(0x21, 0x11, &[0; 11]), "shorter"),
            (version2(0x21, 0x21, &[0; 35]), "shorter"),
            (version2(0x21, 0x44, &[0; 12]), "family"),
            (version2(0x21, 0x11, &[0; 5000]), "too long"),
            (b"PROXY".to_vec(), "eof"),
            (SIGNATURE.to_vec(), "eof"),
        ] {
            let (read, _) = read_all(&bytes).await;
            let said = read.unwrap_err();
            assert!(said.contains(why), "{}: {said}", String::from_utf8_lossy(&bytes));
        }
    }
}
