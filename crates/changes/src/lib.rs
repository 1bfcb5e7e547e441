//! Changes to requests and answers, as filters are told to make them: fields, target, cookies, JSON documents.
//!
//! What settings say is judged at load. Values may hold [facts](facts::Template) of the request; whatever a fact holds, it stays one value of
//! the place where it is written. What the crate does not protect against: settings that hand a caller's own words to an upstream that
//! trusts them.

pub mod cookies;
pub mod facts;
pub mod heads;
pub mod json;
pub mod query;

#[cfg(test)]
mod testing;
