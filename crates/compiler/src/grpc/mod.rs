//! gRPC services in `.proto` files, with the reference product's options, as definitions like any other.
//!
//! Files are compiled whole, by `protox`, so that what a gRPC toolchain refuses is refused here, and options mean what protobuf's own
//! rules for names say. Each service becomes a tree in the words of OpenAPI and `x-wso2-*`, whose values have the lines of the options
//! they come from; what follows does not know where they were written.
//!
//! It protects against files that import what is not theirs: an import is another file below the same folder of `grpc_definitions`, the
//! options, or one of protobuf's own. It does not judge what messages mean: the gateway does not look into them.

mod lines;
mod proto;
mod root;
mod service;

use std::collections::BTreeMap;

use tollgate_document::{Document, Limits};
use tollgate_filter_api::Problems;

use crate::input::{
    files::Files,
    sources::{SourceFile, Sources},
};
use root::Root;

/// The folder of a project with these definitions, and what their names end with.
pub(crate) const DEFINITIONS: &str = "grpc_definitions";
pub(crate) const ENDING: &str = ".proto";

/// Reads the named files and adds a document for each, with a member for each service.
pub(crate) fn load(files: &dyn Files, names: &[String], limits: &Limits, sources: &mut Sources, problems: &mut Problems) {
    let mut roots: BTreeMap<&str, Root> = BTreeMap::new();
    for name in names {
        let (prefix, import) = split(name);
        // A copy of what the gateway has is not looked at.
        if !proto::is_supplied(import) {
            roots.entry(prefix).or_insert_with(|| Root::new(prefix)).add(files, import, limits, problems);
        }
    }
    for mut root in roots.into_values() {
        root.add_imports(files, limits, problems);
        let (root, pool) = proto::compile(root, problems);
        for (import, file) in root.files.iter().filter(|(_, file)| file.is_definition) {
            let name = format!("{}{import}", root.prefix);
            let tree = service::tree(pool.get_file_by_name(import).as_ref(), &name, problems);
            match Document::of(&name, &tree, limits) {
                Ok(document) => sources.insert(SourceFile { bytes: file.text.as_bytes().to_vec(), document }),
                Err(found) => problems.0.extend(found.0),
            }
        }
    }
}

/// The folder from which imports are named, with its slash, and what an import calls the file.
fn split(name: &str) -> (&str, &str) {
    let inner = name.strip_prefix(DEFINITIONS).and_then(|rest| rest.strip_prefix('/'));
    let folder = match inner.map(|inner| (inner, inner.find('/'))) {
        Some((inner, Some(slash))) => name.len() - inner.len() + slash + 1,
        Some((inner, None)) => name.len() - inner.len(),
        None => name.rfind('/').map_or(0, |slash| slash + 1),
    };
    name.split_at(folder)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn imports_are_named_from_the_folder_below_that_of_all_definitions() {
        assert_eq!(split("grpc_definitions/shop/orders/v1.proto"), ("grpc_definitions/shop/", "orders/v1.proto"));
        assert_eq!(split("grpc_definitions/a.proto"), ("grpc_definitions/", "a.proto"));
        assert_eq!(split("/elsewhere/x/a.proto"), ("/elsewhere/x/", "a.proto"));
        assert_eq!(split("a.proto"), ("", "a.proto"));
    }
}
