//! Files with certificates and keys, and what is said of those that cannot be used.

use std::path::Path;

use openssl::{error::ErrorStack, x509::X509};
use tollgate_filter_api::Problem;

pub fn certificates(path: &Path) -> Result<Vec<X509>, Problem> {
    let pem = read(path)?;
    X509::stack_from_pem(&pem).map_err(|_| problem(path, "is not a list of certificates in PEM"))
}

pub fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| problem(path, &format!("cannot be read: {error}")))
}

pub fn problem(path: &Path, what: &str) -> Problem {
    Problem::error("tls.file", format!("{} {what}", path.display()))
}

pub fn internal(error: &ErrorStack) -> Problem {
    Problem::error("tls.setup", format!("TLS cannot be set up: {error}"))
}
