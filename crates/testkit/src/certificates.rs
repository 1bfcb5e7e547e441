//! Certificates as they should be.

use std::path::PathBuf;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    ssl::{SslAcceptor, SslAcceptorBuilder, SslConnector, SslMethod, SslVerifyMode, SslVersion},
    x509::{
        X509,
        extension::{BasicConstraints, ExtendedKeyUsage},
    },
};

use crate::{
    Folder,
    forms::{Form, list},
};

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// A root that signs.
#[derive(Clone)]
pub struct Authority(pub Identity);

/// An EC key on P-256.
pub fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

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
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.to_pem().unwrap()
    }

    pub fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().unwrap()
    }

    /// Writes certificate and key; the paths come back.
    pub fn write(&self, folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
        (folder.write(format!("{name}.pem"), self.pem()), folder.write(format!("{name}.key"), self.key_pem()))
    }

    pub fn acceptor_builder(&self) -> SslAcceptorBuilder {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        builder.set_certificate(&self.certificate).unwrap();
        builder.set_private_key(&self.key).unwrap();
        builder
    }

    pub fn acceptor(&self) -> SslAcceptor {
        self.acceptor_builder().build()
    }

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
