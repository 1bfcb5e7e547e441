//! TLS towards a broker: the certificate is verified against the configured authorities and the URL's host.

use std::path::Path;

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    ssl::{Ssl, SslConnector, SslMethod, SslVersion},
    x509::{X509, store::X509StoreBuilder},
};
use tollgate_filter_api::Problem;

use crate::settings::{ClientCertificate, Settings};

/// Reads every file that a handshake will need.
pub(crate) fn check(settings: &Settings) -> Result<(), Problem> {
    match &settings.ca {
        Some(path) => drop(certificates(path)?),
        None => drop(system_bundle()?),
    }
    if let Some(identity) = &settings.client_certificate {
        load_identity(identity)?;
    }
    Ok(())
}

/// A client for one handshake with `host`. Reads files: tens of milliseconds where the machine's bundle is meant.
pub(crate) fn client(settings: &Settings, host: &str) -> Result<Ssl, Problem> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(refused)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(refused)?;
    match &settings.ca {
        Some(path) => {
            let mut store = X509StoreBuilder::new().map_err(refused)?;
            for certificate in certificates(path)? {
                store.add_cert(certificate).map_err(refused)?;
            }
            builder.set_cert_store(store.build());
        }
        None => {
            let (file, folder) = system_bundle()?;
            builder.load_verify_locations(file.as_deref(), folder.as_deref()).map_err(refused)?;
        }
    }
    if let Some(identity) = &settings.client_certificate {
        let (chain, key) = load_identity(identity)?;
        let mut chain = chain.into_iter();
        if let Some(own) = chain.next() {
            builder.set_certificate(&own).map_err(refused)?;
        }
        for intermediate in chain {
            builder.add_extra_chain_cert(intermediate).map_err(refused)?;
        }
        builder.set_private_key(&key).map_err(refused)?;
    }
    builder.build().configure().and_then(|configuration| configuration.into_ssl(host)).map_err(refused)
}

fn refused(error: ErrorStack) -> Problem {
    Problem::error("broker.tls", format!("cannot set up TLS: {error}"))
}

type Bundle = (Option<std::path::PathBuf>, Option<std::path::PathBuf>);

fn system_bundle() -> Result<Bundle, Problem> {
    let found = openssl_probe::probe();
    if found.cert_file.is_none() && found.cert_dir.is_none() {
        return Err(Problem::error("broker.trust", "this machine has no CA certificates, and none were configured"));
    }
    Ok((found.cert_file, found.cert_dir))
}

fn named(path: &Path, message: String) -> Problem {
    Problem::error("broker.trust", message).at(path.display().to_string(), 0, "")
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| named(path, format!("cannot read the file: {error}")))
}

fn certificates(path: &Path) -> Result<Vec<X509>, Problem> {
    let certificates = X509::stack_from_pem(&read(path)?).map_err(|error| named(path, format!("expected PEM certificates: {error}")))?;
    if certificates.is_empty() {
        return Err(named(path, "expected at least one PEM certificate, found none".to_owned()));
    }
    Ok(certificates)
}

fn load_identity(identity: &ClientCertificate) -> Result<(Vec<X509>, PKey<Private>), Problem> {
    let chain = certificates(&identity.certificate)?;
    // The callback keeps OpenSSL from asking for a passphrase on the terminal.
    let key = PKey::private_key_from_pem_callback(&read(&identity.key)?, |_| Ok(0))
        .map_err(|error| named(&identity.key, format!("expected a PEM private key without a passphrase: {error}")))?;
    let fits = chain.first().and_then(|own| own.public_key().ok()).is_some_and(|public| public.public_eq(&key));
    if !fits {
        return Err(named(&identity.key, format!("expected the key of {}", identity.certificate.display())));
    }
    Ok((chain, key))
}
