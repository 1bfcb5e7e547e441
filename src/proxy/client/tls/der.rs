//! What OpenSSL's bindings do not tell of a certificate, read from its DER form.
//!
//! The bytes come from OpenSSL, which has parsed them. What cannot be read here all the same is an error, and callers trust no such
//! certificate.

const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `extensions` of `TBSCertificate` (RFC 5280 §4.1).
const EXTENSIONS: u8 = 0xa3;

const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const POLICIES: &[u8] = &[0x55, 0x1d, 0x20];

/// Alternative names that are text: mail address, DNS name, URI (RFC 5280 §4.2.1.6).
const TEXTS: [u8; 3] = [0x81, 0x82, 0x86];
/// What the tag of a text has besides that is written in pieces.
const PIECES: u8 = 0x20;
/// `id-qt`, below which 1 is a statement of practice and 2 a notice to users (RFC 5280 §4.2.1.4).
const QUALIFIERS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 2, 1], &[0x2b, 6, 1, 5, 5, 7, 2, 2]];

/// Bytes that are not what they should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// Whether a certificate may sign others: its basic constraints say so.
///
/// # Errors
/// What is no certificate.
pub fn is_authority(certificate: &[u8]) -> Result<bool, Broken> {
    let Some(extension) = extension(certificate, BASIC_CONSTRAINTS)? else { return Ok(false) };
    let first = elements(inside(SEQUENCE, extension.value)?)?.first().copied();
    Ok(matches!(first, Some((BOOLEAN, value)) if value != [0]))
}

/// Whether a certificate has alternative names that nobody may pass over.
///
/// # Errors
/// What is no certificate.
pub fn has_critical_names(certificate: &[u8]) -> Result<bool, Broken> {
    Ok(extension(certificate, ALTERNATIVE_NAMES)?.is_some_and(|names| names.critical))
}

/// The alternative names that are text, byte for byte.
///
/// # Errors
/// What is no certificate.
pub fn alternative_texts(certificate: &[u8]) -> Result<Vec<&[u8]>, Broken> {
    let Some(extension) = extension(certificate, ALTERNATIVE_NAMES)? else { return Ok(Vec::new()) };
    let names = elements(inside(SEQUENCE, extension.value)?)?;
    // Whether written in one piece or, as BER may be, in several.
    Ok(names.into_iter().filter(|(tag, _)| TEXTS.contains(&(tag & !PIECES))).map(|(_, name)| name).collect())
}

/// Whether nobody may pass over the policies of a certificate, and one of them has a qualifier that is not understood here.
///
/// # Errors
/// What is no certificate.
pub fn has_strange_policies(certificate: &[u8]) -> Result<bool, Broken> {
    let Some(Extension { critical: true, value }) = extension(certificate, POLICIES)? else { return Ok(false) };
    for (_, policy) in elements(inside(SEQUENCE, value)?)? {
        let Some((_, qualifiers)) = elements(policy)?.get(1).copied() else { continue };
        for (_, qualifier) in elements(qualifiers)? {
            if !QUALIFIERS.contains(&inside(OID, qualifier)?) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// How many attributes each component of a distinguished name has.
///
/// # Errors
/// What is no name.
pub fn component_sizes(name: &[u8]) -> Result<Vec<usize>, Broken> {
    let sets = elements(inside(SEQUENCE, name)?)?;
    sets.into_iter().map(|(tag, set)| if tag == SET { Ok(elements(set)?.len()) } else { Err(Broken) }).collect()
}

struct Extension<'a> {
    critical: bool,
    value: &'a [u8],
}

fn extension<'a>(certificate: &'a [u8], oid: &[u8]) -> Result<Option<Extension<'a>>, Broken> {
    let signed = inside(SEQUENCE, inside(SEQUENCE, certificate)?)?;
    let Some((_, list)) = elements(signed)?.into_iter().find(|(tag, _)| *tag == EXTENSIONS) else { return Ok(None) };
    for (_, extension) in elements(inside(SEQUENCE, list)?)? {
        let found = match elements(extension)?[..] {
            [(OID, name), (OCTETS, value)] => (name, Extension { critical: false, value }),
            [(OID, name), (BOOLEAN, critical), (OCTETS, value)] => (name, Extension { critical: critical != [0], value }),
            _ => return Err(Broken),
        };
        if found.0 == oid {
            return Ok(Some(found.1));
        }
    }
    Ok(None)
}

/// The content of the first element, which must have this tag.
fn inside(tag: u8, bytes: &[u8]) -> Result<&[u8], Broken> {
    let (found, content, _) = element(bytes)?;
    if found == tag { Ok(content) } else { Err(Broken) }
}

/// Tag and content of all that stand in a row.
fn elements(mut bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, Broken> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = element(bytes)?;
        all.push((tag, content));
        bytes = rest;
    }
    Ok(all)
}

/// Tag and content of the first, and what follows it. DER has no lengths but definite ones.
fn element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Broken> {
    let (tag, bytes) = bytes.split_first().ok_or(Broken)?;
    let (first, bytes) = bytes.split_first().ok_or(Broken)?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(*first), bytes),
        0x81..=0x84 => {
            let (digits, bytes) = bytes.split_at_checked(usize::from(first & 0x7f)).ok_or(Broken)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), bytes)
        }
        _ => return Err(Broken),
    };
    let (content, rest) = bytes.split_at_checked(length).ok_or(Broken)?;
    Ok((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_broken_wherever_it_is_cut() {
        // SEQUENCE { SET { SEQUENCE {}, SEQUENCE {} }, SET { SEQUENCE {} } }
        let name = [0x30, 10, 0x31, 4, 0x30, 0, 0x30, 0, 0x31, 2, 0x30, 0];
        assert_eq!(component_sizes(&name), Ok(vec![2, 1]));
        for end in 0..name.len() {
            assert_eq!(component_sizes(&name[..end]), Err(Broken), "{end}");
        }
        assert_eq!(component_sizes(&[0x30, 0x80, 0, 0]), Err(Broken), "a length that is not definite");
        assert_eq!(component_sizes(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(Broken));
        assert_eq!(is_authority(&[]), Err(Broken));
    }
}
