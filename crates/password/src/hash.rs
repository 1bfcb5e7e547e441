//! One stored hash, whatever its kind.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::hash::{MessageDigest, hash};
use subtle::ConstantTimeEq;

use crate::{argon2::Argon2, not_a_hash::NotAHash};

/// Costliest bcrypt: some seconds.
const MOST_BCRYPT: u32 = 16;

/// A stored hash. It is not shown: who has it can guess at leisure.
#[derive(Clone)]
pub struct Hash(Kind);

#[derive(Clone)]
enum Kind {
    Argon2(Argon2),
    Bcrypt { text: String, cost: u32 },
    Digest(MessageDigest, Vec<u8>),
}

impl Hash {
    /// Reads `$argon2id$…`, `$argon2i$…`, `$2b$…` (also `2a`, `2y`), the reference product's `@sha256:{HEX}`, `@sha384:{HEX}`,
    /// `@sha512:{HEX}`, or a SHA-1 of 40 hexadecimal digits or, as in htpasswd files, of `{SHA}` and base64.
    ///
    /// # Errors
    /// When it is none of them, a password in plain text above all.
    pub fn parse(text: &str) -> Result<Self, NotAHash> {
        if text.starts_with("$argon2") {
            return Argon2::parse(text).map(|argon2| Self(Kind::Argon2(argon2)));
        }
        if text.starts_with("$2") {
            return bcrypt(text);
        }
        let digest = |digest: MessageDigest, digits: &str| {
            let bytes = hex::decode(digits).ok().filter(|bytes| bytes.len() == digest.size());
            bytes.map(|bytes| Self(Kind::Digest(digest, bytes))).ok_or(NotAHash("expected as many hexadecimal digits as the digest has"))
        };
        if let Some(sha1) = text.strip_prefix("{SHA}") {
            let bytes = STANDARD.decode(sha1).map_err(|_| NotAHash("expected base64 behind {SHA}"))?;
            return digest(MessageDigest::sha1(), &hex::encode(bytes));
        }
        let reference = |name: &str| text.strip_prefix(name)?.strip_prefix(":{")?.strip_suffix('}');
        if let Some(digits) = reference("@sha256") {
            digest(MessageDigest::sha256(), digits)
        } else if let Some(digits) = reference("@sha384") {
            digest(MessageDigest::sha384(), digits)
        } else if let Some(digits) = reference("@sha512") {
            digest(MessageDigest::sha512(), digits)
        } else if text.len() == 40 && hex::decode(text).is_ok() {
            digest(MessageDigest::sha1(), text)
        } else {
            Err(NotAHash("expected a hash: $argon2id$…, $2b$…, @sha256:{…}, @sha384:{…}, @sha512:{…} or 40 hexadecimal digits of SHA-1"))
        }
    }

    /// Compares in a time that does not depend on where a difference is. For [slow](Self::is_slow) ones that is the better
    /// part of a second.
    pub fn matches(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Argon2(argon2) => argon2.matches(password),
            Kind::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
            Kind::Digest(digest, bytes) => hash(*digest, password).is_ok_and(|found| found.ct_eq(bytes).into()),
        }
    }

    /// Whether a comparison should not be made by a thread that serves requests.
    pub fn is_slow(&self) -> bool {
        !self.is_weak()
    }

    /// Whether passwords can be guessed fast by who has it: a plain digest.
    pub fn is_weak(&self) -> bool {
        matches!(self.0, Kind::Digest(..))
    }

    /// What a comparison costs, about, in an order with others.
    pub fn cost(&self) -> u64 {
        match &self.0 {
            Kind::Argon2(argon2) => argon2.cost(),
            // A step of cost 10 takes about as long as 32 MiB of Argon2.
            Kind::Bcrypt { cost, .. } => 32 << cost,
            Kind::Digest(..) => 0,
        }
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(***)")
    }
}

