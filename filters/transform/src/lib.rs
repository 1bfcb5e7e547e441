//! Changes requests and answers as settings or a definition say: method, path, query, fields, cookies, status, JSON bodies.
//!
//! What comes out is a legal message: values stay one value of their place, a path is judged anew, a body has its own length and carries no
//! digest of another one. What it does not protect against: an operator who hands a caller's own words to an upstream that trusts them.

mod body;
mod config;
mod filter;
mod reasons;
mod request;
mod response;

pub use config::{Config, Limits, Other, Request, Response, Step};
pub use filter::{Back, Transform};
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Transform>(
    include_str!("../README.md"),
    &[
        ("request.yaml", include_str!("../cases/request.yaml")),
        ("body.yaml", include_str!("../cases/body.yaml")),
        ("answers.yaml", include_str!("../cases/answers.yaml")),
        ("xml.yaml", include_str!("../cases/xml.yaml")),
        #[cfg(feature = "wasm")]
        ("jq.yaml", include_str!("../cases/jq.yaml")),
        ("template.yaml", include_str!("../cases/template.yaml")),
    ],
);
