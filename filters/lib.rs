//! The catalogue: what this gateway can do.
//!
//! One explicit list. A filter that is not in it does not exist for the compiler, the gateway, the manual or the tests.

use tollgate_filter_api::Kind;

/// Every filter, in the order in which they stand in a chain that the operator did not order.
pub const FILTERS: &[Kind] = &[
    // Whatever the others make of an answer is what is compressed.
    filter_compress::KIND,
    // Whoever refuses the request, the client gets a page.
    filter_error_pages::KIND,
    // Whatever becomes of the request, the client is told of the operation's end.
    filter_deprecation::KIND,
    // Those from elsewhere are told nothing more.
    filter_address::KIND,
    // A preflight carries no credentials: it is answered before anyone asks for some.
    filter_cors::KIND,
    // Without TLS nobody is asked for a credential; a script that may follow is told so.
    filter_redirect::KIND,
    // Puts the token of a browser's session where the next ones look for it.
    filter_cookie::KIND,
    // Says who is calling.
    filter_jwt::KIND,
    // Takes the tokens that are no JWT.
    filter_introspection::KIND,
    filter_basic_auth::KIND,
    filter_api_key::KIND,
    filter_mtls::KIND,
    // Asks whether what they found was taken back.
    filter_revocation::KIND,
    // Says whether who is calling may.
    filter_authorize::KIND,
    // Asks a service about who has a good credential, and hands on what it says.
    filter_ext_authz::KIND,
    // Strangers are not told what the definition declares.
    filter_media_types::KIND,
    // Nor are they told what is wrong with what they send.
    filter_validate::KIND,
    // Nobody uses up what others may have with requests that are refused anyway.
    filter_throttle::KIND,
    // Changes what was let in, by code of the operator's own.
    #[cfg(feature = "wasm")]
    filter_wasm::KIND,
    // Copies what the others found out.
    filter_headers::KIND,
    // What was checked above is what clients were promised; from here on it is what the upstream speaks.
    filter_transform::KIND,
    // The parameters of the path have been read where they stand in the definition.
    filter_rewrite::KIND,
    // Tells the upstream what the others found out.
    filter_backend_jwt::KIND,
    // Answers in the upstream's place, when nobody before it had anything against it.
    filter_issue_key::KIND,
    filter_respond::KIND,
];

/// The filter of that ID.
pub fn find(id: &str) -> Option<&'static Kind> {
    FILTERS.iter().find(|kind| kind.id == id)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use tollgate_filter_testkit::hostile::hostile;

    use super::{FILTERS, find};

    /// Folders with a manifest, by name.
    fn folders() -> Vec<PathBuf> {
        let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the catalogue's folder can be read");
        let paths = entries.map(|entry| entry.expect("an entry can be read").path());
        paths.filter(|path| path.join("Cargo.toml").is_file()).collect()
    }

    fn name(path: &Path) -> String {
        path.file_name().and_then(|name| name.to_str()).expect("folders have ASCII names").to_owned()
    }

    fn text(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every Rust file of a folder and below.
    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&text(&path));
            }
        }
    }

    #[test]
    fn every_folder_is_listed_and_named_by_its_id() {
        let folders: BTreeSet<String> = folders().iter().map(|path| name(path)).collect();
        let listed: BTreeSet<String> = FILTERS.iter().map(|kind| kind.id.to_owned()).collect();
        assert_eq!(folders, listed);
        assert_eq!(listed.len(), FILTERS.len(), "an ID is listed twice");
    }

    #[test]
    fn every_crate_is_named_by_its_id_and_depends_on_no_other_filter() {
        for path in folders() {
            let manifest = text(&path.join("Cargo.toml"));
            let dependencies = manifest.split_once("[dependencies]").expect("a filter depends on the contract").1;
            assert!(manifest.contains(&format!("name = \"filter-{}\"", name(&path))), "{}", path.display());
            assert!(!dependencies.lines().any(|line| line.starts_with("filter-")), "{}", path.display());
        }
    }

    #[test]
    fn every_filter_is_held_to_conformance() {
        for path in folders() {
            let mut code = String::new();
            sources(&path, &mut code);
            assert!(code.contains("onformance::<"), "{} does not run conformance", path.display());
        }
    }

    #[test]
    fn every_case_file_is_in_the_catalogue() {
        for path in folders() {
            let kind = find(&name(&path)).expect("every folder is listed");
            let files: BTreeSet<String> =
                fs::read_dir(path.join("cases")).into_iter().flatten().flatten().map(|entry| name(&entry.path())).collect();
            let listed: BTreeSet<String> = kind.cases.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(files, listed, "{}", path.display());
        }
    }

    #[test]
    fn reasons_and_series_are_told_apart() {
        let reasons: Vec<&str> = FILTERS.iter().flat_map(|kind| kind.reasons).map(|reason| reason.id).collect();
        let series: Vec<&str> = FILTERS.iter().flat_map(|kind| kind.metrics).map(|metric| metric.name).collect();
        for names in [reasons, series] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
    }

    #[test]
    fn whoever_needs_a_fact_stands_after_whoever_gives_it() {
        let mut given = vec!["peer"];
        for kind in FILTERS {
            for need in kind.needs {
                assert!(given.contains(need), "`{}` needs `{need}`, and nothing before it gives it", kind.id);
            }
            given.extend(kind.gives);
        }
    }

    #[test]
    fn no_filter_panics_on_hostile_requests() {
        for kind in FILTERS {
            // One that starts with a private key or a module only is tried by its own conformance, which makes one.
            let tried = hostile(kind, 0x2545_F491_4F6C_DD1D, 300) > 0 || matches!(kind.id, "backend_jwt" | "issue_key" | "wasm");
            assert!(tried, "no case of `{}` can be built", kind.id);
        }
    }

    #[test]
    fn an_id_that_nobody_has_finds_nothing() {
        assert!(find("cors").is_some_and(|kind| kind.id == "cors"));
        assert!(find("").is_none() && find("CORS").is_none() && find("jwt2").is_none());
    }
}
