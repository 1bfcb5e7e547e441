//! A certificate with its key.

use std::path::PathBuf;

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    sha::sha256,
    ssl::{SslAcceptor, SslAcceptorBuilder, SslMethod},
    x509::X509,
};

use crate::Folder;

/// A certificate and its key.
#[derive(Clone)]
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// An EC key on P-256.
pub fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

impl Identity {
    /// SHA-256 of the certificate, as the gateway's log has it.
    pub fn thumbprint(&self) -> String {
        sha256(&self.certificate.to_der().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

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
}
