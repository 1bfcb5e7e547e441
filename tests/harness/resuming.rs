//! A TLS client that sends the certificates it is told to, however bad they are, and resumes its sessions.

use std::{
    io::{self, BufReader, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use openssl::{
    pkey::{PKey, Private},
    ssl::{SslConnector, SslMethod, SslMode, SslRef, SslSession, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion},
    x509::X509,
};

use crate::{PATIENCE, certificates::Identity, message};

/// A client that keeps the session it was last given.
pub struct Resuming {
    connector: SslConnector,
    session: Arc<Mutex<Option<SslSession>>>,
}

/// One request on a connection of its own.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub port: u16,
    /// Server name of the handshake.
    pub name: Option<&'a str>,
    pub host: &'a str,
    pub path: &'a str,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// Whether a session was resumed.
    pub resumed: bool,
    /// Status of the answer, when there was one. With TLS 1.3 a client learns after its handshake that it was refused.
    pub status: Option<u16>,
}

impl Resuming {
    pub fn new(identity: &Identity, version: SslVersion) -> Self {
        Self::showing(&identity.certificate, &[], &identity.key, version)
    }

    /// Shows these certificates, in this order. Neither what is weak nor what the server shows stops it.
    pub fn showing(leaf: &X509, chain: &[X509], key: &PKey<Private>, version: SslVersion) -> Self {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_security_level(0);
        builder.set_verify(SslVerifyMode::NONE);
        builder.set_mode(SslMode::NO_AUTO_CHAIN);
        builder.set_certificate(leaf).unwrap();
        builder.set_private_key(key).unwrap();
        for certificate in chain {
            builder.add_extra_chain_cert(certificate.clone()).unwrap();
        }
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let session = Arc::new(Mutex::new(None));
        let kept = session.clone();
        builder.set_new_session_callback(move |_, session| *kept.lock().unwrap() = Some(session));
        Self { connector: builder.build(), session }
    }

    /// Asks; offers the session that it has.
    pub fn call(&self, call: Call<'_>) -> Called {
        let configuration = self.connector.configure().unwrap().use_server_name_indication(call.name.is_some());
        let mut ssl = configuration.verify_hostname(false).into_ssl(call.name.unwrap_or("none")).unwrap();
        if let Some(session) = &*self.session.lock().unwrap() {
            resume(&mut ssl, session);
        }
        let tcp = TcpStream::connect(("127.0.0.1", call.port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut stream = SslStream::new(ssl, tcp).unwrap();
        if stream.connect().is_err() {
            return Called { resumed: false, status: None };
        }
        let status = ask(&mut stream, call).ok().flatten();
        let resumed = stream.ssl().session_reused();
        // A session that ends without a goodbye is not resumed.
        let _ = stream.shutdown();
        Called { resumed, status }
    }

    /// Bytes that the server would take before a handshake is over, on the session that is kept; `None` without one.
    pub fn early_data(&self) -> Option<u32> {
        Some(self.session.lock().unwrap().as_ref()?.max_early_data())
    }
}

fn ask(stream: &mut SslStream<TcpStream>, call: Call<'_>) -> io::Result<Option<u16>> {
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", call.path, call.host);
    stream.write_all(request.as_bytes())?;
    Ok(message::head(&mut BufReader::new(stream))?.map(|head| head.status()))
}

#[allow(unsafe_code)]
fn resume(ssl: &mut SslRef, session: &SslSession) {
    // SAFETY: the session was made by the context that this connection belongs to.
    unsafe { ssl.set_session(session).unwrap() }
}
