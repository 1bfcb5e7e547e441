//! Interceptors: code of the project's own, named in definitions.
//!
//! `NAME` means the WebAssembly module `interceptors/NAME.wasm` of the project, which becomes part of the Plan. It protects against names that
//! lead out of that folder, against files that are too large, and against those that no host of the proxy-wasm ABI could run. Whether a
//! module keeps within its limits shows when it is loaded.
//!
//! The reference product takes Ballerina functions and Java classes here. Neither can run, so whoever has them is told what to write.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tollgate_filter_api::Problems;
use tollgate_plan::Source;
use wasmparser::{Encoding, ExternalKind, Parser, Payload};

use crate::declarations::Declarations;
use crate::input::files::{Files, reason};
use crate::input::sources::short;
use crate::input::spot::Spot;
use crate::sha256;

/// The filter that runs them.
pub(crate) const FILTER: &str = "wasm";

/// Bytes of one module.
const MAX_MODULE: usize = 4 << 20;
/// Bytes of all modules of a project.
const MAX_MODULES: usize = 64 << 20;
const MAX_NAME: usize = 128;

const KEYS: [(&str, &str); 2] = [("x-wso2-request-interceptor", "request"), ("x-wso2-response-interceptor", "response")];
/// What stands before the name of a Java class.
const JAVA: &str = "java:";
const MAGIC: &[u8] = b"\0asm";
/// What every guest exports that is written for one of the ABI's versions.
const ABI: &str = "proxy_abi_version_";

/// The modules that the definitions of a project name.
pub(crate) struct Interceptors<'p> {
    /// Where they are read. `None`: names are not judged.
    files: Option<&'p dyn Files>,
    folder: &'p str,
    waived: bool,
    /// By name; why one cannot be had.
    modules: BTreeMap<String, Result<Value, Refusal>>,
    bytes: usize,
    left_out: bool,
}

/// Why a module cannot be had.
enum Refusal {
    /// There is none of that name.
    Absent(String),
    /// Its file is of no use.
    Unfit(String),
}

/// A module as one level names it.
struct Entry {
    module: String,
    phases: Vec<&'static str>,
    source: Source,
}

impl<'p> Interceptors<'p> {
    /// `folder` of `files` has the modules. With `waived`, one that is not there is left out.
    pub(crate) fn new(files: &'p dyn Files, folder: Option<&'p str>, waived: bool) -> Self {
        let (files, folder) = (folder.map(|_| files), folder.unwrap_or_default());
        Self { files, folder, waived, modules: BTreeMap::new(), bytes: 0, left_out: false }
    }

    /// Declares the interceptors of one level, after those of less specific ones. A module that stands at both levels runs once a phase.
    pub(crate) fn read(&mut self, spot: &Spot<'_>, declared: &mut Declarations, problems: &mut Problems) {
        let mut entries: Vec<Entry> = Vec::new();
        for (key, phase) in KEYS {
            let Some(value) = spot.get(key) else { continue };
            let Some(name) = value.node.as_str().filter(|name| !name.is_empty()) else {
                problems.push(value.error("extension.value", format!("`{key}` must be the name of an interceptor")));
                continue;
            };
            let known = |known: &Value| known["module"] == name && known["phases"].as_array().is_some_and(|p| p.contains(&json!(phase)));
            if declared.list(FILTER, "interceptors").iter().any(known) || !self.admits(name, key, &value, problems) {
                continue;
            }
            match entries.iter_mut().find(|entry| entry.module == name) {
                Some(entry) => entry.phases.push(phase),
                None => entries.push(Entry { module: name.to_owned(), phases: vec![phase], source: value.source() }),
            }
        }
        for Entry { module, phases, source } in entries {
            declared.append(FILTER, "interceptors", json!({"module": module, "phases": phases}), source);
        }
    }

