//! The files of one folder, and what they import of each other.

use std::collections::{BTreeMap, BTreeSet};

use protox::file::File;
use tollgate_document::Limits;
use tollgate_filter_api::{Problem, Problems};

use super::{lines, proto};
use crate::input::{
    files::{Files, reason},
    sources::short,
};

/// Bytes of a file. The largest public ones have a tenth of that.
const MAX_BYTES: usize = 4 << 20;
/// Files that imports may pull in; more is a mistake or an attack.
const MAX_IMPORTS: usize = 2000;
/// The field number of `dependency`, of which a path to an import's line consists.
const DEPENDENCY: i32 = 3;

/// A folder from which imports are named.
#[derive(Debug)]
pub(super) struct Root {
    /// Its name with a slash, or nothing.
    pub prefix: String,
    /// By the name that an import has for a file.
    pub files: BTreeMap<String, ProtoFile>,
}

/// A file that could be read.
#[derive(Debug)]
pub(super) struct ProtoFile {
    pub text: String,
    /// None when it cannot be parsed: that is found out when it is compiled.
    imports: Vec<Import>,
    /// Its services are served.
    pub is_definition: bool,
}

/// One `import`, and its line.
#[derive(Debug)]
struct Import {
    name: String,
    line: u32,
}

impl Root {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), files: BTreeMap::new() }
    }

    /// Reads a definition.
    pub(super) fn add(&mut self, files: &dyn Files, name: &str, limits: &Limits, problems: &mut Problems) {
        let file = format!("{}{name}", self.prefix);
        match read(files, &file, limits) {
            Ok(text) => drop(self.files.insert(name.to_owned(), ProtoFile::new(name, text, true))),
            Err(problem) => problems.push(problem.at(file, 0, "")),
        }
    }

    /// Reads what is imported besides. In a project there is nothing more below a folder; a file by itself has neighbours.
    pub(super) fn add_imports(&mut self, files: &dyn Files, limits: &Limits, problems: &mut Problems) {
        let mut queue: Vec<(String, String, u32)> = self.files.iter().flat_map(|(by, file)| file.wanted(by)).collect();
        let mut besides = 0;
        while let Some((by, name, line)) = queue.pop() {
            if self.files.contains_key(&name) || proto::is_supplied(&name) || climbs(&name) {
                continue;
            }
            let found = if besides < MAX_IMPORTS { read(files, &format!("{}{name}", self.prefix), limits) } else { Err(too_many()) };
            match found {
                Ok(text) => {
                    let file = ProtoFile::new(&name, text, false);
                    queue.extend(file.wanted(&name));
                    self.files.insert(name, file);
                    besides += 1;
                }
                Err(problem) => {
                    let message = format!("the import `{}` cannot be read: {}", short(&name), problem.message);
                    let folder = if self.prefix.is_empty() { "this folder" } else { &self.prefix };
                    let hint = format!("imports are named from {folder}; bring the file there");
                    problems.push(Problem::error("grpc.import", message).at(format!("{}{by}", self.prefix), line, "").hint(hint));
                }
            }
        }
    }

    /// The names of its files, so that one that is imported comes before those that import it, unless they do so in a circle.
    pub(super) fn in_order(&self) -> Vec<&str> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for name in self.files.keys() {
            let mut stack = vec![(name.as_str(), 0)];
            while let Some((name, next)) = stack.pop() {
                let Some(file) = self.files.get(name).filter(|_| next > 0 || seen.insert(name)) else { continue };
                match file.imports.get(next) {
                    Some(import) => stack.extend([(name, next + 1), (&import.name, 0)]),
                    None => order.push(name),
                }
            }
        }
        order
    }

    /// Whether everything that a file imports is there and is none of those.
    pub(super) fn can_import(&self, name: &str, broken: &BTreeSet<&str>) -> bool {
        let fine = |import: &Import| match import.name.as_str() {
            name if broken.contains(name) => false,
            name => self.files.contains_key(name) || proto::is_supplied(name) || climbs(name),
        };
        self.files.get(name).is_some_and(|file| file.imports.iter().all(fine))
    }
}

impl ProtoFile {
    fn new(name: &str, text: String, is_definition: bool) -> Self {
        let imports = imports(name, &text);
        Self { text, imports, is_definition }
    }

    /// Who imports, what, and on which line.
    fn wanted(&self, by: &str) -> Vec<(String, String, u32)> {
        self.imports.iter().map(|import| (by.to_owned(), import.name.clone(), import.line)).collect()
    }
}

fn imports(name: &str, text: &str) -> Vec<Import> {
    let Ok(file) = File::from_source(name, text) else { return Vec::new() };
    let file = file.file_descriptor_proto();
    let lines: BTreeMap<&[i32], i32> = file
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .filter(|location| location.path.first() == Some(&DEPENDENCY))
        .filter_map(|location| Some((&*location.path, *location.span.first()?)))
        .collect();
    let line = |nth: usize| {
        let path = [DEPENDENCY, i32::try_from(nth).ok()?];
        u32::try_from(lines.get(&path[..])? + 1).ok()
    };
    let import = |(nth, name): (usize, &String)| Import { name: name.clone(), line: line(nth).unwrap_or(0) };
    file.dependency.iter().enumerate().map(import).collect()
}

/// Whether a name leads out of the folder. Such an import is refused when its file is compiled.
fn climbs(name: &str) -> bool {
    name.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn too_many() -> Problem {
    Problem::error("grpc.import", format!("more than {MAX_IMPORTS} files are imported"))
}

fn read(files: &dyn Files, name: &str, limits: &Limits) -> Result<String, Problem> {
    let most = limits.bytes.min(MAX_BYTES);
    let bytes = files.read(name, most).map_err(|error| Problem::error("file.unreadable", reason(&error)))?;
    if bytes.len() > most {
        return Err(Problem::error("document.too_large", format!("the file is larger than {most} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| Problem::error("document.encoding", "the text is not UTF-8"))?;
    if lines::is_too_deep(&text) {
        return Err(Problem::error("document.too_deep", format!("more than {} brackets are open at once", lines::MAX_DEPTH)));
    }
    Ok(text)
}
