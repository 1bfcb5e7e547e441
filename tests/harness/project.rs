//! A project folder, made by hand and built by the real `build`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Folder, Ran, tollgate};

/// A folder with definitions.
#[derive(Debug, Default)]
pub struct Project {
    folder: Folder,
}

impl Project {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a definition.
    #[must_use]
    pub fn definition(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.folder.write(format!("project/api_definitions/{name}"), text);
        self
    }

    /// Adds any other file of the project.
    #[must_use]
    pub fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.folder.write(format!("project/{name}"), text);
        self
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join("project")
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Runs `build` with further arguments.
    pub fn try_build(&self, arguments: &[&str]) -> (Ran, PathBuf) {
        let output = self.folder.join("out.toll");
        let path = self.path();
        let fixed = ["build".as_ref(), path.as_os_str(), "-o".as_ref(), output.as_os_str()];
        let ran = tollgate(fixed.into_iter().chain(arguments.iter().map(AsRef::as_ref)));
        (ran, output)
    }

    /// Builds.
    ///
    /// # Panics
    /// When it does not build.
    pub fn build(&self, arguments: &[&str]) -> PathBuf {
        let (ran, artifact) = self.try_build(arguments);
        ran.ok();
        artifact
    }
}

/// A definition that is open to everybody, with one endpoint; `paths` as in OpenAPI.
pub fn open_api(base_path: &str, endpoint: &str, paths: Value) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": base_path.trim_matches('/').replace('/', "-"), "version": "1" },
        "x-wso2-basePath": base_path,
        "x-wso2-disable-security": true,
        "x-wso2-production-endpoints": { "urls": [endpoint], "type": "http" },
        "paths": paths,
    })
}

/// An operation without parameters.
pub fn operation() -> Value {
    json!({ "responses": { "200": { "description": "ok" } } })
}

/// Path items that take every usual method on anything below the base path.
pub fn everything() -> Value {
    let methods = ["get", "post", "put", "patch", "delete", "head", "options"];
    json!({ "/*": methods.iter().map(|m| ((*m).to_owned(), operation())).collect::<serde_json::Map<_, _>>() })
}

/// Builds a single definition.
pub fn artifact(folder: &Folder, definition: &Value) -> PathBuf {
    artifact_in(folder, definition, "api")
}

/// Builds a single definition under a name.
pub fn artifact_in(folder: &Folder, definition: &Value, name: &str) -> PathBuf {
    folder.write(format!("{name}/api_definitions/api.json"), definition.to_string());
    let output = folder.join(format!("{name}.toll"));
    build(&folder.join(name), &output).ok();
    output
}

fn build(project: &Path, output: &Path) -> Ran {
    tollgate(["build".as_ref(), project.as_os_str(), "-o".as_ref(), output.as_os_str()])
}
