//! Bodies that are named members side by side: forms in pairs, and forms in parts.

mod members;
pub(super) mod multipart;
pub(super) mod parts;
mod separated;
pub(super) mod urlencoded;

pub(super) use members::{Leaf, Members, Reading};
pub(super) use multipart::Piece;
