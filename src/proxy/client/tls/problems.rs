//! What is said of a listener's files that cannot be used.

use std::path::Path;

use openssl::error::ErrorStack;
use tollgate_filter_api::Problem;
use tollgate_pem::FileError;

pub fn unusable(error: &FileError) -> Problem {
    Problem::error("tls.file", error.to_string())
}

pub fn problem(path: &Path, what: &str) -> Problem {
    Problem::error("tls.file", format!("{} {what}", path.display()))
}

pub fn internal(error: &ErrorStack) -> Problem {
    Problem::error("tls.setup", format!("TLS cannot be set up: {error}"))
}
