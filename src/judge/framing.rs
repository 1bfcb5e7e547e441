//! Where a message ends, and why that may be in doubt.

use std::{fmt, io};

/// How a message ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes of body.
    Length(u64),
    /// After its last chunk.
    Chunked,
    /// Two readers could find different ends.
    Malformed(Malformed),
}

/// The bit that no length has.
const SPECIAL: u64 = 1 << 63;

/// The longest body of which a length may speak.
pub const LONGEST: u64 = SPECIAL - 1;

impl Framing {
    /// As one number, to be shared without a lock.
    pub fn to_bits(self) -> u64 {
        match self {
            Self::Length(length) => length & LONGEST,
            Self::Chunked => SPECIAL,
            Self::Malformed(why) => SPECIAL + 1 + why as u64,
        }
    }

    /// What [`Framing::to_bits`] made a number of.
    pub fn from_bits(bits: u64) -> Self {
        match bits.checked_sub(SPECIAL) {
            None => Self::Length(bits),
            Some(0) => Self::Chunked,
            Some(nth) => {
                let why = usize::try_from(nth - 1).ok().and_then(|nth| Malformed::ALL.get(nth));
                Self::Malformed(why.copied().unwrap_or(Malformed::Rest))
            }
        }
    }

    /// Why there is no telling where the message ends.
    pub fn malformed(self) -> Option<Malformed> {
        match self {
            Self::Malformed(why) => Some(why),
            Self::Length(_) | Self::Chunked => None,
        }
    }
}

macro_rules! malformed {
    ($($name:ident = $why:literal;)*) => {
        /// Why bytes are no message that has one reading only (RFC 9112).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Malformed { $($name),* }

        impl Malformed {
            const ALL: &'static [Self] = &[$(Self::$name),*];

            /// For the log.
            pub fn why(self) -> &'static str {
                match self { $(Self::$name => $why),* }
            }
        }
    };
}

malformed! {
    EmptyLines = "too many empty lines before the request line";
    LineEnd = "a line that does not end in CR LF";
    Length = "a Content-Length that is not one number";
    Coding = "a Transfer-Encoding that is not `chunked` alone";
    Both = "a Content-Length beside a Transfer-Encoding";
    ChunkSize = "a chunk size that is not hexadecimal";
    Extension = "a chunk extension that breaks the grammar";
    Extensions = "too many bytes of chunk extensions";
    ChunkEnd = "a chunk that is not of its size";
    Trailer = "a trailer that is no field";
    Trailers = "too many bytes of trailers";
    Rest = "bytes after a message that was refused";
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

impl std::error::Error for Malformed {}

impl From<Malformed> for io::Error {
    fn from(why: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framing_comes_back_from_its_number() {
        let malformed = Malformed::ALL.iter().map(|why| Framing::Malformed(*why));
        for framing in [Framing::Length(0), Framing::Length(LONGEST), Framing::Chunked].into_iter().chain(malformed) {
            assert_eq!(Framing::from_bits(framing.to_bits()), framing);
        }
    }
}
