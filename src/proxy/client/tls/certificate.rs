//! What a client's certificate says, in words.

use std::net::IpAddr;

use openssl::{
    asn1::Asn1StringRef,
    nid::Nid,
    sha::sha256,
    x509::{GeneralNameRef, X509, X509NameRef, X509Ref},
};
use tollgate_filter_api::Certificate;

use super::der;

/// SHA-256 of a certificate.
pub fn thumbprint(certificate: &X509Ref) -> Option<[u8; 32]> {
    certificate.to_der().ok().map(|der| sha256(&der))
}

/// Whether all names of a certificate are plain text. One that holds a NUL or another control character is somebody else's to a reader who
/// stops there or leaves it out.
pub fn has_plain_names(leaf: &X509Ref) -> bool {
    let Ok(bytes) = leaf.to_der() else { return false };
    let printable = |name: &&[u8]| name.iter().all(|byte| (b' '..=b'~').contains(byte));
    let plain = |name: &X509NameRef| {
        let text = |value: &Asn1StringRef| value.to_string().is_ok_and(|text| !text.chars().any(char::is_control));
        name.entries().all(|entry| text(entry.data()))
    };
    der::alternative_texts(&bytes).is_ok_and(|names| names.iter().all(printable)) && plain(leaf.subject_name()) && plain(leaf.issuer_name())
}

/// What a certificate says. `None` when its names are not text.
pub fn describe(leaf: &X509) -> Option<Certificate> {
    let der = leaf.to_der().ok()?;
    let names = leaf.subject_alt_names();
    let texts = |read: fn(&GeneralNameRef) -> Option<&str>| names.iter().flatten().filter_map(read).map(str::to_owned).collect();
    Some(Certificate {
        sha256: sha256(&der),
        subject: distinguished_name(leaf.subject_name())?,
        issuer: distinguished_name(leaf.issuer_name())?,
        dns_names: texts(GeneralNameRef::dnsname),
        uri_names: texts(GeneralNameRef::uri),
        email_names: texts(GeneralNameRef::email),
        ip_names: names.iter().flatten().filter_map(|name| address(name.ipaddress()?)).collect(),
        forwarded: false,
        der,
    })
}

/// An address as a certificate has it: 4 or 16 bytes.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// RFC 4514: the last component first, the attributes of one component joined by `+`, special characters escaped. An attribute
/// that is not UTF-8 makes the whole unusable.
fn distinguished_name(name: &X509NameRef) -> Option<String> {
    let mut attributes = Vec::new();
    for entry in name.entries() {
        let nid = entry.object().nid();
        let key = if nid == Nid::UNDEF { entry.object().to_string() } else { nid.short_name().ok()?.to_owned() };
        let value = entry.data().to_string().ok()?;
        attributes.push(format!("{key}={}", escape(&value)));
    }
    let mut components = Vec::new();
    let mut rest = &attributes[..];
    for size in der::component_sizes(&name.to_der().ok()?).ok()? {
        let (component, more) = rest.split_at_checked(size)?;
        components.push(component.join("+"));
        rest = more;
    }
    components.reverse();
    rest.is_empty().then(|| components.join(","))
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        let at_edge = (index == 0 && matches!(c, ' ' | '#')) || (index == last && c == ' ');
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => escaped.extend(['\\', c]),
            _ if at_edge => escaped.extend(['\\', c]),
            c if c.is_control() => c.to_string().bytes().for_each(|byte| escaped.push_str(&format!("\\{byte:02X}"))),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "tests/certificate.rs"]
mod tests;
