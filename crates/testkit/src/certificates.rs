//! Certificates as they should be.

use std::path::PathBuf;

use openssl::{
    pkey::PKey,
    rsa::Rsa,
    ssl::{SslAcceptor, SslConnector, SslMethod, SslVerifyMode, SslVersion},
    x509::extension::{BasicConstraints, ExtendedKeyUsage},
};

pub use crate::identity::{Identity, ec_key};
use crate::{
    Folder,
    forms::{Form, list},
};

/// A root that signs.
#[derive(Clone)]
pub struct Authority(pub Identity);

impl Authority {
    pub fn new(common: &str) -> Self {
        let authority = BasicConstraints::new().critical().ca().build().unwrap();
        Self(Form::plain(common).with(authority).self_signed())
    }

    /// A certificate for these names, dotted ones and addresses.
    pub fn issue(&self, common: &str, serial: u32, names: &[&str]) -> Identity {
        self.sign(Form::plain(common), serial, names)
    }

    /// The same with an RSA key of 2048 bits.
    pub fn issue_rsa(&self, common: &str, serial: u32, names: &[&str]) -> Identity {
        self.sign(Form::plain(common).key(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()), serial, names)
    }

    fn sign(&self, form: Form, serial: u32, names: &[&str]) -> Identity {
        let usage = ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap();
        form.serial(serial).with(usage).named(names).signed_by(&self.0)
    }

    pub fn write(&self, folder: &Folder, name: &str) -> PathBuf {
        folder.write(name, self.0.pem())
    }

    /// A revocation list of these serial numbers, in DER, that ends so many seconds from now.
    pub fn revoke(&self, serials: &[u32], ends: i64) -> Vec<u8> {
        list(&self.0, serials, ends)
    }
}

impl Identity {
    /// Accepts only clients whose certificate this authority signed.
    pub fn acceptor_for_clients_of(&self, authority: &Authority) -> SslAcceptor {
        let mut builder = self.acceptor_builder();
        builder.cert_store_mut().add_cert(authority.0.certificate.clone()).unwrap();
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        builder.set_session_id_context(b"test").unwrap();
        builder.build()
    }
}

/// A client that trusts one authority, presents a certificate or none, and offers these protocols.
pub fn connector(authority: &Authority, identity: Option<&Identity>, alpn: &[u8], version: Option<SslVersion>) -> SslConnector {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.cert_store_mut().add_cert(authority.0.certificate.clone()).unwrap();
    if let Some(identity) = identity {
        builder.set_certificate(&identity.certificate).unwrap();
        builder.set_private_key(&identity.key).unwrap();
    }
    if !alpn.is_empty() {
        builder.set_alpn_protos(alpn).unwrap();
    }
    builder.set_max_proto_version(version).unwrap();
    builder.build()
}
