//! URLs, base paths and path templates of a definition.

pub mod base_path;
pub mod template;
pub mod url;
