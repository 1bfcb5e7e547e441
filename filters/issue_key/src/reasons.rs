//! Every way in which the filter ends a request.

use tollgate_filter_api::{Reason, Reply};

pub(crate) const ISSUED: Reply = Reply::new("issue_key.issued", 200, "A key was issued", "The body is the key.");
pub(crate) const ANONYMOUS: Reason = Reason::refused(
    "issue_key.anonymous",
    403,
    0,
    "Keys are issued to known callers only",
    "The operation lets anybody in. Ask for a credential in the definition.",
);
pub(crate) const KEY: Reason = Reason::refused(
    "issue_key.key",
    403,
    0,
    "No key is issued for a key",
    "The caller showed an API key. One that leaked could be changed for others for ever, and revoking it would be of no use.",
);
pub(crate) const PLAIN: Reason = Reason::refused(
    "issue_key.plain_http",
    403,
    0,
    "Keys are issued over encrypted connections only",
    "The connection is not encrypted, and `plain_http` is not set.",
);
pub(crate) const BODY: Reason = Reason::refused(
    "issue_key.body",
    400,
    0,
    "The body is not one that this operation understands",
    "Expected nothing, or `{\"validityTime\": SECONDS}` with a whole number.",
);
pub(crate) const ALL: &[Reason] = &[*ISSUED.reason(), ANONYMOUS, KEY, PLAIN, BODY];
