//! Name and password of a request.

use base64::{Engine, engine::general_purpose::STANDARD};
use tollgate_filter_api::{Answer, Cause, CauseKind, HeaderName, NoCredential, RequestHead, Rule, Shown, behind_scheme};

use crate::reasons::{MALFORMED, MISSING, NO_COLON, SCHEME, TWO};

/// Longest credential that is looked at, encoded: some 4,000 bytes of name and password.
const LONGEST: usize = 5_500;

/// What says how a credential is written.
const FORM: Rule = Rule::Fixed("RFC 7617 §2");

/// A name and a password.
pub(crate) struct Credential(String, usize);

impl Credential {
    /// The one of that header: once, behind `Basic`, in strict base64, UTF-8 without control characters (RFC 7617 §2).
    pub(crate) fn of(req: &RequestHead, header: &HeaderName) -> Result<Self, Answer> {
        let encoded = behind_scheme(req, header, "Basic").map_err(absent)?;
        if encoded.len() > LONGEST {
            let cause = Cause::new(CauseKind::OverLimit, "credential", Rule::Fixed("the filter's own limit"));
            return Err(MALFORMED.because(cause.seen(Shown::Bytes(encoded.len() as u64)).wanted(Shown::Bytes(LONGEST as u64))));
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed("it is not base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(malformed("it holds control characters"));
        }
        let colon = text.find(':').ok_or_else(|| {
            let cause = Cause::new(CauseKind::Malformed, "credential", FORM);
            NO_COLON.because(cause.detail("there is no colon between name and password"))
        })?;
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

fn absent(why: NoCredential) -> Answer {
    match why {
        NoCredential::Missing => MISSING.because(Cause::new(CauseKind::Missing, "credential", Rule::demand())),
        NoCredential::OtherScheme => {
            let cause = Cause::new(CauseKind::NotAllowed, "authentication scheme", Rule::demand());
            SCHEME.because(cause.wanted("Basic"))
        }
        NoCredential::Twice => {
            let cause = Cause::new(CauseKind::Ambiguous, "credential", Rule::Fixed("RFC 9110 §11.6.2"));
            TWO.because(cause.detail("the header occurs more than once"))
        }
        NoCredential::Unreadable => malformed("the header is not printable ASCII"),
    }
}

fn malformed(detail: &'static str) -> Answer {
    MALFORMED.because(Cause::new(CauseKind::Malformed, "credential", FORM).detail(detail))
}
