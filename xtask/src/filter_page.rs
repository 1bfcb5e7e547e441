//! The manual page of one filter, and the page that lists them.

use std::fmt::Write;

use serde_json::Value;
use tollgate_filter_api::{Kind, Meaning, Posture, Reason};
use tollgate_filter_testkit::{CaseFile, Expected, OptionDoc, options};

use crate::pages::Page;

const FOLDER: &str = "docs/reference/filters";

/// The page of a filter.
///
/// # Errors
/// When one of its cases cannot be read.
pub fn page(kind: &Kind) -> Result<Page, String> {
    let id = kind.id;
    let mut text = format!("<!-- Written by `cargo xtask docs` from filters/{id}. Change it there. -->\n\n# {id}\n\n");
    summary(kind, &mut text);
    let prose = kind.readme.split_once('\n').map_or("", |(_, prose)| prose);
    let _ = writeln!(text, "\n{}", prose.trim());
    option_table(&options(kind), &mut text);
    text.push_str("\n## Reasons\n\n");
    reason_table(kind.reasons, &mut text);
    metric_table(kind, &mut text);
    cases(kind, &mut text)?;
    Ok(Page { path: format!("{FOLDER}/{id}.md"), text })
}

/// The page that lists every filter.
pub fn index(kinds: &[Kind]) -> Page {
    let mut text = "<!-- Written by `cargo xtask docs` from filters/lib.rs. Change it there. -->\n\n# Filters\n\n".to_owned();
    text.push_str("In the order in which they stand in a chain that `gateway.yaml` does not order.\n\n");
    text.push_str("| filter | needs | gives | what it is for |\n|---|---|---|---|\n");
    for kind in kinds {
        let purpose = kind.readme.split("## What it is for").nth(1).and_then(|rest| rest.split("\n## ").next());
        let sentence = purpose.and_then(|purpose| purpose.trim().split("\n\n").next()).unwrap_or_default();
        let (id, needs, gives) = (kind.id, names(kind.needs), names(kind.gives));
        let _ = writeln!(text, "| [{id}]({id}.md) | {needs} | {gives} | {} |", cell(sentence));
    }
    Page { path: format!("{FOLDER}/README.md"), text }
}

fn summary(kind: &Kind, text: &mut String) {
    let posture = match kind.posture {
        Posture::Hardened => "hardened: fit for clients and upstreams that nobody trusts",
        Posture::Unknown => "not examined: unfit for untrusted input",
    };
    text.push_str("| | |\n|---|---|\n");
    for (key, value) in [("posture", posture), ("needs", &names(kind.needs)), ("gives", &names(kind.gives))] {
        let _ = writeln!(text, "| {key} | {value} |");
    }
}

fn names(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") }
}

fn option_table(options: &[OptionDoc], text: &mut String) {
    text.push_str("\n## Options\n\n");
    text.push_str("`[]` stands for each item of a list, `*` for each key of a map. Unknown keys are refused.\n\n");
    text.push_str("| option | value | default | meaning |\n|---|---|---|---|\n");
    for option in options {
        let default = match &option.default {
            _ if option.required => "required".to_owned(),
            Some(default) => format!("`{}`", flow(default)),
            None => "absent".to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {} | {} | {} |", option.path, cell(&option.kind), cell(&default), cell(&option.description));
    }
}

/// A value as YAML's flow style writes it, without quotes where none are needed.
fn flow(value: &Value) -> String {
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    match value {
        Value::String(text) if plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if !members.is_empty() => {
            let members: Vec<_> =
                members.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// The table of some reasons.
pub fn reason_table(reasons: &[Reason], text: &mut String) {
    if reasons.is_empty() {
        text.push_str("It ends no request.\n");
        return;
    }
    text.push_str("| reason | status | code | outcome | what the client reads | when, and what to do |\n|---|---|---|---|---|---|\n");
    for reason in reasons {
        let meaning = match reason.meaning {
            Meaning::Absent => "no such credential",
            Meaning::Insufficient => "not enough",
            Meaning::Refused => "refused",
            Meaning::Reply => "answered",
        };
        let code = if reason.code == 0 { String::new() } else { reason.code.to_string() };
        let (id, status, title, help) = (reason.id, reason.status, cell(reason.title), cell(reason.help));
        let _ = writeln!(text, "| `{id}` | {status} | {code} | {meaning} | {title} | {help} |");
    }
}

fn metric_table(kind: &Kind, text: &mut String) {
    text.push_str("\n## Metrics\n\n");
    if kind.metrics.is_empty() {
        text.push_str("None of its own; each reason is counted by the gateway.\n");
        return;
    }
    text.push_str("| series | meaning |\n|---|---|\n");
    for metric in kind.metrics {
        let _ = writeln!(text, "| `{}` | {} |", metric.name, cell(metric.help));
    }
}

fn cases(kind: &Kind, text: &mut String) -> Result<(), String> {
    text.push_str("\n## Cases\n\nEach of them is a test. `{{…}}` stands for what the test makes when it runs.\n");
    for (name, yaml) in kind.cases {
        let file = CaseFile::parse(name, yaml)?;
        let _ = writeln!(text, "\n### {}\n", file.about);
        for case in &file.cases {
            let _ = writeln!(text, "- {}: {}", case.name, outcome(&case.expect));
        }
        let _ = writeln!(text, "\n```yaml\n{}\n```", yaml.trim());
    }
    Ok(())
}

fn outcome(expected: &Expected) -> String {
    match expected {
        Expected::Pass(_) => "passes".into(),
        Expected::Refused(refused) => format!("refused, `{}`", refused.reason),
        Expected::Reply(reply) => format!("answered, `{}`", reply.reason),
        Expected::Fault(fault) => format!("cannot decide, `{fault}`"),
    }
}

/// Text that fits into a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_has_every_option_and_reason_of_its_filter() {
        for kind in tollgate_filters::FILTERS {
            let page = page(kind).expect("the cases can be read").text;
            for option in options(kind) {
                assert!(page.contains(&format!("| `{}` |", option.path)), "{} {}", kind.id, option.path);
            }
            for reason in kind.reasons {
                assert!(page.contains(&format!("| `{}` | {} |", reason.id, reason.status)), "{}", reason.id);
            }
        }
    }

    #[test]
    fn a_default_is_written_as_one_would_write_it() {
        assert_eq!(flow(&json!("30s")), "30s");
        assert_eq!(flow(&json!(["a b", "c"])), "[\"a b\", c]");
        assert_eq!(flow(&json!({"a": {"b": [], "c": null}})), "{ a: { b: [] } }");
    }

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cell("a |\n b"), "a \\| b");
    }
}
