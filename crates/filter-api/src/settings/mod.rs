//! Settings and declarations as data: decoding, types of values, problems with their places.

pub mod date;
pub mod declared;
pub mod decode;
pub mod pointer;
pub mod problem;
pub mod secret;
pub mod suggest;
pub mod units;
