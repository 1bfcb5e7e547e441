//! Modules: what is judged before one is compiled, and the compiled one.

use std::sync::Arc;

use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;

use crate::{Sandbox, engine::TABLE_ELEMENTS};

const PAGE: u64 = 64 << 10;

/// Why a module is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Not WebAssembly, or not valid.
    #[error("it is no valid WebAssembly module: {0}")]
    Invalid(String),
    /// Made for the component model.
    #[error("it is a WebAssembly component, and a core module is needed: build for `wasm32-wasip1`, not `wasm32-wasip2`")]
    Component,
    /// Its memory does not fit from the first moment on.
    #[error(
        "it begins with {minimum} bytes of memory, and the limit is {limit}; much of that may be stack (`-z stack-size` of its linker)"
    )]
    Memory {
        /// What it asks for.
        minimum: u64,
        /// What it may have.
        limit: usize,
    },
    /// The same of its table of functions.
    #[error("its table begins with {minimum} entries, and the limit is {TABLE_ELEMENTS}")]
    Table {
        /// What it asks for.
        minimum: u64,
    },
    /// The compiler says no.
    #[error("it cannot be compiled: {0}")]
    NotCompiled(String),
    /// There is nothing to compile it with.
    #[error("there is no machine code for it that may be used, and this gateway was built without a compiler (feature `wasm-compiler`)")]
    NoCompiler,
}

/// A compiled module. Cheap to clone.
#[derive(Clone)]
pub struct Module(Arc<Inner>);

struct Inner {
    compiled: wasmtime::Module,
    sandbox: Sandbox,
    digest: [u8; 32],
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({})", self.short_digest())
    }
}

/// SHA-256 of a module as it is written.
pub fn digest(wasm: &[u8]) -> [u8; 32] {
    openssl::sha::sha256(wasm)
}

impl Module {
    /// Judges and compiles a module in binary form. Takes some milliseconds for each 10 KiB.
    ///
    /// # Errors
    /// When it is not valid, asks for more than it may have, or there is no compiler.
    pub fn compile(sandbox: &Sandbox, wasm: &[u8]) -> Result<Self, LoadError> {
        examine(sandbox, wasm)?;
        Ok(Self::of(compile(&sandbox.engine, wasm)?, sandbox, wasm))
    }

    pub(crate) fn of(compiled: wasmtime::Module, sandbox: &Sandbox, wasm: &[u8]) -> Self {
        Self(Arc::new(Inner { compiled, sandbox: sandbox.clone(), digest: digest(wasm) }))
    }

    /// The engine that it was compiled for.
    pub fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    /// SHA-256 of the module as it is written.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    /// The first twelve hexadecimal digits of it, for messages.
    pub fn short_digest(&self) -> String {
        hex::encode(&self.0.digest[..6])
    }

    /// What it imports: module and name.
    pub fn imports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.compiled.imports().map(|import| (import.module(), import.name()))
    }

    /// Whether it exports something of that name.
    pub fn exports(&self, name: &str) -> bool {
        self.0.compiled.get_export(name).is_some()
    }

    /// The names of what it exports.
    pub fn exported(&self) -> impl Iterator<Item = &str> {
        self.0.compiled.exports().map(|export| export.name())
    }

    /// For a host that links it.
    pub fn compiled(&self) -> &wasmtime::Module {
        &self.0.compiled
    }
}

#[cfg(feature = "compiler")]
fn compile(engine: &Engine, wasm: &[u8]) -> Result<wasmtime::Module, LoadError> {
    wasmtime::Module::from_binary(engine, wasm).map_err(|error| LoadError::NotCompiled(format!("{error:#}")))
}

#[cfg(not(feature = "compiler"))]
fn compile(_: &Engine, _: &[u8]) -> Result<wasmtime::Module, LoadError> {
    Err(LoadError::NoCompiler)
}

/// What is wrong with what a module declares. The compiler would say the same in words that no operator has a use for.
pub(crate) fn examine(sandbox: &Sandbox, wasm: &[u8]) -> Result<(), LoadError> {
    let invalid = |error: wasmparser::BinaryReaderError| LoadError::Invalid(error.to_string());
    if !wasm.starts_with(b"\0asm") {
        return Err(LoadError::Invalid("it does not begin as one does".to_owned()));
    }
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Component, .. } => return Err(LoadError::Component),
            Payload::MemorySection(memories) => {
                for memory in memories {
                    let minimum = memory.map_err(invalid)?.initial.saturating_mul(PAGE);
                    let limit = sandbox.limits.memory;
                    if minimum > limit as u64 {
                        return Err(LoadError::Memory { minimum, limit });
                    }
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let minimum = table.map_err(invalid)?.ty.initial;
                    if minimum > TABLE_ELEMENTS as u64 {
                        return Err(LoadError::Table { minimum });
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
