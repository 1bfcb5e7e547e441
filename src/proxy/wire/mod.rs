//! The wire of a client's connection: what its bytes are, judged before the engine reads them.
//!
//! The engine never sees a byte of the next HTTP/1 message before it has done with the one at hand, so no reading of its own can join
//! two messages or cut one in two. What has several readings is refused here. The fields of a head that do not frame the message
//! are not judged here; [`admit`](super::admit) does that.

mod chunks;
mod framing;
mod head;
mod message;
mod messages;

pub use framing::{Framing, Malformed};
pub use messages::Messages;
