//! Certificates of every form, good and bad, made on the spot.

use std::time::{SystemTime, UNIX_EPOCH};

use openssl::{
    asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time},
    bn::BigNum,
    hash::MessageDigest,
    pkey::{PKey, Private},
    x509::{
        X509, X509CrlBuilder, X509Extension, X509Name, X509NameBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    },
};

use crate::certificates::{Identity, der, ec_key};

pub const DAY: i64 = 86_400;

/// `GeneralName`s (RFC 5280 §4.2.1.6).
pub const EMAIL: u8 = 0x81;
pub const DNS: u8 = 0x82;
pub const URI: u8 = 0x86;

/// What a certificate is to say; by itself a client's, good from an hour ago until tomorrow.
pub struct Form {
    pub subject: X509Name,
    pub key: PKey<Private>,
    /// Seconds from now.
    pub validity: (i64, i64),
    pub digest: MessageDigest,
    pub extensions: Vec<X509Extension>,
    /// 2 is X.509v3.
    pub version: i32,
}

/// A name of these attributes.
pub fn name(attributes: &[(&str, &str)]) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    for (kind, value) in attributes {
        name.append_entry_by_text(kind, value).unwrap();
    }
    name.build()
}

/// An extension with this content.
pub fn extension(oid: &str, critical: bool, content: &[u8]) -> X509Extension {
    let content = Asn1OctetString::new_from_bytes(content).unwrap();
    X509Extension::new_from_der(&Asn1Object::from_str(oid).unwrap(), critical, &content).unwrap()
}

/// Alternative names, each of a kind, byte for byte.
pub fn alternative_names(critical: bool, names: &[(u8, &[u8])]) -> X509Extension {
    let names: Vec<u8> = names.iter().flat_map(|(kind, name)| der(*kind, &[name])).collect();
    extension("2.5.29.17", critical, &der(0x30, &[&names]))
}

/// Name constraints that permit one name of a kind; `tag` 0xa0 permits, 0xa1 excludes.
pub fn name_constraint(tag: u8, kind: u8, name: &[u8]) -> X509Extension {
    extension("2.5.29.30", true, &der(0x30, &[&der(tag, &[&der(0x30, &[&der(kind, &[name])])])]))
}

/// A revocation list of nobody, good from an hour ago until tomorrow, that says by which key it was signed.
pub fn list(issuer: &Identity, key_id: &[u8]) -> Vec<u8> {
    let now = now();
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
    builder.set_last_update(&Asn1Time::from_unix(now - 3600).unwrap()).unwrap();
    builder.set_next_update(&Asn1Time::from_unix(now + DAY).unwrap()).unwrap();
    builder.append_extension(extension("2.5.29.35", false, &der(0x30, &[&der(0x80, &[key_id])]))).unwrap();
    builder.append_extension(extension("2.5.29.20", false, &[2, 1, 1])).unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap().to_der().unwrap()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

impl Form {
    /// A client's.
    pub fn client(common: &str) -> Self {
        Self::plain(common).with(ExtendedKeyUsage::new().client_auth().build().unwrap())
    }

    /// An authority's.
    pub fn authority(common: &str, path_length: Option<u32>) -> Self {
        let mut constraints = BasicConstraints::new();
        constraints.critical().ca();
        if let Some(length) = path_length {
            constraints.pathlen(length);
        }
        let usage = KeyUsage::new().critical().key_cert_sign().crl_sign().digital_signature().build().unwrap();
        Self::plain(common).with(constraints.build().unwrap()).with(usage)
    }

    /// Without extensions.
    pub fn plain(common: &str) -> Self {
        Self {
            subject: name(&[("CN", common)]),
            key: ec_key(),
            validity: (-3600, DAY),
            digest: MessageDigest::sha256(),
            extensions: Vec::new(),
            version: 2,
        }
    }

    #[must_use]
    pub fn with(mut self, extension: X509Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    #[must_use]
    pub fn valid(mut self, from: i64, until: i64) -> Self {
        self.validity = (from, until);
        self
    }

    #[must_use]
    pub fn key(mut self, key: PKey<Private>) -> Self {
        self.key = key;
        self
    }

    #[must_use]
    pub fn subject(mut self, subject: X509Name) -> Self {
        self.subject = subject;
        self
    }

    #[must_use]
    pub fn digest(mut self, digest: MessageDigest) -> Self {
        self.digest = digest;
        self
    }

    /// Signs it with an authority's key.
    pub fn signed_by(self, issuer: &Identity) -> Identity {
        self.sign(Some(issuer))
    }

    /// Signs it with its own.
    pub fn self_signed(self) -> Identity {
        self.sign(None)
    }

    fn sign(self, issuer: Option<&Identity>) -> Identity {
        let now = now();
        let mut builder = X509::builder().unwrap();
        builder.set_version(self.version).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(63, openssl::bn::MsbOption::ONE, false).unwrap();
        builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
        builder.set_subject_name(&self.subject).unwrap();
        builder.set_issuer_name(issuer.map_or(&self.subject, |issuer| issuer.certificate.subject_name())).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(now + self.validity.0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(now + self.validity.1).unwrap()).unwrap();
        builder.set_pubkey(&self.key).unwrap();
        for extension in self.extensions {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(issuer.map_or(&self.key, |issuer| &issuer.key), self.digest).unwrap();
        Identity { certificate: builder.build(), key: self.key }
    }
}
