//! Certificates made on the spot.

use std::path::PathBuf;

use openssl::{
    asn1::{Asn1Integer, Asn1Time},
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
    ssl::{SslAcceptor, SslAcceptorBuilder, SslConnector, SslMethod, SslVerifyMode, SslVersion},
    x509::{
        X509, X509Name, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName},
    },
};

use crate::Folder;

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

fn name(common: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", common).unwrap();
    name.build()
}

fn certificate(key: PKey<Private>, common: &str, serial: u32, issuer: Option<&Identity>, names: &[&str]) -> Identity {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(serial).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(&name(common)).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    match issuer {
        None => {
            builder.set_issuer_name(&name(common)).unwrap();
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            builder.sign(&key, MessageDigest::sha256()).unwrap();
        }
        Some(issuer) => {
            builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
            builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap()).unwrap();
            if !names.is_empty() {
                let mut list = SubjectAlternativeName::new();
                for name in names {
                    if name.parse::<std::net::IpAddr>().is_ok() {
                        list.ip(name)
                    } else {
                        list.dns(name)
                    };
                }
                let extension = list.build(&builder.x509v3_context(Some(&issuer.certificate), None)).unwrap();
                builder.append_extension(extension).unwrap();
            }
            builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
        }
    }
    Identity { certificate: builder.build(), key }
}

/// One element of DER, of at most 65535 bytes.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut bytes = match (high, low) {
        (0, 0..=127) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    bytes.extend(content);
    bytes
}

impl Authority {
    pub fn new(common: &str) -> Self {
        Self(certificate(ec_key(), common, 1, None, &[]))
    }

    /// A certificate for these names, dotted ones and addresses.
    pub fn issue(&self, common: &str, serial: u32, names: &[&str]) -> Identity {
        certificate(ec_key(), common, serial, Some(&self.0), names)
    }

    /// The same with an RSA key of 2048 bits.
    pub fn issue_rsa(&self, common: &str, serial: u32, names: &[&str]) -> Identity {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        certificate(key, common, serial, Some(&self.0), names)
    }

    pub fn write(&self, folder: &Folder, name: &str) -> PathBuf {
        folder.write(name, self.0.certificate.to_pem().unwrap())
    }

    /// A revocation list of these serial numbers, in DER, that ends at a time in the form of `UTCTime`. OpenSSL's bindings read
    /// lists only.
    pub fn revoke(&self, serials: &[u8], ends: &str) -> Vec<u8> {
        const BEGAN: &[u8] = b"250101000000Z";
        // ecdsa-with-SHA256 (RFC 5758).
        let algorithm = der(0x30, &[&der(0x06, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])]);
        let entry = |serial: &u8| der(0x30, &[&der(0x02, &[&[*serial]]), &der(0x17, &[BEGAN])]);
        let entries: Vec<u8> = serials.iter().flat_map(entry).collect();
        // An empty list must be absent (RFC 5280 §5.1.2.6).
        let revoked = if entries.is_empty() { entries } else { der(0x30, &[&entries]) };
        let issuer = self.0.certificate.subject_name().to_der().unwrap();
        let times = [der(0x17, &[BEGAN]), der(0x17, &[ends.as_bytes()])].concat();
        let list = der(0x30, &[&der(0x02, &[&[1]]), &algorithm, &issuer, &times, &revoked]);
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0.key).unwrap();
        let signature = signer.sign_oneshot_to_vec(&list).unwrap();
        der(0x30, &[&list, &algorithm, &der(0x03, &[&[0], &signature])])
    }
}

impl Identity {
    /// SHA-256 of the certificate, as the gateway's log has it.
    pub fn thumbprint(&self) -> String {
        openssl::sha::sha256(&self.certificate.to_der().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes certificate and key; the paths come back.
    pub fn write(&self, folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
        (
            folder.write(&format!("{name}.pem"), self.certificate.to_pem().unwrap()),
            folder.write(&format!("{name}.key"), self.key.private_key_to_pem_pkcs8().unwrap()),
        )
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
