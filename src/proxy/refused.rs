//! Streams that the HTTP/2 library refuses: it tells the client alone, so the frames that it writes are looked at.

use std::cmp::min;

/// Bytes of a frame's header (RFC 9113 §4.1).
const HEADER: usize = 9;
/// The same with the error code that is all there is in RST_STREAM (§6.4).
const RESET: usize = HEADER + 4;
const RST_STREAM: u8 = 3;
const REFUSED_STREAM: u32 = 7;

/// Follows the frames of one connection, in whatever pieces they are written.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; RESET],
    have: usize,
    /// Bytes of a payload that nobody looks at.
    skip: usize,
}

impl Frames {
    /// How many streams these bytes, which follow those before, refuse.
    pub fn refused(&mut self, mut bytes: &[u8]) -> u64 {
        let mut refused = 0;
        while !bytes.is_empty() {
            let skipped = min(self.skip, bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = min(self.wanted() - self.have, bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            refused += u64::from(self.is_refusal());
            self.finish();
        }
        refused
    }

    fn is_reset(&self) -> bool {
        self.have >= HEADER && self.head[3] == RST_STREAM
    }

    fn wanted(&self) -> usize {
        if self.is_reset() { RESET } else { HEADER }
    }

    fn is_refusal(&self) -> bool {
        let [.., a, b, c, d] = self.head;
        self.is_reset() && self.have == RESET && u32::from_be_bytes([a, b, c, d]) == REFUSED_STREAM
    }

    /// Goes on to the payload, or to the next frame.
    fn finish(&mut self) {
        if self.have < self.wanted() {
            return;
        }
        let [a, b, c, ..] = self.head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        self.skip = length.saturating_sub(self.have - HEADER);
        self.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    fn reset(code: u32) -> Vec<u8> {
        frame(RST_STREAM, &code.to_be_bytes())
    }

    #[test]
    fn refusals_are_counted_and_nothing_else_however_the_bytes_are_cut() {
        // A payload that holds what looks like a refusal, an empty one, another reset, and two refusals.
        let bytes = [frame(0, &reset(REFUSED_STREAM)), frame(4, b""), reset(8), reset(REFUSED_STREAM), frame(0, &[3; 70_000]), reset(7)];
        let bytes = bytes.concat();
        for piece in [1, 2, 3, 8, 9, 10, 12, 13, 14, 1000, bytes.len()] {
            let mut frames = Frames::default();
            let refused: u64 = bytes.chunks(piece).map(|piece| frames.refused(piece)).sum();
            assert_eq!(refused, 2, "in pieces of {piece}");
        }
    }
}
