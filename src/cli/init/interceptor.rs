//! `tollgate init --interceptor`: the sources of a WebAssembly module, in a folder that one command builds.

use std::{fs, path::Path};

use serde_json::json;

use crate::cli::{
    Format,
    report::{Failure, print, print_json},
};

/// What an interceptor is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lowercase")]
pub(in crate::cli) enum Language {
    /// Rust, with the crate `proxy-wasm`.
    Rust,
    /// C, with Zig as its compiler.
    C,
    /// AssemblyScript, with Node.js.
    AssemblyScript,
}

/// A file of a template: its path below the interceptor's folder, and its text, in which `NAME` stands for the interceptor's.
type File = (&'static str, &'static str);

const RUST: &[File] = &[
    ("Cargo.toml", include_str!("../templates/interceptor/rust/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../templates/interceptor/rust/lib.rs")),
    ("build.sh", include_str!("../templates/interceptor/rust/build.sh")),
    ("README.md", include_str!("../templates/interceptor/rust/README.md")),
    (".gitignore", "/target/\n"),
];
const C: &[File] = &[
    ("interceptor.c", include_str!("../templates/interceptor/c/interceptor.c")),
    ("proxy_wasm.h", include_str!("../templates/interceptor/c/proxy_wasm.h")),
    ("build.sh", include_str!("../templates/interceptor/c/build.sh")),
    ("README.md", include_str!("../templates/interceptor/c/README.md")),
];
const ASSEMBLYSCRIPT: &[File] = &[
    ("index.ts", include_str!("../templates/interceptor/assemblyscript/index.ts")),
    ("package.json", include_str!("../templates/interceptor/assemblyscript/package.json")),
    ("build.sh", include_str!("../templates/interceptor/assemblyscript/build.sh")),
    ("README.md", include_str!("../templates/interceptor/assemblyscript/README.md")),
    (".gitignore", "/node_modules/\n"),
];
/// What `tollgate test` runs; each template does the same.
const CASES: File = ("cases/example.yaml", include_str!("../templates/interceptor/cases.yaml"));

/// Where the compiler looks for modules.
const FOLDER: &str = "interceptors";
const MAX_NAME: usize = 128;

/// Writes the sources to `interceptors/NAME` of the project.
pub(super) fn write(project: &Path, name: &str, language: Language, format: Format) -> Result<(), Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        return Err(Failure::Cannot(format!("`{name}` is no name of an interceptor: it has letters, digits, `_` and `-` only")));
    }
    if !["api_definitions", "gen/api_definitions", "grpc_definitions"].iter().any(|part| project.join(part).is_dir()) {
        return Err(Failure::Cannot(
            "this is no project folder (no api_definitions/): go to one, or make one by `tollgate init DIR`".to_owned(),
        ));
    }
    let folder = project.join(FOLDER).join(name);
    let module = project.join(FOLDER).join(format!("{name}.wasm"));
    for there in [&folder, &module] {
        if there.exists() {
            return Err(Failure::Cannot(format!("{} exists and is left alone: choose another name, or delete it", shown(there))));
        }
    }
    let files = match language {
        Language::Rust => RUST,
        Language::C => C,
        Language::AssemblyScript => ASSEMBLYSCRIPT,
    };
    for (path, text) in files.iter().chain([&CASES]) {
        file(&folder.join(path), &text.replace("NAME", name))?;
    }
    let place = shown(&folder);
    match format {
        Format::Text => print(&format!("{place} is ready: `sh {place}/build.sh` makes {place}.wasm; {place}/README.md says how to go on")),
        Format::Json => print_json(&json!({ "interceptor": name, "folder": place, "module": shown(&module) })),
    }
}

/// Relative to the project, which is where the command runs.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn file(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|error| Failure::io(path.display(), &error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tollgate_testkit::Folder;

    use super::{Format, Language, write};

    #[test]
    fn a_name_that_leads_elsewhere_and_what_is_there_already_are_left_alone() {
        let folder = Folder::new();
        let project = folder.path();
        assert!(write(project, "a", Language::C, Format::Json).is_err(), "no project is here");
        fs::create_dir_all(project.join("api_definitions")).expect("a folder can be made");
        for name in ["", "../a", "a/b", "a.b", "-a b"] {
            assert!(write(project, name, Language::C, Format::Json).is_err(), "{name}");
        }
        folder.write("interceptors/kept.wasm", "module");
        assert!(write(project, "kept", Language::C, Format::Json).is_err());
        assert!(!project.join("interceptors/kept").exists());
        write(project, "fresh", Language::C, Format::Json).expect("there is room");
        assert!(write(project, "fresh", Language::Rust, Format::Json).is_err());
        let script = fs::read_to_string(project.join("interceptors/fresh/build.sh")).expect("it is there");
        assert!(script.contains("mv -f ../.fresh.wasm ../fresh.wasm") && !script.contains("NAME"), "{script}");
    }
}
