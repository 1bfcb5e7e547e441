//! A session as text: sealed with AES-256-GCM, so that nobody without the key can read or make one.
//!
//! base64url of: version (1 byte), nonce (12), sealed (end of the session in seconds since 1970, CSRF token, bearer token), tag (16).
//! The version and the cookie's name are authenticated with it, so a value cannot serve under another name. Nonces are random:
//! NIST SP 800-38D §8.3 allows 2^32 sessions for each key, a thousand a second for seven weeks. There is no list of sessions:
//! one that was sealed is good until its end, or until its key or its token goes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    pkey::PKey,
    rand::rand_bytes,
    sign::Signer,
    symm::{Cipher, decrypt_aead, encrypt_aead},
};
use tollgate_filter_api::Secret;

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
const END: usize = 8;
const CSRF: usize = 16;
/// What a session has besides its token, sealed.
const OVERHEAD: usize = 1 + NONCE + END + CSRF + TAG;
/// Keeps these keys apart from whatever else is made of the same text.
const PURPOSE: &[u8] = b"tollgate cookie session 1";

/// What a session cookie holds.
pub(crate) struct Session {
    /// When it ends, in seconds since 1970.
    pub ends: u64,
    /// What a page shows to prove that it can read this session's cookie.
    pub csrf: [u8; CSRF],
    /// The bearer token.
    pub token: String,
}

impl Session {
    /// A session with a CSRF token of its own.
    ///
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn new(token: &str, ends: u64) -> Result<Self, ErrorStack> {
        let mut csrf = [0; CSRF];
        rand_bytes(&mut csrf)?;
        Ok(Self { ends, csrf, token: token.to_owned() })
    }

    /// The CSRF token as pages know it.
    pub(crate) fn csrf_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.csrf)
    }

    /// Whether that is this session's CSRF token. Takes the same time wherever the difference is.
    pub(crate) fn is_csrf(&self, shown: &[u8]) -> bool {
        Secret::new(self.csrf_text()).matches(shown)
    }
}

/// The keys, and the name that sessions are bound to.
pub(crate) struct Seal {
    keys: Vec<[u8; 32]>,
    bound: Vec<u8>,
}

impl Seal {
    /// Seals with the first key, opens with each.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub(crate) fn new(secrets: &[Secret], name: &str) -> Result<Self, ErrorStack> {
        let keys = secrets.iter().map(derived).collect::<Result<_, _>>()?;
        Ok(Self { keys, bound: [&[VERSION], name.as_bytes()].concat() })
    }

    /// Length of a session with a token of that length.
    pub(crate) fn length(token: usize) -> usize {
        ((OVERHEAD + token) * 4).div_ceil(3)
    }

    /// `None` when there is no key to seal with.
    ///
    /// # Errors
    /// When the cryptography fails.
    pub(crate) fn seal(&self, session: &Session) -> Result<Option<String>, ErrorStack> {
        let Some(key) = self.keys.first() else { return Ok(None) };
        let (mut nonce, mut tag) = ([0; NONCE], [0; TAG]);
        rand_bytes(&mut nonce)?;
        let plain = [&session.ends.to_be_bytes()[..], &session.csrf, session.token.as_bytes()].concat();
        let sealed = encrypt_aead(Cipher::aes_256_gcm(), key, Some(&nonce), &self.bound, &plain, &mut tag)?;
        Ok(Some(URL_SAFE_NO_PAD.encode([&[VERSION][..], &nonce, &sealed, &tag].concat())))
    }

    /// What a cookie holds; `None` when no key of ours sealed it, under this name, as it is.
    pub(crate) fn open(&self, text: &[u8]) -> Option<Session> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (nonce, rest) = rest.split_at_checked(NONCE)?;
        let (sealed, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        if *version != VERSION {
            return None;
        }
        let opened = |key| decrypt_aead(Cipher::aes_256_gcm(), key, Some(nonce), &self.bound, sealed, tag).ok();
        parse(&self.keys.iter().find_map(|key| opened(key))?)
    }
}

/// One key for one purpose. The secret is random and long, so one step of a PRF is enough (NIST SP 800-108).
fn derived(secret: &Secret) -> Result<[u8; 32], ErrorStack> {
    let key = PKey::hmac(secret.expose().as_bytes())?;
    let mut key_of = [0; 32];
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot(&mut key_of, PURPOSE)?;
    Ok(key_of)
}

fn parse(plain: &[u8]) -> Option<Session> {
    let (ends, rest) = plain.split_first_chunk()?;
    let (csrf, token) = rest.split_first_chunk()?;
    let token = str::from_utf8(token).ok()?.to_owned();
    Some(Session { ends: u64::from_be_bytes(*ends), csrf: *csrf, token })
}
