//! What the Plan and the environment say of a group: its settings, which hold for every endpoint that it will ever have, and the endpoints
//! that it begins with.

pub mod build;
mod credentials;
pub mod parts;
mod policy;
mod said;
mod siblings;
pub mod template;
pub mod timeouts;
pub mod trust;
pub mod url;
