//! A new filter compiles and conforms before anyone wrote a line of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace").to_path_buf()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file can be copied");
        }
    }
}

/// The workspace's manifest without the gateway, so that what a filter needs can be built alone.
fn manifest_without_gateway(manifest: &str) -> String {
    let gone = ["[package]", "[lints]", "[dependencies]", "[dev-dependencies]", "[features]"];
    let mut keep = true;
    let mut text = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            // Nothing here is worth optimising.
            keep = !gone.contains(&line) && !line.starts_with("[[") && !line.starts_with("[profile");
        }
        match line {
            _ if !keep => {}
            _ if line.starts_with("members") => text.push_str("members = [\"crates/filter-testkit\", \"filters\"]\n"),
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// A copy of what a filter needs, in a folder of its own.
fn copy_of_workspace(name: &str) -> PathBuf {
    let (from, to) = (workspace(), Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    if to.exists() {
        fs::remove_dir_all(&to).expect("the last run's copy can be removed");
    }
    for folder in ["crates", "filters"] {
        copy(&from.join(folder), &to.join(folder));
    }
    fs::copy(from.join("Cargo.lock"), to.join("Cargo.lock")).expect("the lock file can be copied");
    fs::copy(from.join("rustfmt.toml"), to.join("rustfmt.toml")).expect("the style can be copied");
    let manifest = fs::read_to_string(from.join("Cargo.toml")).expect("the manifest can be read");
    fs::write(to.join("Cargo.toml"), manifest_without_gateway(&manifest)).expect("a manifest can be written");
    to
}

fn xtask(root: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).arg("--root").arg(root).output().expect("xtask can be run");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

fn cargo(root: &Path, arguments: &[&str]) {
    // A target folder of its own: Cargo cannot tell the copy's crates from the ones that were copied.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-filter-target");
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(arguments).current_dir(root).env("CARGO_TARGET_DIR", target).output().expect("cargo can be run");
    assert!(
        output.status.success(),
        "cargo {arguments:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_new_filter_compiles_conforms_and_is_listed_at_once() {
    let root = copy_of_workspace("new-filter");
    assert_eq!(xtask(&root, &["new-filter", "geo_fence"]).0, Some(0));
    let list = fs::read_to_string(root.join("filters/lib.rs")).expect("the catalogue is there");
    assert!(list.contains("    filter_geo_fence::KIND,\n];"), "{list}");
    cargo(&root, &["fmt", "--check", "-p", "filter-geo_fence", "-p", "tollgate-filters"]);
    cargo(&root, &["test", "--offline", "--quiet", "-p", "filter-geo_fence"]);
}

#[test]
fn a_filter_that_is_there_is_not_overwritten() {
    let root = copy_of_workspace("taken");
    let (code, text) = xtask(&root, &["new-filter", "cors"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("filters/cors is there already"), "{text}");
}

#[test]
fn a_page_that_differs_is_shown_with_the_command_that_mends_it() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    fs::create_dir_all(&root).expect("a folder can be made");
    assert_eq!(xtask(&root, &["docs"]).0, Some(0));
    assert_eq!(xtask(&root, &["docs", "--check"]), (Some(0), String::new()));
    let page = root.join("docs/reference/filters/cors.md");
    let text = fs::read_to_string(&page).expect("the page was written");
    fs::write(&page, text.replacen("# cors", "# korz", 1)).expect("the page can be changed");
    fs::write(root.join("docs/reference/filters/gone.md"), "").expect("a page can be added");
    let (code, said) = xtask(&root, &["docs", "--check"]);
    assert_eq!(code, Some(1));
    for part in ["-# korz\n+# cors", "filters/gone.md: nothing writes this page", "cargo xtask docs"] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(xtask(&root, &["docs"]).0, Some(0));
    assert_eq!(xtask(&root, &["docs", "--check"]).0, Some(0));
}
