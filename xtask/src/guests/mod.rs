//! Guests of tests: built again from their sources, and compared with what is committed or put in its place.
//!
//! CI has no compiler for WebAssembly, so modules are committed. This shows that they are what their sources say, wherever the
//! compilers are.

mod digests;
mod language;
mod sources;

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use digests::Digests;
use language::Language;
use sources::{SOURCES, Source};

/// What to do with what was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Say what differs and change nothing.
    Compare,
    /// Put it in the place of what is committed.
    Write,
}

/// Builds every guest whose compiler is here. A compiler that is missing is a failure, after all others were built.
///
/// # Errors
/// When something cannot be read, written or built.
pub fn run(root: &Path, mode: Mode) -> Result<ExitCode, String> {
    let mut fine = true;
    for language in Language::ALL {
        if let Some(install) = language.missing() {
            eprintln!("{}: guests in it were not built: {install}", language.name());
            fine = false;
            continue;
        }
        for source in SOURCES.iter().filter(|source| source.language == language) {
            fine &= one(root, source, mode)?;
        }
    }
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether the guests of one source are those that are committed, or are now.
fn one(root: &Path, source: &Source, mode: Mode) -> Result<bool, String> {
    let scratch = root.join("target/guests").join(source.name);
    fs::create_dir_all(&scratch).map_err(|error| failure(&scratch, &error))?;
    let folder = root.join(source.built);
    let mut digests = Digests::read(&folder)?;
    let mut fine = true;
    for (name, bytes) in (source.build)(source, root, &scratch)? {
        let file = format!("{name}.wasm");
        let digest = digests::of(&bytes);
        match mode {
            Mode::Write => {
                let path = folder.join(&file);
                fs::write(&path, &bytes).map_err(|error| failure(&path, &error))?;
                digests.set(&file, digest);
            }
            Mode::Compare => match digests.get(&file) {
                Some(known) if known == digest => println!("{file}: the same"),
                known => {
                    let (known, with) = (known.unwrap_or("not there"), digests.compiler(source.language).unwrap_or("nothing"));
                    let here = source.language.version()?;
                    println!("{file}: differs\n  committed {known}, built with {with}\n  here      {digest}, built with {here}");
                    fine = false;
                }
            },
        }
    }
    if mode == Mode::Write {
        digests.built_with(source.language, source.language.version()?);
        digests.write(&folder)?;
    }
    Ok(fine)
}

fn failure(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Runs a command to its end; what it printed on standard output.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
