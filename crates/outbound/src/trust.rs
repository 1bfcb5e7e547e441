//! Which servers are trusted: those whose certificate chain ends in one of a file, or of the machine's bundle.

use std::path::{Path, PathBuf};

use openssl::{
    error::ErrorStack,
    ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion},
    x509::store::X509StoreBuilder,
};
use tollgate_pem::{File, FileError};

/// The way out when [nothing is trusted](TrustError::Empty).
pub const INSTALL: &str = "install the package `ca-certificates`, or set SSL_CERT_FILE";

/// Why no server could be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be used.
    #[error("{0}")]
    File(#[from] FileError),
    /// No file is named, and the machine has none.
    #[error("this machine has no CA certificates, and none were configured")]
    Empty,
    /// OpenSSL does not work.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] ErrorStack),
}

/// A client of TLS 1.2 and later that trusts the certificates of a PEM file, or without one those of the machine. Reading the machine's
/// bundle takes tens of milliseconds.
///
/// # Errors
/// When nothing can be trusted.
pub fn connector(ca: Option<&Path>) -> Result<SslConnectorBuilder, TrustError> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    match ca {
        Some(path) => {
            let mut store = X509StoreBuilder::new()?;
            for certificate in File::read(path)?.certificates()? {
                store.add_cert(certificate)?;
            }
            builder.set_cert_store(store.build());
        }
        None => {
            let (file, folder) = system_bundle()?;
            builder.load_verify_locations(file.as_deref(), folder.as_deref())?;
        }
    }
    Ok(builder)
}

/// Refuses a file that cannot be used, or a machine without a bundle. Does not read the bundle.
///
/// # Errors
/// When nothing can be trusted.
pub fn check_trust(ca: Option<&Path>) -> Result<(), TrustError> {
    match ca {
        Some(path) => drop(File::read(path)?.certificates()?),
        None => drop(system_bundle()?),
    }
    Ok(())
}

/// File and folder of certificates.
type Bundle = (Option<PathBuf>, Option<PathBuf>);

fn system_bundle() -> Result<Bundle, TrustError> {
    let found = openssl_probe::probe();
    if found.cert_file.is_none() && found.cert_dir.is_none() { Err(TrustError::Empty) } else { Ok((found.cert_file, found.cert_dir)) }
}
