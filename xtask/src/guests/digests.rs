//! The list of digests beside committed modules: lines of `sha256sum`, after comments that name the compilers.

use std::{collections::BTreeMap, fs, path::Path};

use super::{failure, language::Language};

/// Its name; `sha256sum -c` reads it.
const FILE: &str = "SHA256SUMS";

/// The digests of a folder.
#[derive(Debug, Default)]
pub struct Digests {
    compilers: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Digests {
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failure(&path, &error)),
        }
    }

    fn parse(text: &str) -> Self {
        let mut digests = Self::default();
        for line in text.lines() {
            if let Some((language, compiler)) = line.strip_prefix("# ").and_then(|comment| comment.split_once(": ")) {
                digests.compilers.insert(language.to_owned(), compiler.to_owned());
            } else if let Some((digest, file)) = line.split_once("  ") {
                digests.files.insert(file.to_owned(), digest.to_owned());
            }
        }
        digests
    }

    fn text(&self) -> String {
        let compilers = self.compilers.iter().map(|(language, compiler)| format!("# {language}: {compiler}\n"));
        let files = self.files.iter().map(|(file, digest)| format!("{digest}  {file}\n"));
        compilers.chain(files).collect()
    }

    pub fn write(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(FILE);
        fs::write(&path, self.text()).map_err(|error| failure(&path, &error))
    }

    pub fn get(&self, file: &str) -> Option<&str> {
        self.files.get(file).map(String::as_str)
    }

    pub fn set(&mut self, file: &str, digest: String) {
        self.files.insert(file.to_owned(), digest);
    }

    /// What built the files that are committed.
    pub fn compiler(&self, language: Language) -> Option<&str> {
        self.compilers.get(language.name()).map(String::as_str)
    }

    pub fn built_with(&mut self, language: Language, compiler: String) {
        self.compilers.insert(language.name().to_owned(), compiler);
    }
}

/// SHA-256 in hexadecimal digits.
pub fn of(bytes: &[u8]) -> String {
    hex::encode(openssl::sha::sha256(bytes))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Digests, of};
    use crate::guests::{language::Language, sources::SOURCES};

    #[test]
    fn a_list_that_is_read_and_written_stays_as_it_is() {
        let text = "# c: zig 1\n# rust: rustc 1\n00  a.wasm\n01  b.wasm\n";
        let digests = Digests::parse(text);
        assert_eq!((digests.get("b.wasm"), digests.compiler(Language::C)), (Some("01"), Some("zig 1")));
        assert_eq!(digests.text(), text);
    }

    #[test]
    fn every_committed_module_is_listed_with_its_digest_and_has_a_source() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace");
        for source in &SOURCES {
            let folder = root.join(source.built);
            let digests = Digests::read(&folder).expect("the list can be read");
            for entry in fs::read_dir(&folder).expect("the folder can be read") {
                let name = entry.expect("an entry can be read").file_name().to_string_lossy().into_owned();
                let Some(guest) = name.strip_suffix(".wasm") else { continue };
                let bytes = fs::read(folder.join(&name)).expect("a module can be read");
                assert_eq!(digests.get(&name), Some(of(&bytes).as_str()), "{name}");
                let made = |other: &&crate::guests::sources::Source| other.built == source.built && other.guests.contains(&guest);
                assert!(SOURCES.iter().any(|other| made(&other)), "nothing makes {name}");
            }
            for guest in source.guests {
                assert!(digests.get(&format!("{guest}.wasm")).is_some(), "{guest} was never built");
            }
        }
    }
}
