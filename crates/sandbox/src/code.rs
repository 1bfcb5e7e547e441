//! Machine code that was compiled elsewhere.
//!
//! It is as good as the one who made it: the engine compares its own version, the settings and the kind of processor, and believes the rest.
//! Code that somebody altered could do whatever this process may. So code is loaded only out of a [`CodeBook`], and whoever makes one says that a
//! signature by a key that the operator trusts was verified over these very bytes.

use std::collections::HashMap;

use wasmtime::Engine;

use crate::{
    LoadError, Module, Sandbox,
    module::{digest, examine},
};

/// Machine code by the SHA-256 of the modules that it was made of, and somebody who answers for it.
#[derive(Debug, Default)]
pub struct CodeBook(HashMap<[u8; 32], Vec<u8>>);

/// Machine code out of a [`CodeBook`].
#[derive(Clone, Copy, Debug)]
pub struct Vouched<'c>(&'c [u8]);

impl CodeBook {
    /// Code that came in an artifact whose signature was verified against a key that the operator configured. Nothing else may be passed:
    /// not what came unsigned, not what was only compared with a digest that stood beside it, not a file that may have been written since.
    pub fn by_verified_signature(code: impl IntoIterator<Item = ([u8; 32], Vec<u8>)>) -> Self {
        Self(code.into_iter().collect())
    }

    /// The code of a module.
    pub fn of(&self, wasm: &[u8]) -> Option<Vouched<'_>> {
        if self.0.is_empty() { None } else { self.0.get(&digest(wasm)).map(|code| Vouched(code)) }
    }
}

/// The kind of machine that this is, for [`precompile`].
pub fn host_target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Compiles a module for any machine of a kind, so not for what this one's processor can do beyond that. The same module gives the same bytes.
///
/// # Errors
/// When it is not valid, asks for more than it may have, the kind is not known, or there is no compiler.
#[cfg(feature = "compiler")]
pub fn precompile(sandbox: &Sandbox, wasm: &[u8], target: &str) -> Result<Vec<u8>, LoadError> {
    let refused = |error: wasmtime::Error| LoadError::NotCompiled(format!("{error:#}"));
    examine(sandbox, wasm)?;
    let engine = Engine::new(&crate::engine::config(sandbox.limits, Some(target)).map_err(refused)?).map_err(refused)?;
    engine.precompile_module(wasm).map_err(refused)
}

impl Module {
    /// Takes the machine code of a module in place of compiling it.
    ///
    /// # Errors
    /// When the module is not what may run, or the code was made by another version, with other settings, or for another kind of machine.
    pub fn from_code(sandbox: &Sandbox, wasm: &[u8], code: Vouched<'_>) -> Result<Self, LoadError> {
        examine(sandbox, wasm)?;
        if Engine::detect_precompiled(code.0).is_none() {
            return Err(LoadError::NotCompiled("what stands in its place is no machine code".to_owned()));
        }
        // SAFETY: `deserialize` asks for bytes that `precompile_module` made and that nobody has altered since. A `CodeBook` is only made of bytes
        // under a verified signature of somebody whom the operator trusts to have made them so. They lie in memory that nobody else
        // writes, and are copied; no file is mapped. Bytes of another version, other settings or another machine are refused by
        // `deserialize` itself.
        #[allow(unsafe_code)]
        let compiled = unsafe { wasmtime::Module::deserialize(&sandbox.engine, code.0) };
        let compiled = compiled.map_err(|error| LoadError::NotCompiled(format!("its machine code is of no use here: {error:#}")))?;
        Ok(Self::of(compiled, sandbox, wasm))
    }
}
