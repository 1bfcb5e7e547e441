//! What is known of a request, and values that are made of it.

mod asked;
mod fact;
mod known;
mod request;
mod template;
mod text;

pub use asked::{host, is_secure};
pub use fact::{Caller, Seen};
pub use known::known;
pub(crate) use request::form;
pub use template::{Template, Unknown};
pub use text::{LONGEST, Place, TooLong};
