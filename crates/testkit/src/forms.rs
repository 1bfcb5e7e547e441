//! Certificates of every form, good and bad, made on the spot.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use openssl::{
    asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time},
    bn::{BigNum, MsbOption},
    hash::MessageDigest,
    pkey::{PKey, Private},
    sha::sha256,
    x509::{
        X509, X509CrlBuilder, X509Extension, X509Name, X509NameBuilder, X509RevokedBuilder,
        extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    },
};

use crate::identity::{Identity, ec_key};

pub const DAY: i64 = 86_400;

/// `GeneralName`s (RFC 5280 §4.2.1.6).
pub const EMAIL: u8 = 0x81;
pub const DNS: u8 = 0x82;
pub const URI: u8 = 0x86;
pub const IP: u8 = 0x87;

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
    pub serial: BigNum,
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

/// By which key something was signed (RFC 5280 §5.2.1): as the certificate says, or by the key's digest.
fn authority_key(issuer: &X509) -> X509Extension {
    let named = issuer.subject_key_id().map(|id| id.as_slice().to_vec());
    let id = named.unwrap_or_else(|| sha256(&issuer.public_key().unwrap().public_key_to_der().unwrap()).to_vec());
    extension("2.5.29.35", false, &der(0x30, &[&der(0x80, &[&id])]))
}

/// A revocation list of these serial numbers, in DER, that ends so many seconds from now.
pub fn list(issuer: &Identity, serials: &[u32], ends: i64) -> Vec<u8> {
    let began = time(ends.min(0) - DAY);
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
    builder.set_last_update(&began).unwrap();
    builder.set_next_update(&time(ends)).unwrap();
    for serial in serials {
        let mut revoked = X509RevokedBuilder::new().unwrap();
        revoked.set_serial_number(&integer(&BigNum::from_u32(*serial).unwrap())).unwrap();
        revoked.set_revocation_date(&began).unwrap();
        builder.add_revoked(revoked.build()).unwrap();
    }
    builder.append_extension(authority_key(&issuer.certificate)).unwrap();
    // Its number (RFC 5280 §5.2.3).
    builder.append_extension(extension("2.5.29.20", false, &[2, 1, 1])).unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap().to_der().unwrap()
}

/// So many seconds from now.
fn time(seconds: i64) -> Asn1Time {
    Asn1Time::from_unix(now() + seconds).unwrap()
}

fn integer(number: &BigNum) -> Asn1Integer {
    Asn1Integer::from_bn(number).unwrap()
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
        let mut serial = BigNum::new().unwrap();
        serial.rand(63, MsbOption::ONE, false).unwrap();
        Self {
            serial,
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

    /// For these names, dotted ones and addresses; none of them leaves the extension out.
    #[must_use]
    pub fn named(self, names: &[&str]) -> Self {
        let octets = |address| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let name = |name: &&str| name.parse().map_or_else(|_| (DNS, name.as_bytes().to_vec()), |address| (IP, octets(address)));
        let names: Vec<(u8, Vec<u8>)> = names.iter().map(name).collect();
        let names: Vec<(u8, &[u8])> = names.iter().map(|(kind, name)| (*kind, name.as_slice())).collect();
        if names.is_empty() { self } else { self.with(alternative_names(false, &names)) }
    }

    #[must_use]
    pub fn serial(mut self, serial: u32) -> Self {
        self.serial = BigNum::from_u32(serial).unwrap();
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
        let mut builder = X509::builder().unwrap();
        builder.set_version(self.version).unwrap();
        builder.set_serial_number(&integer(&self.serial)).unwrap();
        builder.set_subject_name(&self.subject).unwrap();
        builder.set_issuer_name(issuer.map_or(&self.subject, |issuer| issuer.certificate.subject_name())).unwrap();
        builder.set_not_before(&time(self.validity.0)).unwrap();
        builder.set_not_after(&time(self.validity.1)).unwrap();
        builder.set_pubkey(&self.key).unwrap();
        for extension in self.extensions {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(issuer.map_or(&self.key, |issuer| &issuer.key), self.digest).unwrap();
        Identity { certificate: builder.build(), key: self.key }
    }
}
