//! Which compilers are here, and which versions they have.

use std::{path::Path, process::Command};

use super::output;

/// What a guest is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    C,
    AssemblyScript,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Rust, Self::C, Self::AssemblyScript];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::AssemblyScript => "assemblyscript",
        }
    }

    /// How to install its compiler, when it is not here.
    pub fn missing(self) -> Option<&'static str> {
        let (here, install) = match self {
            Self::Rust => (target_is_here(), "run `rustup target add wasm32-wasip1`"),
            Self::C => (zig(&["version"]).is_ok(), "run `pip install ziglang==0.13.0`, or put zig into PATH"),
            Self::AssemblyScript => (output(Command::new("npm").arg("--version")).is_ok(), "install Node.js with npm, 20 or later"),
        };
        (!here).then_some(install)
    }

    /// What builds it, with its version.
    pub fn version(self) -> Result<String, String> {
        match self {
            Self::Rust => output(Command::new("rustc").arg("--version")),
            Self::C => zig(&["version"]).map(|version| format!("zig {version}")),
            // The packages that a project names pin the compiler.
            Self::AssemblyScript => Ok("the packages of package.json".to_owned()),
        }
    }
}

fn target_is_here() -> bool {
    let folder = output(Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip1"]));
    folder.is_ok_and(|folder| Path::new(&folder).is_dir())
}

/// Zig by itself, or as the package that pip installs.
fn zig(arguments: &[&str]) -> Result<String, String> {
    let own = output(Command::new("zig").args(arguments));
    own.or_else(|_| output(Command::new("python3").args(["-m", "ziglang"]).args(arguments)))
}
