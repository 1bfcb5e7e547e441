//! The wire of a client's connection: what its bytes are, judged before the engine reads them.
//!
//! The engine never sees a byte of the next HTTP/1 message before it has done with the one at hand, so no reading of its own can join
//! two messages or cut one in two. What has several readings is refused here. Of HTTP/2, which is the library's, frames are counted. The fields of a head that do not frame the message
//! are not judged here; [`admit`](crate::judge::admit) does that.

mod budget;
mod chunks;
mod frames;
mod head;
mod http2;
mod message;
mod messages;

pub use crate::judge::framing::Framing;
pub use http2::{Http2, PREFACE};
pub use messages::Messages;

#[cfg(test)]
mod cut_tests;
