//! Which servers are trusted when something is fetched over `https`.

use std::path::{Path, PathBuf};

use openssl::{
    error::ErrorStack,
    ssl::{SslConnector, SslMethod, SslVersion},
    x509::{X509, store::X509StoreBuilder},
};
use tollgate_filter_api::Problem;

/// The certificates that a server's chain must end in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerTrust {
    /// The machine's bundle.
    #[default]
    System,
    /// This PEM file and nothing else.
    File(PathBuf),
}

impl ServerTrust {
    /// Refuses a store that is missing or empty, without reading the machine's bundle.
    pub(super) fn check(&self) -> Result<(), Problem> {
        match self {
            Self::System => system_bundle().map(drop),
            Self::File(path) => read_certificates(path).map(drop),
        }
    }

    /// A connector that trusts these certificates. Reading the machine's bundle takes tens of milliseconds.
    pub(super) fn connector(&self) -> Result<SslConnector, Problem> {
        let refused = |error: ErrorStack| Problem::error("trust.tls", format!("cannot set up TLS: {error}"));
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(refused)?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(refused)?;
        match self {
            Self::System => {
                let (file, folder) = system_bundle()?;
                builder.load_verify_locations(file.as_deref(), folder.as_deref()).map_err(refused)?;
            }
            Self::File(path) => {
                let mut store = X509StoreBuilder::new().map_err(refused)?;
                for certificate in read_certificates(path)? {
                    store.add_cert(certificate).map_err(refused)?;
                }
                builder.set_cert_store(store.build());
            }
        }
        Ok(builder.build())
    }
}

fn system_bundle() -> Result<(Option<PathBuf>, Option<PathBuf>), Problem> {
    let found = openssl_probe::probe();
    if found.cert_file.is_none() && found.cert_dir.is_none() {
        return Err(Problem::error("trust.empty", "this machine has no CA certificates, and none were configured")
            .hint("install the package `ca-certificates`, or set SSL_CERT_FILE"));
    }
    Ok((found.cert_file, found.cert_dir))
}

fn read_certificates(path: &Path) -> Result<Vec<X509>, Problem> {
    let named = |message: String| Problem::error("trust.file", message).at(path.display().to_string(), 0, "");
    let pem = std::fs::read(path).map_err(|error| named(format!("cannot read the CA certificates: {error}")))?;
    let certificates = X509::stack_from_pem(&pem).map_err(|error| named(format!("expected PEM certificates: {error}")))?;
    if certificates.is_empty() {
        return Err(named("expected at least one PEM certificate, found none".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_store_is_a_problem_that_names_the_file() {
        let folder = tollgate_testkit::Folder::new();
        let missing = ServerTrust::File(folder.join("missing.pem")).check().unwrap_err();
        assert!(missing.file.ends_with("missing.pem"), "{missing}");
        let empty = ServerTrust::File(folder.write("empty.pem", "# nothing here\n")).check().unwrap_err();
        assert!(empty.message.contains("found none"), "{empty}");
    }
}
