//! The frames of HTTP/2 in one direction of a connection: their heads and the beginning of what they carry.

use std::cmp::min;

/// Bytes of a frame's head (RFC 9113 §4.1).
const HEAD: usize = 9;
/// Bytes that are kept of what a frame carries: an error code (§6.4), an increment (§6.9), the length of a padding (§6.1).
const START: usize = 4;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const WINDOW_UPDATE: u8 = 8;
const PADDED: u8 = 8;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    /// Bytes that it carries, and the first of them.
    pub length: usize,
    start: [u8; START],
}

impl Frame {
    /// Bytes of DATA without its padding.
    pub fn data(&self) -> usize {
        let padding = if self.flags & PADDED == 0 { 0 } else { 1 + usize::from(self.start[0]) };
        self.length.saturating_sub(padding)
    }

    /// An error code, or an increment.
    pub fn number(&self) -> u32 {
        u32::from_be_bytes(self.start)
    }
}

/// Follows frames through bytes in whatever pieces they come.
#[derive(Debug, Default)]
pub struct FrameFollower {
    bytes: [u8; HEAD + START],
    have: usize,
    /// Bytes that nobody looks at.
    skip: usize,
}

impl FrameFollower {
    /// Begins after so many bytes that are no frames.
    pub fn after(skip: usize) -> Self {
        Self { skip, ..Self::default() }
    }

    /// The next frame whose beginning is complete. `bytes` follow those before, and are left with what comes after it.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        while !bytes.is_empty() {
            let skipped = min(self.skip, bytes.len());
            self.skip -= skipped;
            *bytes = &bytes[skipped..];
            let taken = min(self.wanted() - self.have, bytes.len());
            self.bytes[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            *bytes = &bytes[taken..];
            // The head says how much more is wanted.
            if self.have >= HEAD && self.have == self.wanted() {
                return Some(self.finish());
            }
        }
        None
    }

    /// Whether the last frame is complete.
    pub fn is_between(&self) -> bool {
        self.have == 0 && self.skip == 0
    }

    fn length(&self) -> usize {
        let [a, b, c, ..] = self.bytes;
        u32::from_be_bytes([0, a, b, c]) as usize
    }

    fn wanted(&self) -> usize {
        if self.have < HEAD { HEAD } else { HEAD + min(self.length(), START) }
    }

    /// Goes on to the rest of what the frame carries.
    fn finish(&mut self) -> Frame {
        let (length, have) = (self.length(), self.have - HEAD);
        let mut start = [0; START];
        start[..have].copy_from_slice(&self.bytes[HEAD..HEAD + have]);
        (self.skip, self.have) = (length - have, 0);
        Frame { kind: self.bytes[3], flags: self.bytes[4], length, start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn every_frame_is_met_once_however_the_bytes_are_cut() {
        let reset = frame(RST_STREAM, 0, &7u32.to_be_bytes());
        // A payload that holds what looks like a frame, an empty one, and long ones.
        let frames = [
            frame(DATA, 0, &reset),
            frame(4, 1, b""),
            reset.clone(),
            frame(DATA, PADDED, &[3; 70_000]),
            frame(DATA, PADDED, &[2, 0, 0]),
            frame(0xbe, 0, b"x"),
            reset,
        ];
        let bytes = [b"preface".to_vec(), frames.concat()].concat();
        for piece in [1, 2, 3, 8, 9, 10, 12, 13, 14, 1000, bytes.len()] {
            let (mut follower, mut met) = (FrameFollower::after(7), Vec::new());
            for mut piece in bytes.chunks(piece) {
                while let Some(frame) = follower.next(&mut piece) {
                    met.push((frame.kind, frame.length, frame.data(), frame.number()));
                }
            }
            let expected = [
                (DATA, 13, 13, 0x0403),
                (4, 0, 0, 0),
                (RST_STREAM, 4, 4, 7),
                (DATA, 70_000, 69_996, 0x0303_0303),
                (DATA, 3, 0, 2 << 24),
                (0xbe, 1, 1, u32::from(b'x') << 24),
                (RST_STREAM, 4, 4, 7),
            ];
            assert_eq!(met, expected, "in pieces of {piece}");
            assert!(follower.is_between());
        }
    }
}
