//! Heads of requests and answers, and what is read from their fields.

pub mod carrier;
pub mod escapes;
pub mod head;
pub mod quality;
pub mod request_id;
pub mod reserved;
pub mod scheme;
