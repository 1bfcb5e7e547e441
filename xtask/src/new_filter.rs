//! `new-filter`: a folder that compiles and conforms at once, and the two lines that list it.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

/// The template's files. `__name__` becomes the ID, `__Name__` the type.
const TEMPLATE: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("README.md", include_str!("../template/README.md")),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("src/config.rs", include_str!("../template/src/config.rs")),
    ("src/filter.rs", include_str!("../template/src/filter.rs")),
    ("cases/pass.yaml", include_str!("../template/cases/pass.yaml")),
    ("cases/refused.yaml", include_str!("../template/cases/refused.yaml")),
    ("cases/hostile.yaml", include_str!("../template/cases/hostile.yaml")),
    ("tests/filter.rs", include_str!("../template/tests/filter.rs")),
];

/// Writes the folder and the two lines.
///
/// # Errors
/// When the name is not legal, the folder is there already, or a file cannot be read or written.
pub fn create(root: &Path, name: &str) -> Result<ExitCode, String> {
    check_name(name)?;
    let filters = root.join("filters");
    let folder = filters.join(name);
    if folder.exists() {
        return Err(format!("filters/{name} is there already"));
    }
    let (manifest, list) = (filters.join("Cargo.toml"), filters.join("lib.rs"));
    let new_manifest = with_dependency(&read(&manifest)?, name)?;
    let new_list = with_entry(&read(&list)?, name)?;
    for (path, text) in TEMPLATE {
        write(&folder.join(path), &filled(text, name))?;
    }
    write(&manifest, &new_manifest)?;
    write(&list, &new_list)?;
    format(root, name)?;
    eprintln!("Wrote filters/{name} and its lines in filters/Cargo.toml and filters/lib.rs.");
    eprintln!("Next: move its entry to its place in FILTERS, write it, `cargo test -p filter-{name}`, `cargo xtask docs`.");
    Ok(ExitCode::SUCCESS)
}

/// Names have lengths and places in the alphabet, so the template is not in form for each of them.
fn format(root: &Path, name: &str) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let package = format!("filter-{name}");
    let status = Command::new(cargo).args(["fmt", "--package", &package]).current_dir(root).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo fmt --package {package}`: {status}")),
        Err(error) => Err(format!("`cargo fmt --package {package}`: {error}")),
    }
}

/// Lower-case words of letters and digits, joined by underscores.
fn check_name(name: &str) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.split('_').all(is_word) {
        Ok(())
    } else {
        Err(format!("`{name}` is no filter's name: expected something like `geo` or `api_key`"))
    }
}

fn filled(text: &str, name: &str) -> String {
    let upper_first = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let type_name: String = name.split('_').map(upper_first).collect();
    text.replace("__name__", name).replace("__Name__", &type_name)
}

/// The manifest with one more line, after the last filter.
fn with_dependency(manifest: &str, name: &str) -> Result<String, String> {
    let last = manifest.lines().rfind(|line| line.starts_with("filter-"));
    let last = last.ok_or("filters/Cargo.toml lists no filter after which the new one could stand")?;
    Ok(manifest.replacen(last, &format!("{last}\nfilter-{name} = {{ path = \"{name}\" }}"), 1))
}

/// The catalogue with one more line, at the end of the list.
fn with_entry(list: &str, name: &str) -> Result<String, String> {
    let missing = "filters/lib.rs has no list `FILTERS` that ends with `];` on a line of its own";
    let start = list.find("pub const FILTERS").ok_or(missing)?;
    let end = start + list[start..].find("\n];").ok_or(missing)?;
    Ok(format!("{}\n    filter_{name}::KIND,{}", &list[..end], &list[end..]))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_folder_a_crate_and_a_yaml_key_may_be() {
        for good in ["geo", "api_key", "oauth2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "_", "a_", "Geo", "2fa", "api-key", "../x", "a__b", "ä"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_two_lines_go_to_the_end_of_their_lists() {
        let manifest = with_dependency("[dependencies]\nfilter-cors = { path = \"cors\" }\n\n[lib]\n", "geo").expect("it lists one");
        assert_eq!(manifest, "[dependencies]\nfilter-cors = { path = \"cors\" }\nfilter-geo = { path = \"geo\" }\n\n[lib]\n");
        let list = with_entry("pub const FILTERS: &[Kind] = &[\n    filter_cors::KIND,\n];\n", "geo").expect("it has the list");
        assert_eq!(list, "pub const FILTERS: &[Kind] = &[\n    filter_cors::KIND,\n    filter_geo::KIND,\n];\n");
    }

    #[test]
    fn a_type_is_named_in_camel_case() {
        assert_eq!(filled("__name__ __Name__", "api_key"), "api_key ApiKey");
    }
}
