//! A project: which files it has. The only place that looks at a file system, besides [`Folder`].

use std::path::Path;

use serde::Deserialize;
use tollgate_filter_api::Problem;
use tollgate_routes::Route;

use crate::grpc;
use crate::input::files::{Files, Folder, Loose};

/// Folders of a project that hold definitions, and what their names end with.
const DEFINITIONS: [(&str, &[&str]); 3] = [
    ("api_definitions", &[".yaml", ".yml", ".json"]),
    ("gen/api_definitions", &[".yaml", ".yml", ".json"]),
    (grpc::DEFINITIONS, &[grpc::ENDING]),
];
pub(crate) const POLICIES: &str = "policies.yaml";
pub(crate) const SETTINGS: &str = "tollgate.yaml";
pub(crate) const INTERCEPTORS: &str = "interceptors";

/// What is to be compiled.
pub struct Project {
    /// Name of the Plan: the folder's, unless told otherwise.
    pub name: String,
    /// Names of the definitions, in any order.
    pub definitions: Vec<String>,
    /// Name of the file with throttle policies. `None`: policy names are not judged.
    pub policies: Option<String>,
    /// Name of the file with the project's [`Settings`].
    pub settings: Option<String>,
    /// Name of the folder with the modules of interceptors. `None`: their names are not judged.
    pub interceptors: Option<String>,
    /// Where the names are read.
    pub files: Box<dyn Files>,
}

/// `tollgate.yaml`: what the project says to the build.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// IDs of filters whose demands may stay without anybody to enforce them. Nothing that leaves an operation open to everybody.
    #[serde(default)]
    pub waive: Vec<String>,
    /// The same, also where nothing else is asked for: those operations are then open to everybody.
    #[serde(default)]
    pub waive_to_open: Vec<String>,
    /// URL for operations that have no endpoint.
    pub endpoint: Option<String>,
    /// What is proxied without a definition, as in `gateway.yaml`.
    #[serde(default)]
    pub routes: Vec<Route>,
}

impl Project {
    /// A project folder, laid out as the reference product has it: `api_definitions/`, `gen/api_definitions/`, `grpc_definitions/`,
    /// `policies.yaml`, and our `tollgate.yaml`.
    ///
    /// # Errors
    /// `project.unreadable` when it is no folder, `project.empty` when it has no definition.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        let place = folder.display().to_string();
        let unreadable = |error: std::io::Error| {
            let hint = "`tollgate init` makes a project";
            Problem::error("project.unreadable", format!("not a project folder: {error}")).at(&place, 0, "").hint(hint)
        };
        let files = Folder::open(folder).map_err(unreadable)?;
        let mut definitions = Vec::new();
        for (name, endings) in DEFINITIONS {
            let inner = folder.join(name);
            list(&inner, name, endings, &mut definitions).map_err(|error| {
                let problem = Problem::error("project.unreadable", format!("a folder of definitions cannot be read: {error}"));
                problem.at(inner.display().to_string(), 0, "").hint("give whoever builds the right to read it, and what is in it")
            })?;
        }
        if definitions.is_empty() && !folder.join(SETTINGS).is_file() {
            let message =
                "there is no .yaml or .json file in api_definitions or gen/api_definitions, and no .proto file in grpc_definitions";
            return Err(Problem::error("project.empty", message).at(&place, 0, ""));
        }
        let there = |name: &str| folder.join(name).is_file().then(|| name.to_owned());
        let name = folder.canonicalize().map_err(unreadable)?;
        let name = name.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            name,
            definitions,
            // Always judged in a project: without the file, no policy exists.
            policies: Some(POLICIES.to_owned()),
            settings: there(SETTINGS),
            interceptors: Some(INTERCEPTORS.to_owned()),
            files: Box::new(files),
        })
    }

    /// One definition by itself. Names of policies and interceptors are not judged.
    pub fn loose(file: &str) -> Self {
        let definitions = vec![file.to_owned()];
        Self { name: file.to_owned(), definitions, policies: None, settings: None, interceptors: None, files: Box::new(Loose) }
    }
}

/// Definitions below a folder, also in sub-folders; names relative to the project.
fn list(folder: &Path, name: &str, endings: &[&str], found: &mut Vec<String>) -> std::io::Result<()> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str().filter(|n| !n.starts_with('.')) else { continue };
        let path = format!("{name}/{file_name}");
        let is_definition = endings.iter().any(|ending| file_name.ends_with(ending));
        // A link that leads nowhere is found out when it is read, where the file is named.
        let Ok(kind) = entry.path().metadata() else {
            found.extend(is_definition.then_some(path));
            continue;
        };
        // A link to a folder may lead in a circle.
        if kind.is_dir() && !entry.file_type()?.is_symlink() {
            list(&entry.path(), &path, endings, found)?;
        } else if kind.is_file() && is_definition {
            found.push(path);
        }
    }
    Ok(())
}
