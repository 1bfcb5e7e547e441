//! What a definition says: which modules run for an operation, and what they are.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tollgate_filter_api::{Bytes, Problem};

/// The modules of an operation, those of its API first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    pub interceptors: Vec<Interceptor>,
}

/// A module, and the ways that it runs on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interceptor {
    pub module: String,
    pub phases: Vec<Phase>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Request,
    Response,
}

/// The modules of a project.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    pub modules: BTreeMap<String, ModuleFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleFile {
    /// As the project has it.
    pub file: String,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// In Base64.
    bytes: String,
}

impl ModuleFile {
    /// The module as it is written.
    pub fn bytes(&self) -> Result<Bytes, Problem> {
        let wrong = |why: &str| Problem::error("wasm.module", format!("{}: {why}", self.file)).of_declaration();
        let bytes = STANDARD.decode(&self.bytes).map_err(|_| wrong("its bytes are no Base64"))?;
        if hex::encode(tollgate_sandbox::digest(&bytes)) != self.sha256.to_ascii_lowercase() {
            return Err(wrong("its bytes are not those that its digest is of"));
        }
        Ok(bytes.into())
    }
}
