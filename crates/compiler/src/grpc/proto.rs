//! `.proto` files through the compiler of protobuf, and what it finds wrong as problems.

use std::{collections::BTreeSet, sync::Arc};

use miette::Diagnostic;
use prost_reflect::DescriptorPool;
use protox::{
    Compiler, Error,
    file::{File, FileResolver, GoogleFileResolver},
};
use tollgate_document::nearest;
use tollgate_filter_api::{Problem, Problems};

use super::{lines::line_of, root::Root};
use crate::input::sources::short;

/// What files import for the options, and what it holds.
const OPTIONS: &str = "wso2_options.proto";
/// Problems of the files of one folder; more say nothing new.
const MAX_PROBLEMS: usize = 200;
const OPTION_NAMES: [&str; 6] = [
    "wso2.production_endpoints",
    "wso2.sandbox_endpoints",
    "wso2.security",
    "wso2.throttling_tier",
    "wso2.method_throttling_tier",
    "wso2.method_scopes",
];
const OPTIONS_TEXT: &str = include_str!("wso2_options.proto");

/// Whether the gateway has a file of that name, and takes no other.
pub(super) fn is_supplied(name: &str) -> bool {
    name == OPTIONS || name.starts_with("google/protobuf/")
}

/// The files that an import may mean. Nothing is opened any more.
struct Imports {
    root: Arc<Root>,
    google: GoogleFileResolver,
    /// Hand out texts and lines.
    with_lines: bool,
}

impl FileResolver for Imports {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        let text = match self.root.files.get(name) {
            _ if name == OPTIONS => OPTIONS_TEXT,
            Some(file) => &file.text,
            None => return self.google.open_file(name),
        };
        let file = File::from_source(name, text)?;
        if self.with_lines {
            return Ok(file);
        }
        let mut bare = file.file_descriptor_proto().clone();
        bare.source_code_info = None;
        Ok(File::from_file_descriptor_proto(bare))
    }
}

/// Compiles the files of a folder. What comes back has those without a problem, and whose imports have none.
///
/// The compiler looks through a whole file for the line of each error, so files are compiled without lines first, and a second time
/// unless there were too many errors.
pub(super) fn compile(root: Root, problems: &mut Problems) -> (Arc<Root>, DescriptorPool) {
    let root = Arc::new(root);
    let compiler = |with_lines| Compiler::with_file_resolver(Imports { root: root.clone(), google: GoogleFileResolver::new(), with_lines });
    let (mut bare, mut compiler) = (compiler(false), compiler(true));
    let (mut found, mut broken) = (BTreeSet::new(), BTreeSet::new());
    for name in root.in_order() {
        if !root.can_import(name, &broken) {
            broken.insert(name);
            continue;
        }
        let error = match bare.open_file(name) {
            Err(error) if error.related().into_iter().flatten().nth(MAX_PROBLEMS).is_some() => Some(error),
            _ => compiler.open_file(name).err(),
        };
        if let Some(error) = error {
            let file = error.file().unwrap_or(name);
            let text = root.files.get(file).map(|file| &file.text);
            report(&error, &format!("{}{file}", root.prefix), text, &mut found);
            broken.insert(name);
        }
    }
    for (file, line, message, hint) in found {
        problems.push(Problem::error("grpc.proto", message).at(file, line, "").hint(hint));
    }
    (root, compiler.descriptor_pool())
}

/// Every error of a file, each once.
fn report(error: &dyn Diagnostic, file: &str, text: Option<&String>, found: &mut BTreeSet<(String, u32, String, String)>) {
    if found.len() >= MAX_PROBLEMS {
        return;
    }
    let offset = error.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let line = offset.and_then(|offset| Some(line_of(text?, offset))).unwrap_or(0);
    let (message, hint) = in_words(&error.to_string(), error.help().map(|help| help.to_string()).unwrap_or_default());
    found.insert((file.to_owned(), line, message, hint));
    error.related().into_iter().flatten().for_each(|related| report(related, file, text, found));
}

/// Message and hint. Two of the compiler's mislead.
fn in_words(message: &str, hint: String) -> (String, String) {
    if hint.starts_with("imports may not contain") {
        return ("this is not the name of an import".to_owned(), hint);
    }
    let name = message.strip_suffix("which is not defined").and_then(|message| message.split('\'').nth(1));
    let Some(name) = name.filter(|name| name.starts_with("wso2.")) else { return (message.to_owned(), hint) };
    let near = nearest(name, OPTION_NAMES).map(|near| format!("did you mean `{near}`?"));
    (format!("there is no option `{}`", short(name)), near.unwrap_or_else(|| format!("the options are {}", OPTION_NAMES.join(", "))))
}
