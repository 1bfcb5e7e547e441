//! TLS 1.2 and later, as a client: the certificate is verified against the configured authorities and the host's name.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
};

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    ssl::{Ssl, SslConnector, SslMethod, SslVersion},
    x509::{X509, X509VerifyResult, store::X509StoreBuilder, verify::X509CheckFlags},
};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tollgate_filter_api::Problem;

/// A certificate and its key, both PEM files.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// The private key, not encrypted.
    pub key: PathBuf,
}

/// Whom to trust, and what to present.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// PEM file of the authorities that the server's certificate must end in; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// What to present when the server asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
}

/// Why there is no encrypted connection.
#[derive(Debug)]
pub enum Failure {
    /// A file cannot be used.
    Files(Problem),
    /// The handshake failed.
    Handshake(String),
}

/// Reads every file that a handshake will need.
///
/// # Errors
/// The first that cannot be used: `tls.ca` or `tls.client_certificate`.
pub fn check(files: &Files) -> Result<(), Problem> {
    match &files.ca {
        Some(path) => drop(certificates("tls.ca", path)?),
        None => drop(system_bundle()?),
    }
    if let Some(identity) = &files.client_certificate {
        load_identity(identity)?;
    }
    Ok(())
}

/// Shakes hands with `host`. `alpn` are protocols as RFC 7301 writes them; empty: none are named. Reads the files anew, tens of
/// milliseconds on a blocking thread where the machine's bundle is meant.
///
/// # Errors
/// Files that cannot be used any more, or a server that is not the one that was meant.
pub async fn handshake(files: &Files, host: &str, alpn: &'static [u8], tcp: TcpStream) -> Result<SslStream<TcpStream>, Failure> {
    let (files, host) = (files.clone(), host.to_owned());
    let ssl = tokio::task::spawn_blocking(move || client(&files, &host, alpn)).await;
    let ssl = ssl.map_err(|error| Failure::Handshake(error.to_string()))?.map_err(Failure::Files)?;
    let mut stream = SslStream::new(ssl, tcp).map_err(|error| Failure::Handshake(error.to_string()))?;
    let shaken = Pin::new(&mut stream).connect().await;
    shaken.map_err(|error| Failure::Handshake(cause(&stream, &error)))?;
    Ok(stream)
}

fn cause(stream: &SslStream<TcpStream>, error: &openssl::ssl::Error) -> String {
    match stream.ssl().verify_result() {
        X509VerifyResult::OK => error.to_string(),
        refused => format!("the server's certificate is not accepted: {refused}"),
    }
}

fn client(files: &Files, host: &str, alpn: &[u8]) -> Result<Ssl, Problem> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(refused)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(refused)?;
    if !alpn.is_empty() {
        builder.set_alpn_protos(alpn).map_err(refused)?;
    }
    match &files.ca {
        Some(path) => {
            let mut store = X509StoreBuilder::new().map_err(refused)?;
            for certificate in certificates("tls.ca", path)? {
                store.add_cert(certificate).map_err(refused)?;
            }
            builder.set_cert_store(store.build());
        }
        None => {
            let (file, folder) = system_bundle()?;
            builder.load_verify_locations(file.as_deref(), folder.as_deref()).map_err(refused)?;
        }
    }
    if let Some(identity) = &files.client_certificate {
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
    towards(&builder.build(), host).map_err(refused)
}

/// A handshake to come with a server that must be `host`: a name or an address among the certificate's alternative names. OpenSSL would
/// also take the subject's common name, which RFC 9525 §2 does not.
///
/// # Errors
/// OpenSSL's, for a host that is none.
pub fn towards(connector: &SslConnector, host: &str) -> Result<Ssl, ErrorStack> {
    let mut configuration = connector.configure()?;
    // Else it sets flags of its own, last.
    configuration.set_verify_hostname(false);
    let param = configuration.param_mut();
    param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    match host.parse() {
        Ok(address) => param.set_ip(address)?,
        Err(_) => param.set_host(host)?,
    }
    configuration.into_ssl(host)
}

fn refused(error: ErrorStack) -> Problem {
    Problem::error("tls", format!("cannot set up TLS: {error}"))
}

type Bundle = (Option<PathBuf>, Option<PathBuf>);

fn system_bundle() -> Result<Bundle, Problem> {
    let found = openssl_probe::probe();
    if found.cert_file.is_none() && found.cert_dir.is_none() {
        return Err(Problem::error("tls.ca", "this machine has no CA certificates, and none were configured"));
    }
    Ok((found.cert_file, found.cert_dir))
}

fn file_problem(code: &'static str, path: &Path, message: String) -> Problem {
    Problem::error(code, message).at(path.display().to_string(), 0, "")
}

fn read(code: &'static str, path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| file_problem(code, path, format!("cannot read the file: {error}")))
}

fn certificates(code: &'static str, path: &Path) -> Result<Vec<X509>, Problem> {
    let read = read(code, path)?;
    let certificates =
        X509::stack_from_pem(&read).map_err(|error| file_problem(code, path, format!("expected PEM certificates: {error}")))?;
    if certificates.is_empty() {
        return Err(file_problem(code, path, "expected at least one PEM certificate, found none".to_owned()));
    }
    Ok(certificates)
}

fn load_identity(identity: &ClientCertificate) -> Result<(Vec<X509>, PKey<Private>), Problem> {
    const CODE: &str = "tls.client_certificate";
    let chain = certificates(CODE, &identity.certificate)?;
    // The callback keeps OpenSSL from asking for a passphrase on the terminal.
    let key = PKey::private_key_from_pem_callback(&read(CODE, &identity.key)?, |_| Ok(0))
        .map_err(|error| file_problem(CODE, &identity.key, format!("expected a PEM private key without a passphrase: {error}")))?;
    let fits = chain.first().and_then(|own| own.public_key().ok()).is_some_and(|public| public.public_eq(&key));
    if !fits {
        return Err(file_problem(CODE, &identity.key, format!("expected the key of {}", identity.certificate.display())));
    }
    Ok((chain, key))
}
