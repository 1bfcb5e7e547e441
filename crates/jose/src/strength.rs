//! Which public keys are of a kind that is used here, and strong enough.

use openssl::{
    bn::BigNumRef,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
};

use crate::{algorithm::Family, unusable::Unusable};

/// Below, RSA is forbidden (RFC 7518 §3.3).
const MIN_RSA_BITS: i32 = 2048;
/// Above, one check costs so much that few requests stop the gateway.
const MAX_RSA_BITS: i32 = 8192;

/// What the key can be used for.
pub(crate) fn family(public: &PKey<Public>) -> Result<Family, Unusable> {
    match public.id() {
        Id::RSA => {
            let key = public.rsa().map_err(|_| Unusable::Kind)?;
            if is_strong(&key) { Ok(Family::Rsa) } else { Err(Unusable::Strength) }
        }
        Id::EC => {
            let key = public.ec_key().map_err(|_| Unusable::Kind)?;
            key.check_key().map_err(|_| Unusable::Strength)?;
            match key.group().curve_name() {
                Some(Nid::X9_62_PRIME256V1) => Ok(Family::P256),
                Some(Nid::SECP384R1) => Ok(Family::P384),
                Some(Nid::SECP521R1) => Ok(Family::P521),
                _ => Err(Unusable::Kind),
            }
        }
        Id::ED25519 => match public.raw_public_key() {
            Ok(point) if !is_of_small_order(&point) => Ok(Family::Ed25519),
            _ => Err(Unusable::Strength),
        },
        _ => Err(Unusable::Kind),
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
    let mut y = point.to_vec();
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    POINTS.contains(&hex::encode(y).as_str())
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
