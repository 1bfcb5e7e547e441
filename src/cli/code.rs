//! Machine code of a project's modules, among the documents of a signed artifact.
//!
//! Only a gateway that verified the signature by a key of its configuration takes it out again; any other compiles the modules.

use tollgate_plan::Artifact;

/// Where it stands: kind of machine, then SHA-256 of the module.
#[cfg(feature = "wasm")]
const FOLDER: &str = ".code";

/// Adds code for this kind of machine.
///
/// # Errors
/// When a module cannot be compiled.
#[cfg(feature = "wasm-compiler")]
pub(super) fn with(artifact: Artifact) -> Result<Artifact, String> {
    use tollgate_sandbox::{Limits, MEMORY, Sandbox, digest, host_target, precompile};

    let modules = modules(&artifact)?;
    let Some(documents) = artifact.documents().filter(|_| !modules.is_empty()) else { return Ok(artifact) };
    let sandbox = Sandbox::new(Limits { memory: MEMORY, instances: 1 }).map_err(|error| error.to_string())?;
    let (target, mut documents) = (host_target(), documents.to_vec());
    for (name, wasm) in modules {
        let code = precompile(&sandbox, &wasm, &target).map_err(|error| format!("module `{name}`: {error}"))?;
        documents.push((format!("{FOLDER}/{target}/{}", hex::encode(digest(&wasm))), code));
    }
    Artifact::new(artifact.into_plan(), documents).map_err(|error| error.to_string())
}

/// The modules of a project, by name.
#[cfg(feature = "wasm-compiler")]
fn modules(artifact: &Artifact) -> Result<Vec<(String, Vec<u8>)>, String> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    let declared = artifact.plan().declared.get("wasm").and_then(|declared| declared["modules"].as_object());
    let module = |(name, module): (&String, &serde_json::Value)| {
        let bytes = module["bytes"].as_str().and_then(|bytes| STANDARD.decode(bytes).ok());
        bytes.map(|bytes| (name.clone(), bytes)).ok_or_else(|| format!("module `{name}` is not written as one"))
    };
    declared.into_iter().flatten().map(module).collect()
}

/// There is nothing to compile with.
#[cfg(not(feature = "wasm-compiler"))]
pub(super) fn with(artifact: Artifact) -> Result<Artifact, String> {
    Ok(artifact)
}

/// The code for this kind of machine in an artifact whose signature was verified.
#[cfg(feature = "wasm")]
pub(super) fn of(artifact: &Artifact) -> Vec<([u8; 32], Vec<u8>)> {
    let folder = format!("{FOLDER}/{}/", tollgate_sandbox::host_target());
    let code = |(path, bytes): &(String, Vec<u8>)| {
        let mut digest = [0; 32];
        hex::decode_to_slice(path.strip_prefix(&folder)?, &mut digest).ok()?;
        Some((digest, bytes.clone()))
    };
    artifact.documents().unwrap_or_default().iter().filter_map(code).collect()
}

/// Nothing runs it.
#[cfg(not(feature = "wasm"))]
pub(super) fn of(_: &Artifact) -> Vec<([u8; 32], Vec<u8>)> {
    Vec::new()
}
