//! Argon2, version 1.3, in the PHC string format.

use std::fmt;

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use openssl::{error::ErrorStack, kdf, rand::rand_bytes};
use subtle::ConstantTimeEq;

use crate::not_a_hash::NotAHash;

/// The PHC format has no padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Most memory of one comparison, in KiB: 1 GiB.
const MOST_MEMORY: u32 = 1 << 20;
/// Most passes, and most lanes.
const MOST_PASSES: u32 = 64;
const MOST_LANES: u32 = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    I,
    Id,
}

/// Parameters, salt and hash.
#[derive(Clone)]
pub(crate) struct Argon2 {
    variant: Variant,
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Argon2 {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAHash> {
        let wrong = NotAHash("expected $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH");
        let parts: Vec<&str> = text.split('$').collect();
        let ["", variant, "v=19", parameters, salt, hash] = parts[..] else { return Err(wrong) };
        let variant = match variant {
            "argon2id" => Variant::Id,
            "argon2i" => Variant::I,
            _ => return Err(wrong),
        };
        let mut numbers = parameters.split(',');
        let mut number = |name: &str| -> Option<u32> { numbers.next()?.strip_prefix(name)?.strip_prefix('=')?.parse().ok() };
        let (Some(memory), Some(passes), Some(lanes), None) = (number("m"), number("t"), number("p"), numbers.next()) else {
            return Err(wrong);
        };
        let bytes = |text: &str| BASE64.decode(text).map_err(|_| NotAHash("expected a salt and a hash in base64 without padding"));
        let made = Self { variant, memory, passes, lanes, salt: bytes(salt)?, hash: bytes(hash)? };
        made.check().map(|()| made)
    }

    fn check(&self) -> Result<(), NotAHash> {
        let within = |value: u32, most: u32| (1..=most).contains(&value);
        if !within(self.passes, MOST_PASSES) || !within(self.lanes, MOST_LANES) || !within(self.memory, MOST_MEMORY) {
            return Err(NotAHash("expected at most 1 GiB, 64 passes and 16 lanes, and at least one of each"));
        }
        if self.memory < 8 * self.lanes || !(8..=64).contains(&self.salt.len()) || !(16..=64).contains(&self.hash.len()) {
            return Err(NotAHash("expected 8 KiB a lane, a salt of 8 to 64 bytes and a hash of 16 to 64"));
        }
        Ok(())
    }

    /// A new one, with a fresh salt.
    pub(crate) fn make(password: &[u8]) -> Result<Self, ErrorStack> {
        let (mut salt, memory, passes) = (vec![0; 16], 19_456, 2);
        rand_bytes(&mut salt)?;
        let mut made = Self { variant: Variant::Id, memory, passes, lanes: 1, salt, hash: vec![0; 32] };
        made.hash = made.derive(password)?;
        Ok(made)
    }

    fn derive(&self, password: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut out = vec![0; self.hash.len()];
        let derive = if self.variant == Variant::Id { kdf::argon2id } else { kdf::argon2i };
        derive(None, password, &self.salt, None, None, self.passes, self.lanes, self.memory, &mut out)?;
        Ok(out)
    }

    /// Compares; an error of the library is no match.
    pub(crate) fn matches(&self, password: &[u8]) -> bool {
        self.derive(password).is_ok_and(|derived| derived.ct_eq(&self.hash).into())
    }

    /// What a comparison costs, in an order with others.
    pub(crate) fn cost(&self) -> u64 {
        u64::from(self.memory) * u64::from(self.passes)
    }
}

impl fmt::Display for Argon2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = if self.variant == Variant::Id { "argon2id" } else { "argon2i" };
        let (salt, hash) = (BASE64.encode(&self.salt), BASE64.encode(&self.hash));
        write!(f, "${variant}$v=19$m={},t={},p={}${salt}${hash}", self.memory, self.passes, self.lanes)
    }
}
