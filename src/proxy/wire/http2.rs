//! Both directions of an HTTP/2 connection, looked at for what the library lets pass: streams that it refuses without telling anybody but
//! the client, and control frames without end, which cost the client little and the gateway as much as requests.

use std::time::Instant;

use super::{
    budget::Budget,
    frames::{DATA, Frame, FrameFollower, HEADERS, RST_STREAM, WINDOW_UPDATE},
};

/// Bytes of the preface (RFC 9113 §3.4), for which the engine would wait for ever.
pub const PREFACE: u64 = 24;

/// GOAWAY with ENHANCE_YOUR_CALM (§6.8). Any stream may have been processed.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

const END_STREAM: u8 = 1;
const REFUSED_STREAM: u32 = 7;

/// An increment of a window below which the client asks for drops.
const DROP: u32 = 256;
/// Bytes of an answer for which a client may send a control frame, beside one for each piece.
const ANSWERED: u64 = 512;
/// Frames that come with a request that is answered: HEADERS, PRIORITY_UPDATE, updates of both windows, trailers.
const REQUEST: u64 = 5;
/// What it takes to call off a request, which has cost its work by then (CVE-2023-44487).
const RESET: u64 = 5;

/// One connection.
#[derive(Debug)]
pub struct Http2 {
    read: FrameFollower,
    written: FrameFollower,
    budget: Budget,
    spent: bool,
}

impl Http2 {
    /// A connection that begins, with so many control frames to spend.
    pub fn new(control_frames: u32) -> Self {
        Self {
            read: FrameFollower::after(PREFACE as usize),
            written: FrameFollower::default(),
            budget: Budget::new(control_frames, Instant::now()),
            spent: false,
        }
    }

    /// Follows what the client sends; `false` when that is more than it may.
    pub fn came(&mut self, mut bytes: &[u8]) -> bool {
        while let Some(frame) = self.read.next(&mut bytes) {
            self.spend(cost(&frame));
        }
        !self.spent
    }

    /// Follows what is sent to the client. How many streams it refuses.
    pub fn wrote(&mut self, mut bytes: &[u8]) -> u64 {
        let mut refused = 0;
        while let Some(frame) = self.written.next(&mut bytes) {
            match frame.kind {
                DATA => self.budget.earn(1 + frame.length as u64 / ANSWERED),
                HEADERS => self.budget.earn(REQUEST),
                RST_STREAM => {
                    refused += u64::from(frame.number() == REFUSED_STREAM);
                    self.spend(1);
                }
                _ => {}
            }
        }
        refused
    }

    fn spend(&mut self, frames: u64) {
        self.spent |= frames > 0 && !self.budget.spend(frames, Instant::now);
    }

    /// The last frame for a client that sent too much, when nothing is in its way.
    pub fn goodbye(&self) -> Option<&'static [u8]> {
        self.written.is_between().then_some(&GOAWAY)
    }
}

/// What a frame of the client takes from its allowance. Data is free: it has a limit and a pace of its own.
fn cost(frame: &Frame) -> u64 {
    match frame.kind {
        DATA if frame.data() > 0 || frame.flags & END_STREAM != 0 => 0,
        RST_STREAM => RESET,
        WINDOW_UPDATE if frame.number() < DROP => 2,
        _ => 1,
    }
}
