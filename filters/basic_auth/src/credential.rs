//! Name and password of a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use tollgate_filter_api::{HeaderName, NoCredential, Reason, RequestHead, behind_scheme};

use crate::reasons::{MALFORMED, MISSING, NO_COLON, SCHEME, TWO};

/// Longest credential that is looked at, encoded: some 4,000 bytes of name and password.
const LONGEST: usize = 5_500;

/// A name and a password.
pub(crate) struct Credential(String, usize);

impl Credential {
    /// The one of that header: once, behind `Basic`, in strict base64, UTF-8 without control characters (RFC 7617 §2).
    pub(crate) fn of(req: &RequestHead, header: &HeaderName) -> Result<Self, &'static Reason> {
        let encoded = behind_scheme(req, header, "Basic").map_err(|why| match why {
            NoCredential::Missing => &MISSING,
            NoCredential::OtherScheme => &SCHEME,
            NoCredential::Twice => &TWO,
            NoCredential::Unreadable => &MALFORMED,
        })?;
        if encoded.len() > LONGEST {
            return Err(&MALFORMED);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| &MALFORMED)?;
        let text = String::from_utf8(bytes).map_err(|_| &MALFORMED)?;
        if text.chars().any(char::is_control) {
            return Err(&MALFORMED);
        }
        let colon = text.find(':').ok_or(&NO_COLON)?;
        Ok(Self(text, colon))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0[..self.1]
    }

    pub(crate) fn password(&self) -> &str {
        &self.0[self.1 + 1..]
    }

    /// Both; the colon tells them apart, as a name holds none.
    pub(crate) fn whole(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
