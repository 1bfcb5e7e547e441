//! From blocks to what they hold.

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private, Public},
    x509::{X509, X509Crl},
};

use crate::{
    Kind, Unusable,
    blocks::{Block, blocks},
};

/// The certificates of a content, at least one.
///
/// # Errors
/// [`Unusable`].
pub fn certificates(content: &[u8]) -> Result<Vec<X509>, Unusable> {
    all(content, Kind::Certificate, X509::from_pem)
}

/// The public keys of a content (`BEGIN PUBLIC KEY`), at least one.
///
/// # Errors
/// [`Unusable`].
pub fn public_keys(content: &[u8]) -> Result<Vec<PKey<Public>>, Unusable> {
    all(content, Kind::PublicKey, PKey::public_key_from_pem)
}

/// The private key of a content: PKCS#8, PKCS#1 or SEC 1, without a passphrase.
///
/// # Errors
/// [`Unusable`]; also when there are several.
pub fn private_key(content: &[u8]) -> Result<PKey<Private>, Unusable> {
    let blocks = of(content, Kind::PrivateKey)?;
    let [block] = &blocks[..] else { return Err(Unusable::Several(blocks.len())) };
    if is_locked(block) {
        return Err(Unusable::Locked { line: block.line });
    }
    // Without a callback the library asks the terminal for a passphrase.
    read(block, Kind::PrivateKey, |text| PKey::private_key_from_pem_callback(text, |_| Ok(0)))
}

/// The revocation lists of a content, PEM or DER, at least one.
///
/// # Errors
/// [`Unusable`].
pub fn revocation_lists(content: &[u8]) -> Result<Vec<X509Crl>, Unusable> {
    if is_pem(content) {
        return all(content, Kind::RevocationList, X509Crl::from_pem);
    }
    let list = if is_one_value(content) { cleared(X509Crl::from_der(content)).ok() } else { None };
    list.map(|list| vec![list]).ok_or(Unusable::Der(Kind::RevocationList))
}

/// Whether a content that may be either is read as PEM rather than DER.
pub fn is_pem(content: &[u8]) -> bool {
    content.first() != Some(&SEQUENCE) || content.windows(11).any(|window| window == b"-----BEGIN ")
}

/// A certificate in DER.
///
/// # Errors
/// [`Unusable::Der`]; also when something stands behind it.
pub fn certificate_from_der(content: &[u8]) -> Result<X509, Unusable> {
    let certificate = if is_one_value(content) { cleared(X509::from_der(content)).ok() } else { None };
    certificate.ok_or(Unusable::Der(Kind::Certificate))
}

fn all<T>(content: &[u8], kind: Kind, parse: impl Fn(&[u8]) -> Result<T, ErrorStack>) -> Result<Vec<T>, Unusable> {
    of(content, kind)?.iter().map(|block| read(block, kind, &parse)).collect()
}

/// The blocks of a kind, at least one.
fn of(content: &[u8], kind: Kind) -> Result<Vec<Block<'_>>, Unusable> {
    let blocks: Vec<_> = blocks(content)?.into_iter().filter(|block| kind.has_label(block.label)).collect();
    if blocks.is_empty() { Err(Unusable::Nothing(kind)) } else { Ok(blocks) }
}

fn read<T>(block: &Block<'_>, kind: Kind, parse: impl Fn(&[u8]) -> Result<T, ErrorStack>) -> Result<T, Unusable> {
    let Block { label, line, number, text } = block;
    cleared(parse(text)).map_err(|_| Unusable::Damaged { kind, number: *number, label: (*label).to_owned(), line: *line })
}

/// PKCS#8 says so in its label, the older forms in a header (RFC 1421 §4.6.1.1).
fn is_locked(block: &Block<'_>) -> bool {
    block.label.starts_with("ENCRYPTED ") || block.text.windows(10).any(|window| window == b",ENCRYPTED")
}

/// What the library noted while it read belongs to nobody else on this thread.
fn cleared<T>(read: Result<T, ErrorStack>) -> Result<T, ErrorStack> {
    drop(ErrorStack::get());
    read
}

const SEQUENCE: u8 = 0x30;

/// Whether a content is one SEQUENCE in DER and nothing behind it (X.690 §8.1.3 and §10.1).
fn is_one_value(content: &[u8]) -> bool {
    let [SEQUENCE, first, rest @ ..] = content else { return false };
    let digits = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        return rest.len() == digits;
    }
    if digits == 0 || digits > 4 {
        return false;
    }
    let Some((length, value)) = rest.split_at_checked(digits) else { return false };
    length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)) == value.len()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
