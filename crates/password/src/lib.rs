//! Passwords that are stored as hashes: Argon2 (RFC 9106), bcrypt, and the plain digests of the reference product.
//!
//! Pure but for the random salt. Does **not** protect a list of hashes that was stolen when they are plain digests
//! ([`Hash::is_weak`]) or the passwords can be guessed.

mod argon2;
mod hash;
mod not_a_hash;

pub use hash::Hash;
pub use not_a_hash::NotAHash;

/// A hash for a new password: Argon2id with a fresh salt and the parameters that OWASP recommends (19 MiB, 2 passes, 1 lane).
///
/// # Errors
/// When there are no random bytes or no memory.
pub fn hash(password: &str) -> Result<String, openssl::error::ErrorStack> {
    argon2::Argon2::make(password.as_bytes()).map(|made| made.to_string())
}

/// What is wrong with a password that is to be set; `None` when it can be used in HTTP (RFC 7617 §2).
pub fn objection(password: &str) -> Option<&'static str> {
    if password.is_empty() {
        Some("it is empty")
    } else if password.chars().any(char::is_control) {
        Some("it holds control characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::objection;

    #[test]
    fn a_password_is_something_that_http_can_carry() {
        for good in ["a", " ", "päss wörd:", "\u{a0}"] {
            assert_eq!(objection(good), None, "{good:?}");
        }
        for bad in ["", "a\nb", "\0", "a\u{7f}", "\u{85}"] {
            assert!(objection(bad).is_some(), "{bad:?}");
        }
    }
}
