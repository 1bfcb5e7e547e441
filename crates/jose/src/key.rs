//! Public keys, parsed once: from a JWK, from PEM, from a certificate.
//!
//! A key that is weak, for another use, or of a kind unknown here is left out and does no harm to its set. Who issued a
//! certificate is not checked: the operator put the file there.

use std::time::{Duration, SystemTime};

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    bn::{BigNum, BigNumRef},
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
    x509::X509Ref,
};
use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, Family};

/// Below, RSA is forbidden (RFC 7518 §3.3).
const MIN_RSA_BITS: i32 = 2048;
/// Above, one check costs so much that few requests stop the gateway.
const MAX_RSA_BITS: i32 = 8192;

/// Issuers write numbers with and without padding; nothing hangs on the spelling of public numbers.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// A public key of an issuer.
#[derive(Debug)]
pub struct Key {
    /// Its name in a JWKS.
    pub kid: Option<String>,
    /// The only algorithm it is for, when it says so.
    algorithm: Option<Algorithm>,
    family: Family,
    public: PKey<Public>,
    /// Validity of the certificate it came in.
    pub validity: Option<(SystemTime, SystemTime)>,
}

impl Key {
    /// Whether the algorithm is one this key may be used with at that time.
    pub fn fits(&self, algorithm: Algorithm, now: SystemTime) -> bool {
        self.family == algorithm.family()
            && self.algorithm.is_none_or(|only| only == algorithm)
            && self.validity.is_none_or(|(from, until)| from <= now && now <= until)
    }

    /// What it can be used for.
    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// Whether this key made the signature. Ask [`Key::fits`] first.
    pub fn verify(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        self.family == algorithm.family() && algorithm.verify(&self.public, input, signature)
    }

    /// A key without a name, of a public key file.
    pub fn from_public(public: PKey<Public>) -> Option<Self> {
        let family = family(&public)?;
        Some(Self { kid: None, algorithm: None, family, public, validity: None })
    }

    /// The key of a certificate, good for as long as that is.
    pub fn from_certificate(certificate: &X509Ref) -> Option<Self> {
        let validity = (time(certificate.not_before())?, time(certificate.not_after())?);
        let key = Self::from_public(certificate.public_key().ok()?)?;
        Some(Self { validity: Some(validity), ..key })
    }

    /// A key of a JWKS; `None` when it is not one that may verify tokens here.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        if !is_for_verifying(jwk) {
            return None;
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
        };
        let kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        let key = Self::from_public(public(jwk)?)?;
        let consistent = algorithm.is_none_or(|algorithm| algorithm.family() == key.family);
        consistent.then_some(Self { kid, algorithm, ..key })
    }
}

/// `use` and `key_ops` allow it, and it is not a private key that got published.
fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let purpose = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let operations = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    purpose && operations && !jwk.contains_key("d")
}

fn public(jwk: &Map<String, Value>) -> Option<PKey<Public>> {
    let text = |name: &str| jwk.get(name)?.as_str();
    let bytes = |name: &str| LENIENT.decode(text(name)?).ok();
    match (text("kty")?, text("crv")) {
        ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?).ok(),
        ("EC", Some("P-256")) => ec(Nid::X9_62_PRIME256V1, &bytes("x")?, &bytes("y")?).ok(),
        ("EC", Some("P-384")) => ec(Nid::SECP384R1, &bytes("x")?, &bytes("y")?).ok(),
        ("EC", Some("P-521")) => ec(Nid::SECP521R1, &bytes("x")?, &bytes("y")?).ok(),
        ("OKP", Some("Ed25519")) => PKey::public_key_from_raw_bytes(&bytes("x")?, Id::ED25519).ok(),
        _ => None,
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
}

fn ec(curve: Nid, x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y)?)
}

/// What the key can be used for; `None` when it is weak or of no use here.
fn family(public: &PKey<Public>) -> Option<Family> {
    match public.id() {
        Id::RSA => is_strong(&public.rsa().ok()?).then_some(Family::Rsa),
        Id::EC => {
            let key = public.ec_key().ok()?;
            key.check_key().ok()?;
            match key.group().curve_name()? {
                Nid::X9_62_PRIME256V1 => Some(Family::P256),
                Nid::SECP384R1 => Some(Family::P384),
                Nid::SECP521R1 => Some(Family::P521),
                _ => None,
            }
        }
        Id::ED25519 => (!is_of_small_order(&public.raw_public_key().ok()?)).then_some(Family::Ed25519),
        _ => None,
    }
}

/// Whether an Ed25519 key is one of the eight points under which anybody can make signatures, in whichever encoding; the sign does not
/// matter. RFC 8032 does not refuse them, nor does the library.
fn is_of_small_order(point: &[u8]) -> bool {
    const POINTS: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let last = point.len().saturating_sub(1);
    let y: String = point.iter().enumerate().map(|(at, byte)| format!("{:02x}", if at == last { byte & 0x7f } else { *byte })).collect();
    POINTS.contains(&y.as_str())
}

fn is_strong(key: &Rsa<Public>) -> bool {
    let (n, e) = (key.n(), key.e());
    let bits = n.num_bits();
    let exponent = e.is_odd() && e.num_bits() > 1 && e.num_bits() <= 64;
    (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) && n.is_odd() && exponent && !is_roca(n)
}

/// Whether the modulus has the shape that Infineon's library gave it, from which it can be factored (CVE-2017-15361): modulo
/// every small prime it is a power of 65537. One modulus in 2^27 has it by chance.
fn is_roca(n: &BigNumRef) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let prime = u64::from(*prime);
        let wanted = n.mod_word(u32::try_from(prime).unwrap_or(u32::MAX)).unwrap_or(0);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * 65_537 % prime;
            power == wanted
        })
    })
}

fn time(time: &Asn1TimeRef) -> Option<SystemTime> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    match u64::try_from(seconds) {
        Ok(after) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(after)),
        Err(_) => SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs())),
    }
}