    /// Whether the module is there, or nobody judges that.
    fn admits(&mut self, name: &str, key: &str, value: &Spot<'_>, problems: &mut Problems) -> bool {
        let Some(files) = self.files else { return true };
        if !self.modules.contains_key(name) {
            let module = self.load(files, name);
            self.modules.insert(name.to_owned(), module);
        }
        let Some(Err(refusal)) = self.modules.get(name) else { return true };
        let (why, hint) = match refusal {
            Refusal::Absent(why) => (why, rewrite(name, key)),
            Refusal::Unfit(why) => (why, "`tollgate init --interceptor rust NAME` makes a project whose module is right".to_owned()),
        };
        let severity = if self.waived { Spot::warning } else { Spot::error };
        let problem = severity(value, "interceptor.module", format!("the interceptor `{}` cannot run: {why}", short(name)));
        problems.push(problem.hint(format!("{hint}; `waive: [{FILTER}]` in tollgate.yaml builds without it")));
        self.left_out = true;
        false
    }

    fn load(&mut self, files: &dyn Files, name: &str) -> Result<Value, Refusal> {
        if let Some(class) = name.strip_prefix(JAVA) {
            let message = format!("`{}` is a Java class, and interceptors are WebAssembly modules here", short(class));
            return Err(Refusal::Absent(message));
        }
        if !is_name(name) {
            return Err(Refusal::Absent("a name has letters, digits, `_` and `-` only".to_owned()));
        }
        let file = format!("{}/{name}.wasm", self.folder);
        let bytes = files.read(&file, MAX_MODULE).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Refusal::Absent(format!("there is no {file}; a Ballerina function cannot take its place")),
            _ => Refusal::Unfit(format!("{file} cannot be read: {}", reason(&error))),
        })?;
        self.bytes += bytes.len();
        let unfit = if bytes.len() > MAX_MODULE {
            Some(format!("is larger than {} MiB", MAX_MODULE >> 20))
        } else if self.bytes > MAX_MODULES {
            Some(format!("is one too many: the modules of a project have at most {} MiB together", MAX_MODULES >> 20))
        } else {
            judge(&bytes).err()
        };
        match unfit {
            Some(why) => Err(Refusal::Unfit(format!("{file} {why}"))),
            None => Ok(json!({"file": file, "sha256": sha256(&bytes), "bytes": STANDARD.encode(&bytes)})),
        }
    }

    /// Whether an interceptor was left out because that is waived.
    pub(crate) fn left_out(&self) -> bool {
        self.waived && self.left_out
    }

    /// What the filter is told once for all operations; `None` when it has nothing to run.
    pub(crate) fn finish(self) -> Option<Value> {
        let there = |(name, module): (String, Result<Value, Refusal>)| Some((name, module.ok()?));
        let modules: Map<String, Value> = self.modules.into_iter().filter_map(there).collect();
        (!modules.is_empty()).then(|| json!({ "modules": modules }))
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Whether a host of the proxy-wasm ABI could begin with it, by what it exports.
fn judge(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(MAGIC) {
        return Err("is not a WebAssembly module".to_owned());
    }
    let (mut memory, mut abi) = (false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        let invalid = |error: wasmparser::BinaryReaderError| format!("is not a valid WebAssembly module: {error}");
        match payload.map_err(invalid)? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err("is a WebAssembly component, and the proxy-wasm ABI is for modules".to_owned());
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.map_err(invalid)?;
                    memory |= export.name == "memory" && export.kind == ExternalKind::Memory;
                    abi |= export.name.starts_with(ABI);
                }
            }
            _ => {}
        }
    }
    match (memory, abi) {
        (true, true) => Ok(()),
        (false, _) => Err("exports no memory".to_owned()),
        (true, false) => Err(format!("is not written for the proxy-wasm ABI: it exports no `{ABI}0_2_1`")),
    }
}

/// What to write instead.
fn rewrite(name: &str, key: &str) -> String {
    let simple = name.strip_prefix(JAVA).and_then(|class| class.rsplit('.').next()).unwrap_or(name);
    let simple = if is_name(simple) && !simple.is_empty() { simple } else { "NAME" };
    let rename = if simple == name { String::new() } else { format!("; then write `{key}: {simple}` here") };
    format!(
        "write it anew: `tollgate init --interceptor rust {simple}` in the project's folder makes a stub (or c, assemblyscript){rename}; \
         where it only changes method, path, fields or a body, `x-tollgate-transform` needs no code"
    )
}
