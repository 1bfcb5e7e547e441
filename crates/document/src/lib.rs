//! YAML and JSON text to a tree that knows its lines.
//!
//! [`Document::parse`] reads a file of either form. Every value has a line, objects keep their order, and a key that
//! stands twice is a [`Problem`], never "the last one wins". [`Document::of`] takes what the reader of another notation has found.
//!
//! It protects against text that is small and means something huge: size, depth, and the number of values once every
//! alias is written out are bounded ([`Limits`]), and neither parser recurses. It does not judge what the values
//! mean; that is the caller's, for instance by [`Document::decode`].

mod builder;
mod decode;
mod json;
mod scalar;
mod tree;
mod written;
mod yaml;

use tollgate_filter_api::{Problem, Problems};

pub use tollgate_filter_api::{nearest, pointer};
pub use tree::{Node, Shape};
pub use written::{Form, Written};

/// Bounds of what a file may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Levels of nesting, aliases included.
    pub depth: usize,
    /// Values, aliases written out; 32 bytes of text count as one more.
    pub nodes: usize,
    /// Bytes of a key. Keys are parts of the pointers that everything read from a document carries.
    pub key: usize,
}

impl Default for Limits {
    /// The largest public API descriptions have about 12 MB, 40 levels and 400,000 values.
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 100, nodes: 2_000_000, key: 1024 }
    }
}

/// A parsed file.
#[derive(Debug)]
pub struct Document {
    name: String,
    nodes: Vec<tree::Slot>,
    root: u32,
}

impl Document {
    /// Parses `bytes`; `name` is what problems call the file. Text that begins with `{` or `[` is read as JSON, and
    /// as YAML when that fails and the name says YAML.
    ///
    /// # Errors
    /// Syntax, encoding, a limit: one problem. Keys that stand twice: all of them.
    pub fn parse(name: &str, bytes: &[u8], limits: &Limits) -> Result<Self, Problems> {
        if bytes.len() > limits.bytes {
            let message = format!("the file is larger than {} bytes", limits.bytes);
            return Err(Problem::error("document.too_large", message).at(name, 0, "").into());
        }
        let text = utf8(name, bytes)?;
        if text.trim_start().starts_with(['{', '[']) {
            let error = match read(name, text, limits, json::parse) {
                Ok(document) => return Ok(document),
                Err(error) => error,
            };
            let may_be_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
            if !may_be_yaml || error.0.iter().any(|p| !p.code.starts_with("json.")) {
                return Err(error);
            }
        }
        read(name, text, limits, yaml::parse)
    }

    /// The name that problems use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The outermost value; null for an empty file.
    pub fn root(&self) -> Node<'_> {
        Node::new(self, self.root, self.nodes[self.root as usize].line)
    }

    /// The value at a JSON Pointer.
    pub fn at(&self, pointer: &str) -> Option<Node<'_>> {
        let mut node = self.root();
        for token in pointer::tokens(pointer)? {
            node = step(node, token)?;
        }
        Some(node)
    }

    /// Line of the value at `pointer`, or of its nearest ancestor that exists.
    pub fn line(&self, pointer: &str) -> u32 {
        let mut node = self.root();
        for token in pointer::tokens(pointer).into_iter().flatten() {
            match step(node, token) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.line()
    }

    /// The whole as JSON, aliases written out.
    pub fn value(&self) -> serde_json::Value {
        self.root().value()
    }

    /// Puts a problem in its place.
    #[must_use]
    pub fn locate(&self, problem: Problem, pointer: &str) -> Problem {
        problem.at(self.name(), self.line(pointer), pointer)
    }
}

fn step<'a>(node: Node<'a>, token: &str) -> Option<Node<'a>> {
    match node.shape() {
        Shape::Array => node.item_at(pointer::index(token)?),
        _ => node.get(&pointer::unescape(token)?),
    }
}

fn read<'a>(
    name: &'a str,
    text: &'a str,
    limits: &'a Limits,
    parse: impl FnOnce(&'a str, &mut builder::Builder<'a>) -> Result<(), Problem>,
) -> Result<Document, Problems> {
    let mut builder = builder::Builder::new(name, limits);
    parse(text, &mut builder)?;
    builder.finish()
}

/// The text without its byte-order mark.
fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, Problems> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let wide = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
        let hint = if wide { "it is UTF-16; save it as UTF-8" } else { "save the file as UTF-8" };
        Problem::error("document.encoding", "the text is not UTF-8").at(name, line, "").hint(hint).into()
    })
}
