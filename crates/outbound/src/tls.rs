//! TLS 1.2 and later, as a client: the certificate is verified against the configured authorities and the host's name.

use std::{path::PathBuf, pin::Pin};

use openssl::{
    error::ErrorStack,
    ssl::{Ssl, SslConnector},
    x509::{X509VerifyResult, verify::X509CheckFlags},
};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;
use tollgate_filter_api::Problem;
use tollgate_pem::{FileError, KeyPair};

use crate::trust::{INSTALL, TrustError, check_trust, connector};

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
    check_trust(files.ca.as_deref()).map_err(untrusted)?;
    files.client_certificate.as_ref().map_or(Ok(()), |identity| load_identity(identity).map(drop))
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
    let mut builder = connector(files.ca.as_deref()).map_err(untrusted)?;
    if !alpn.is_empty() {
        builder.set_alpn_protos(alpn).map_err(refused)?;
    }
    if let Some(identity) = &files.client_certificate {
        let KeyPair { leaf, intermediates, key } = load_identity(identity)?;
        builder.set_certificate(&leaf).map_err(refused)?;
        for intermediate in intermediates {
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

fn of_file(code: &'static str, error: &FileError) -> Problem {
    Problem::error(code, error.why.to_string()).at(error.path.display().to_string(), error.line(), "")
}

fn untrusted(error: TrustError) -> Problem {
    match error {
        TrustError::File(error) => of_file("tls.ca", &error),
        TrustError::Empty => Problem::error("tls.ca", error.to_string()).hint(INSTALL),
        TrustError::Tls(error) => refused(error),
    }
}

fn load_identity(identity: &ClientCertificate) -> Result<KeyPair, Problem> {
    KeyPair::read(&identity.certificate, &identity.key).map_err(|error| of_file("tls.client_certificate", &error))
}
