//! Where guests come from, and how they are built so that the bytes do not depend on the folder they are built in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{failure, language::Language, output};

const TARGET: &str = "wasm32-wasip1";

/// Guests that are built together.
#[derive(Debug)]
pub struct Source {
    /// The name of its scratch folder.
    pub name: &'static str,
    pub language: Language,
    /// The folder where they are committed.
    pub built: &'static str,
    /// Their names, without `.wasm`.
    pub guests: &'static [&'static str],
    /// Builds them: itself, the workspace's folder, and a folder for what comes up meanwhile.
    pub build: fn(&Self, &Path, &Path) -> Result<Vec<Module>, String>,
}

/// A name and what was built.
pub type Module = (&'static str, Vec<u8>);

const GUESTS: &str = "tests/guests";
const BUILT: &str = "tests/guests/built";
const RUST_GUESTS: &[&str] = &["authorize", "body", "configuration", "headers", "panics", "stream"];

/// All of them. The templates of `tollgate init --interceptor` are guests too.
pub static SOURCES: [Source; 5] = [
    Source { name: "rust", language: Language::Rust, built: BUILT, guests: RUST_GUESTS, build: rust_guests },
    Source { name: "jq", language: Language::Rust, built: "crates/jq/guest/built", guests: &["jq"], build: jq },
    template("template_rust", Language::Rust, &["template_rust"]),
    template("template_c", Language::C, &["template_c"]),
    template("template_assemblyscript", Language::AssemblyScript, &["template_assemblyscript"]),
];

const fn template(name: &'static str, language: Language, guests: &'static [&'static str]) -> Source {
    Source { name, language, built: BUILT, guests, build: build_template }
}

fn rust_guests(source: &Source, root: &Path, scratch: &Path) -> Result<Vec<Module>, String> {
    cargo(&root.join(GUESTS), scratch, &["--examples"])?;
    modules(source, &scratch.join(TARGET).join("release/examples"))
}

/// The interpreter that `crates/jq` runs.
fn jq(source: &Source, root: &Path, scratch: &Path) -> Result<Vec<Module>, String> {
    cargo(&root.join("crates/jq/guest"), scratch, &["--lib"])?;
    modules(source, &scratch.join(TARGET).join("release"))
}

fn cargo(folder: &Path, scratch: &Path, what: &[&str]) -> Result<(), String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "--release", "--target", TARGET, "--target-dir"]).arg(scratch).args(what);
    output(cargo.current_dir(folder).env("RUSTFLAGS", remapped(folder)?)).map(drop)
}

fn modules(source: &Source, folder: &Path) -> Result<Vec<Module>, String> {
    source.guests.iter().map(|name| Ok((*name, read(&folder.join(format!("{name}.wasm")))?))).collect()
}

/// A template as `tollgate init` writes it, built as its user builds it.
fn build_template(source: &Source, root: &Path, scratch: &Path) -> Result<Vec<Module>, String> {
    let from = root.join("src/cli/templates/interceptor").join(source.language.name());
    let folder = scratch.join(source.name);
    for file in files(&from)? {
        let text = String::from_utf8(read(&from.join(&file))?).map_err(|error| format!("{}: {error}", file.display()))?;
        let to = folder.join(written(&file));
        let parent = to.parent().unwrap_or(&folder);
        let text = text.replace("NAME", source.name);
        fs::create_dir_all(parent).and_then(|()| fs::write(&to, text)).map_err(|error| failure(&to, &error))?;
    }
    // A user's project has a lock file of its own; here the versions must not move.
    let lock = root.join(GUESTS).join("Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).map_err(|error| failure(&lock, &error))?;
    output(Command::new("sh").arg(folder.join("build.sh")).env("RUSTFLAGS", remapped(&folder)?))?;
    modules(source, scratch)
}

/// Where `tollgate init` writes a file of a template.
fn written(file: &Path) -> PathBuf {
    match file.to_str() {
        Some("Cargo.toml.in") => "Cargo.toml".into(),
        Some("lib.rs") => "src/lib.rs".into(),
        _ => file.to_owned(),
    }
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| failure(folder, &error))?;
    let names = entries.map(|entry| entry.map(|entry| PathBuf::from(entry.file_name())));
    let mut names = names.collect::<Result<Vec<_>, _>>().map_err(|error| failure(folder, &error))?;
    names.retain(|name| folder.join(name).is_file());
    names.sort();
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| failure(path, &error))
}

/// Flags that keep folders of this machine out of the texts of panics, which end up in the module.
fn remapped(folder: &Path) -> Result<String, String> {
    let home = std::env::var_os("HOME").map(PathBuf::from).ok_or("HOME is not set")?;
    let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let mut flags = vec![format!("--remap-path-prefix={}=guest", folder.display())];
    let registries = cargo.join("registry/src");
    // The folder's name tells the registry's host. Before the first build there is none, and then cargo makes it.
    if let Ok(entries) = fs::read_dir(&registries) {
        let folders = entries.flatten().map(|entry| format!("--remap-path-prefix={}=crates", entry.path().display()));
        flags.extend(folders);
    }
    if flags.iter().any(|flag| flag.contains(' ')) {
        return Err("a folder with a space in its name cannot be given to rustc".to_owned());
    }
    Ok(flags.join(" "))
}
