//! The page of the fields that only a proxy can know the value of.

use std::fmt::Write;

use super::GENERATED;
use crate::fields::{CERTIFICATES, FAMILIES, OWN};

/// The whole page.
pub(super) fn page() -> String {
    let mut page = format!("# Forwarding fields\n\n{GENERATED}\n\n{INTRODUCTION}\n\n");
    page.push_str("| what it tells | fields |\n|---|---|\n");
    for (what, names) in FAMILIES {
        let _ = writeln!(page, "| {what} | {} |", list(names));
    }
    let _ = write!(page, "\n{NEVER} {}, {}.\n\n{WRITTEN}\n", list(&OWN), list(&CERTIFICATES));
    page
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

const INTRODUCTION: &str = "\
Upstreams believe that a proxy before them wrote these fields. A client could pass for somebody else by them. The gateway takes them
away before the first filter runs, in every spelling: case does not count, and whatever is no letter or digit counts as a dash. A `*`
stands for any ending. What a filter writes under such a name reaches the upstream.

Two settings of `gateway.yaml` let them pass: `trusted_proxies`, from these addresses, and `forwarding.pass`, from everybody. A proxy
that is trusted must take away what its own clients write here. An upstream that believes a field of another name needs the
`headers` filter before it, to set or remove that field.";

const NEVER: &str = "Nothing lets these pass; another spelling of most of them is refused with 400:";

const WRITTEN: &str = "\
The gateway writes `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Request-Id` and `Via` itself. It continues the first
three where a trusted proxy sent them. `Via` gets `VERSION PSEUDONYM`, behind what it has; a request whose `Via` names the gateway
already is answered with 508 (`request.loop`). `Forwarded` (RFC 7239) is neither read nor written.";
