//! What an operation's bodies are declared to be.
//!
//! Of the request: the keys of `requestBody.content`, in 2.0 `consumes` of the operation or else of the document. Of the answers:
//! the keys of every `responses.*.content`, in 2.0 `produces`; nothing when an answer to a request that succeeds has no content,
//! since that one is good for whatever a client accepts.

use std::collections::BTreeSet;

use tollgate_document::Node;

use crate::input::sources::Sources;
use crate::input::spot::Spot;
use crate::structure::Version;

/// The media types, or ranges of them, that an operation declares: as written, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaTypes {
    /// Of the request's body. Empty: nothing is declared.
    pub consumes: Vec<String>,
    /// Of the answers. Empty: nothing is declared, or an answer to a request that succeeds has no content.
    pub produces: Vec<String>,
}

impl MediaTypes {
    /// Whether nothing is declared.
    pub(crate) fn is_empty(&self) -> bool {
        self.consumes.is_empty() && self.produces.is_empty()
    }
}

/// Nobody declares more for one body, nor more answers; what follows is not read.
const MAX: usize = 100;

type Names<'a> = BTreeSet<&'a str>;

/// An operation, and where what it refers to is found.
struct Reader<'s, 'a> {
    sources: &'a Sources,
    root: Node<'a>,
    operation: &'s Spot<'a>,
    version: Version,
}

pub(crate) fn read<'a>(sources: &'a Sources, root: &Spot<'a>, operation: &Spot<'a>, version: Version) -> MediaTypes {
    let reader = Reader { sources, root: root.node, operation, version };
    let sorted = |names: Names<'a>| names.into_iter().map(str::to_owned).collect();
    MediaTypes { consumes: sorted(reader.consumes()), produces: sorted(reader.produces()) }
}

impl<'a> Reader<'_, 'a> {
    fn consumes(&self) -> Names<'a> {
        match self.version {
            Version::V20 => self.listed("consumes"),
            _ => self.operation.node.get("requestBody").and_then(|body| self.resolved(body)).as_ref().map(content).unwrap_or_default(),
        }
    }

    fn produces(&self) -> Names<'a> {
        let mut names = Names::new();
        let (mut succeeds, mut default_is_empty) = (false, false);
        let responses = self.operation.node.get("responses");
        for (status, response) in responses.iter().flat_map(Node::entries).take(MAX) {
            let Some(response) = self.resolved(response) else { continue };
            let (declared, is_empty) = self.answer(&response);
            match status {
                "default" => default_is_empty = is_empty,
                status if status.starts_with('2') && is_empty => return Names::new(),
                status => succeeds |= status.starts_with('2'),
            }
            names.extend(declared);
        }
        match self.version {
            _ if default_is_empty && !succeeds => Names::new(),
            Version::V20 => self.listed("produces"),
            _ => names,
        }
    }

    /// The media types that an answer declares itself, and whether it has no content.
    fn answer(&self, response: &Node<'a>) -> (Names<'a>, bool) {
        if self.version == Version::V20 {
            return (Names::new(), response.get("schema").is_none());
        }
        let declared = content(response);
        let is_empty = declared.is_empty();
        (declared, is_empty)
    }

    /// The list of 2.0; an operation's own, also an empty one, takes the place of the document's.
    fn listed(&self, key: &str) -> Names<'a> {
        let list = self.operation.node.get(key).or_else(|| self.root.get(key));
        list.iter().flat_map(Node::items).take(MAX).filter_map(|item| item.as_str()).collect()
    }

    /// The node, or what it refers to.
    fn resolved(&self, node: Node<'a>) -> Option<Node<'a>> {
        if node.get("$ref").is_none() {
            return Some(node);
        }
        // Where it stands matters to problems only, and those are told by whoever judges references.
        let spot = Spot { file: self.operation.file, node, pointer: String::new() };
        self.sources.follow(spot).ok().map(|spot| spot.node)
    }
}

fn content<'a>(node: &Node<'a>) -> Names<'a> {
    let names = node.get("content");
    names.iter().flat_map(Node::entries).take(MAX).map(|(name, _)| name).filter(|name| name.contains('/')).collect()
}
