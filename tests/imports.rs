//! Who may import whom: the table of the design, held against the `use` lines and paths of the source.
//!
//! Cargo refuses cycles; what it cannot see is a folder of the gateway that reaches for what only its neighbour may touch.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A folder, and words that must not stand in its code as the first part of a path.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("crates/filter-api/src", &["tollgate_plan", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("crates/binding/src", &["tollgate_plan", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("crates/plan/src", &["tollgate_filter_api", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("crates/pem/src", &["tollgate_filter_api", "tollgate_plan", "tollgate_filters", "pingora", "tokio"]),
    ("crates/validation/src", &["tollgate_plan", "tollgate_document", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("crates/xml/src", &["tollgate_filter_api", "tollgate_plan", "tollgate_filters", "pingora", "tokio"]),
    ("crates/url/src", &["tollgate_filter_api", "tollgate_plan", "tollgate_filters", "pingora", "tokio"]),
    ("crates/counters/src", &["tollgate_filter_api", "tollgate_plan", "tollgate_filters", "pingora", "tokio"]),
    ("crates/traffic_manager/src", &["tollgate_filter_api", "tollgate_plan", "tollgate_filters", "pingora", "tokio"]),
    ("crates/document/src", &["tollgate_plan", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("crates/compiler/src", &["pingora", "tokio", "tollgate_filter_testkit"]),
    ("filters", &["tollgate_plan", "tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("src/config", &["pingora"]),
    ("src/routes", &["tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("src/chain", &["tollgate_compiler", "tollgate_filters", "pingora"]),
    ("src/upstreams", &["tollgate_compiler", "tollgate_filters", "pingora"]),
    ("src/stores", &["tollgate_compiler", "tollgate_filters", "pingora"]),
    ("src/admin", &["tollgate_compiler", "tollgate_filters", "pingora"]),
    ("src/telemetry", &["tollgate_compiler", "tollgate_filters", "pingora"]),
    ("src/judge", &["tollgate_compiler", "tollgate_filters", "pingora", "tokio"]),
    ("src/proxy", &["tollgate_compiler"]),
    ("src/cli", &["pingora"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(file: &Path) -> bool {
    let named = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"));
    // The repository itself may lie below a folder of that name.
    let below = file.strip_prefix(root()).unwrap();
    named || below.components().any(|part| part.as_os_str() == "tests")
}

/// Lines that are code, without what follows `//`.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    (1..).zip(text.lines()).map(|(n, line)| (n, line.split("//").next().unwrap_or_default().to_owned())).collect()
}

/// Whether a crate is named: as the head of a path, or alone in a `use`.
fn names(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + krate.len()..];
        let starts = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | ':' | '.' | '"'));
        starts && (after.starts_with("::") || (line.trim_start().starts_with("use ") && after.starts_with([';', ' ', ','])))
    })
}

#[test]
fn no_folder_imports_what_the_design_forbids_it() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for (folder, forbidden) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&root().join(folder), &mut files);
        for file in files {
            read += 1;
            // The catalogue's own list is the one place that may name filters; a test may build a world of its own.
            if is_test(&file) {
                continue;
            }
            for (number, line) in code(&file) {
                for krate in forbidden.iter().filter(|krate| names(&line, krate)) {
                    wrong.push(format!("{}:{number}: {krate}", file.display()));
                }
            }
        }
    }
    assert!(read > 50, "only {read} files were found");
    assert!(wrong.is_empty(), "these imports are not in the table of the design:\n{}", wrong.join("\n"));
}

#[test]
fn no_filter_imports_another() {
    let mut wrong = Vec::new();
    let folders: Vec<String> = fs::read_dir(root().join("filters"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(folders.len() >= 3, "filters were not found: {folders:?}");
    for folder in &folders {
        let manifest = fs::read_to_string(root().join("filters").join(folder).join("Cargo.toml")).unwrap();
        for other in folders.iter().filter(|other| *other != folder) {
            if manifest.lines().any(|line| line.starts_with(&format!("filter-{other}"))) {
                wrong.push(format!("{folder} depends on {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_crate_is_recognised_in_a_path_and_not_in_a_word() {
    assert!(names("use pingora::Error;", "pingora"));
    assert!(names("fn f(e: pingora::Error) {}", "pingora"));
    assert!(names("use pingora;", "pingora"));
    assert!(!names("let pingora_like = 1;", "pingora"));
    assert!(!names("self::tokio::x", "tokio"));
    assert!(!names("use crate::proxy::pingora::x;", "pingora"));
}

#[test]
fn nine_of_ten_files_are_short_enough_to_read() {
    let mut files = Vec::new();
    for folder in ["src", "crates", "filters", "xtask"] {
        sources(&root().join(folder), &mut files);
    }
    let mut lengths: Vec<usize> = files.iter().map(|file| fs::read_to_string(file).unwrap().lines().count()).collect();
    lengths.sort_unstable();
    let p90 = lengths[lengths.len() * 9 / 10];
    assert!(p90 <= 400, "the ninetieth percentile is {p90} lines");
}

/// Most source files of one folder, tests included.
const MOST_FILES: usize = 14;

#[test]
fn no_folder_holds_more_files_than_fit_one_look() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for krate in fs::read_dir(root().join("crates")).unwrap() {
        sources(&krate.unwrap().path().join("src"), &mut files);
    }
    assert!(files.len() > 200, "only {} files were found", files.len());
    let mut folders = BTreeMap::<PathBuf, usize>::new();
    for file in &files {
        *folders.entry(file.parent().unwrap().strip_prefix(root()).unwrap().to_owned()).or_default() += 1;
    }
    folders.retain(|_, count| *count > MOST_FILES);
    assert!(folders.is_empty(), "these folders hold more than {MOST_FILES} files: {folders:?}");
}

/// Which modules of `src/` each of them may name, by the table of the design.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows = page.lines().skip_while(|line| *line != "| module of `src/` | may name |").skip(2);
    let quoted = |cell: &str| -> BTreeSet<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            (quoted(cells[1]).pop_first().unwrap(), quoted(cells[2]))
        })
        .collect()
}

/// The modules that a source names behind `crate::`, alone or in braces.
fn modules(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in source.match_indices("crate::") {
        if source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &source[at + "crate::".len()..];
        let Some(inner) = rest.strip_prefix('{') else {
            found.extend(word(rest));
            continue;
        };
        let mut depth = 0;
        for item in inner.split_inclusive(['{', '}', ',']) {
            if depth == 0 {
                found.extend(word(item));
            }
            match item.chars().next_back() {
                Some('{') => depth += 1,
                Some('}') if depth == 0 => break,
                Some('}') => depth -= 1,
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn no_module_of_the_gateway_names_one_that_the_table_does_not_give_it() {
    let table = table();
    let mut wrong = Vec::new();
    let mut named = 0;
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for module in lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')) {
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("`{module}` is not in the table"));
            continue;
        };
        let mut files = vec![root().join(format!("src/{module}.rs"))];
        sources(&root().join("src").join(module), &mut files);
        for file in files.iter().filter(|file| file.is_file() && !is_test(file)) {
            let code: Vec<String> = code(file).into_iter().map(|(_, line)| line).collect();
            for other in modules(&code.join("\n")) {
                named += 1;
                if other != module && !allowed.contains(&other) {
                    wrong.push(format!("{} names `{other}`", file.display()));
                }
            }
        }
    }
    assert!(named > 50, "only {named} names were found");
    assert!(wrong.is_empty(), "the table of docs/ARCHITECTURE.md does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn modules_are_found_alone_and_in_braces() {
    let found = modules("use crate::{chain::{self, Run}, config,\n telemetry::Line};\nlet x = crate::proxy::METRICS; mycrate::no::x");
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["chain", "config", "proxy", "telemetry"]);
}

#[test]
fn what_becomes_of_a_request_is_decided_without_a_session_and_without_tls() {
    let mut files = Vec::new();
    sources(&root().join("src/judge"), &mut files);
    assert!(files.len() > 4, "{files:?}");
    for file in files.iter().filter(|file| !is_test(file)) {
        let lines = code(file);
        let tests = lines.iter().position(|(_, line)| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
        for (number, line) in &lines[..tests] {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            let mut words = words.filter(|word| matches!(*word, "Session" | "openssl" | "tls" | "Instant" | "SystemTime"));
            assert_eq!(words.next(), None, "{}:{number}", file.display());
            assert!(!line.contains("log::"), "{}:{number}", file.display());
        }
    }
}

/// What the catalogue calls its filters. `cookie` is also the name of a field, so that its word says nothing.
fn catalogue() -> Vec<String> {
    let entries = fs::read_dir(root().join("filters")).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != "cookie").collect()
}

/// The gateway knows filters by their contract. The command line writes samples that name them.
#[test]
fn no_filter_of_the_catalogue_is_named_in_the_gateway() {
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    sources(&root().join("src"), &mut files);
    files.retain(|file| !file.strip_prefix(root().join("src")).unwrap().starts_with("cli"));
    files.retain(|file| !is_test(file));
    let ids = catalogue();
    assert!(ids.len() > 10 && files.len() > 80, "{} filters, {} files", ids.len(), files.len());
    for file in &files {
        let lines = code(file);
        let tests = lines.iter().position(|(_, line)| line.trim() == "#[cfg(test)]").unwrap_or(lines.len());
        // A feature of Cargo may have a filter's name.
        for (number, line) in lines[..tests].iter().filter(|(_, line)| !line.trim_start().starts_with("#[cfg(")) {
            let named = ids.iter().filter(|id| line.contains(&format!("\"{id}\"")));
            wrong.extend(named.map(|id| format!("{}:{number}: {id}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
