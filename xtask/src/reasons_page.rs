//! Every way in which a filter ends a request, on one page.

use tollgate_filter_api::{CauseKind, Kind};

use crate::{filter_page::reason_table, pages::Page};

/// The page.
pub fn page(kinds: &[Kind]) -> Page {
    let mut text =
        "<!-- Written by `cargo xtask docs` from the REASONS of every filter. Change them there. -->\n\n# Reasons\n\n".to_owned();
    text.push_str(
        "Why a filter ended a request. The ID is in the error document (`reason`), in the access log, and the label of the \
         metric; the code is the reference product's.\n\n",
    );
    text.push_str(
        "The access log also says why, and the client never learns of it: `cause` is one of these words, `detail` a sentence that names the \
         part of the request, what was seen and wanted as far as it is no secret, and the setting, declaration or RFC that decides.\n\n",
    );
    text.push_str("| cause | meaning |\n|---|---|\n");
    for kind in CauseKind::ALL {
        text.push_str(&format!("| `{}` | {} |\n", kind.name(), kind.help()));
    }
    for kind in kinds.iter().filter(|kind| !kind.reasons.is_empty()) {
        text.push_str(&format!("\n## [{0}](filters/{0}.md)\n\n", kind.id));
        reason_table(kind.reasons, &mut text);
    }
    Page { path: "docs/reference/reasons.md".into(), text }
}
