//! URLs of the servers that the gateway asks (RFC 3986): upstreams, issuers, brokers, stores.
//!
//! A URL names its server and says no secret about itself: user information is refused, because URLs end up in logs, and what is shown of
//! a URL never holds user information, query or fragment.
//!
//! Does **not** protect against: a host that is somebody else's, or a path that holds a secret. The targets of clients' requests are not
//! read here.

mod error;
mod redacted;
mod url;

pub use error::UrlError;
pub use redacted::redacted;
pub use url::Url;
