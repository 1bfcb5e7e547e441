//! `Content-Encoding` (RFC 9110 §8.4), taken off a body within a budget.
//!
//! It protects against bodies that are small only as long as they are compressed, and against those of which two readers see different
//! parts: all members of a gzip body are read, and nothing may follow what is compressed.

use std::{borrow::Cow, io::Read};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use super::{BodyLimits, Unfit};

/// Codings that are taken off, one after the other.
const MOST: usize = 2;

/// Bytes that any body may become, however well it was compressed.
const SMALL: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    /// The zlib format (RFC 1950). Its bare stream, which some senders take it for, is refused.
    Deflate,
}

/// The body without its codings; borrowed when there are none.
///
/// # Errors
/// `content-encoding` for one that is not known, `encoding` for one that is broken, `size` when too much comes out.
pub(super) fn decoded<'a>(bytes: &'a [u8], field: Option<&str>, limits: &BodyLimits) -> Result<Cow<'a, [u8]>, Unfit> {
    let codings = field.map_or_else(|| Ok(Vec::new()), codings)?;
    let most = limits.decoded.min(bytes.len().saturating_mul(limits.ratio).max(SMALL));
    // What was applied last comes off first.
    if codings.is_empty() && bytes.len() > limits.decoded {
        return Err(too_large());
    }
    codings.iter().rev().try_fold(Cow::Borrowed(bytes), |bytes, coding| Ok(Cow::Owned(inflated(*coding, &bytes, most)?)))
}

fn codings(field: &str) -> Result<Vec<Coding>, Unfit> {
    let unknown = Unfit::new("content-encoding", "must be none, gzip or deflate, or two of them");
    let mut found = Vec::new();
    for name in field.split(',').map(|name| name.trim_matches([' ', '\t'])) {
        match name {
            "" => {}
            _ if name.eq_ignore_ascii_case("identity") => {}
            _ if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => found.push(Coding::Gzip),
            _ if name.eq_ignore_ascii_case("deflate") => found.push(Coding::Deflate),
            _ => return Err(unknown),
        }
    }
    if found.len() > MOST { Err(unknown) } else { Ok(found) }
}

fn too_large() -> Unfit {
    Unfit::new("size", "is too large once it is decompressed")
}

fn inflated(coding: Coding, bytes: &[u8], most: usize) -> Result<Vec<u8>, Unfit> {
    let budget = most as u64 + 1;
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(most));
    let left = match coding {
        Coding::Gzip => MultiGzDecoder::new(bytes).take(budget).read_to_end(&mut out).map(|_| &[][..]),
        Coding::Deflate => {
            let mut stream = ZlibDecoder::new(bytes);
            let read = stream.by_ref().take(budget).read_to_end(&mut out);
            read.map(|_| stream.into_inner())
        }
    };
    if out.len() > most {
        return Err(too_large());
    }
    match left {
        Ok([]) => Ok(out),
        Ok(_) => Err(Unfit::new("encoding", "is followed by something that is not compressed")),
        Err(_) => Err(Unfit::new("encoding", "cannot be decompressed")),
    }
}