fn bcrypt(text: &str) -> Result<Hash, NotAHash> {
    let wrong = NotAHash("expected $2b$COST$ and 53 characters of salt and hash, with a cost of 4 to 16");
    let ["", "2a" | "2b" | "2y", cost, rest] = text.split('$').collect::<Vec<_>>()[..] else { return Err(wrong) };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"./".contains(&byte);
    let cost = cost.parse().ok().filter(|cost| cost_is_written_so(text, *cost) && (4..=MOST_BCRYPT).contains(cost));
    match cost {
        Some(cost) if rest.len() == 53 && rest.bytes().all(legal) => Ok(Hash(Kind::Bcrypt { text: text.to_owned(), cost })),
        _ => Err(wrong),
    }
}

/// Two digits.
fn cost_is_written_so(text: &str, cost: u32) -> bool {
    text.get(4..6).is_some_and(|digits| digits == format!("{cost:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the reference implementation's tests, `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    const ARGON2ID: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    /// Of OpenBSD's tests: `U*U`.
    const BCRYPT: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    const SHA1: &str = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8";
    const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";
    const SHA256: &str = "@sha256:{5E884898DA28047151D0E56F8DC6292773603D0D6AABBDD62A11EF721D1542D8}";

    #[test]
    fn known_hashes_match_their_password_and_no_other() {
        for (hash, password) in [(ARGON2ID, "password"), (BCRYPT, "U*U"), (SHA1, "password"), (SHA, "password"), (SHA256, "password")] {
            let hash = Hash::parse(hash).unwrap();
            assert!(hash.matches(password.as_bytes()));
            for wrong in ["Password", "", "password\0", "U*U*"] {
                assert!(!hash.matches(wrong.as_bytes()), "{wrong}");
            }
        }
    }

    #[test]
    fn a_hash_that_was_made_matches_and_is_another_each_time() {
        let (one, other) = (crate::hash("päss wörd").unwrap(), crate::hash("päss wörd").unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(Hash::parse(&one).unwrap().matches("päss wörd".as_bytes()));
        assert!(Hash::parse(&other).unwrap().matches("päss wörd".as_bytes()));
    }

    #[test]
    fn only_plain_digests_are_weak_and_the_slow_ones_have_a_cost() {
        let of = |text: &str| Hash::parse(text).map(|hash| (hash.is_weak(), hash.is_slow(), hash.cost() > 0)).unwrap();
        assert_eq!(of(ARGON2ID), (false, true, true));
        assert_eq!(of(BCRYPT), (false, true, true));
        assert_eq!(of(SHA1), (true, false, false));
        let cost = |text: &str| Hash::parse(text).unwrap().cost();
        let (half_the_memory, one_pass) = (ARGON2ID.replace("m=65536", "m=32768"), ARGON2ID.replace("t=2", "t=1"));
        assert!(cost(ARGON2ID) > cost(&half_the_memory) && cost(ARGON2ID) > cost(&one_pass) && cost(ARGON2ID) > cost(BCRYPT));
        assert!(cost(&BCRYPT.replace("$05$", "$06$")) > cost(BCRYPT));
    }

    #[test]
    fn a_hash_that_the_library_cannot_read_matches_nothing() {
        // The last character of the salt has bits that no salt has.
        let odd = Hash::parse(&BCRYPT.replace("CCC.E5", "CCCCE5"));
        assert!(odd.is_ok_and(|hash| !hash.matches(b"U*U") && !hash.matches(b"")));
    }

    #[test]
    fn several_lanes_and_the_older_variant_are_understood() {
        let of_lanes = "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
        assert!(Hash::parse(of_lanes).unwrap().matches(b"password"));
        let older = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";
        assert!(Hash::parse(older).unwrap().matches(b"password"));
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_repeated() {
        let bad = [
            "hunter2",
            "",
            "$argon2id$hunter2",
            "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1,x=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=2,p=1$c2Fs$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2d$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMa",
            "$argon2id$v=19$m=65536,t=2,p=17$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=15,t=2,p=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=65536,t=65,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$2b$05$short",
            "{SHA}",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g",
            "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mjw==",
            "{sha}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
            "$2b$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$+5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe!",
            "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68f",
            "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "@sha256:{5e88}",
            "@sha256:5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            "@md5:{5f4dcc3b5aa765d61d8327deb882cf99}",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68fdz",
        ];
        for text in bad {
            let error = Hash::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert_eq!(format!("{:?}", Hash::parse(SHA1).unwrap()), "Hash(***)");
    }
}
