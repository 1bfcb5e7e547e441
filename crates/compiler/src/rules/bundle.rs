//! Every schema that something refers to, under a number.
//!
//! A schema that has members of one way only, somewhere below it, is lowered once for requests and once for answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use serde_json::{Value, json};
use tollgate_document::{Node, Shape};
use tollgate_filter_api::Problem;
use tollgate_validation::rules::{SchemaNumber, Schemas, WrittenSchema};

use super::{lift::Lifting, loops};
use crate::input::sources::Sources;
use crate::input::spot::Spot;
use crate::structure::Version;

/// The way that a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Way {
    Request,
    Answer,
}

impl Way {
    /// What marks a member that goes the other way only.
    pub(super) fn hides(self) -> &'static str {
        match self {
            Self::Request => "readOnly",
            Self::Answer => "writeOnly",
        }
    }
}

/// What makes one schema another than another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    file: usize,
    pointer: String,
    /// `None`: it is the same both ways.
    way: Option<Way>,
    /// Members that it must not ask for, as they are declared of the other way around it.
    hidden: Vec<String>,
    /// 2.0 and 3.0, which have keywords of their own.
    old: bool,
}

/// A schema that is to be lowered.
struct Task<'a> {
    number: SchemaNumber,
    spot: Spot<'a>,
    key: Key,
}

/// The schemas so far.
pub(super) struct Bundle<'a> {
    pub sources: &'a Sources,
    numbers: HashMap<Key, SchemaNumber>,
    schemas: Vec<WrittenSchema>,
    queue: VecDeque<Task<'a>>,
    busy: bool,
    pub problems: Vec<Problem>,
    /// What depends on the way; `None` until it is asked for first.
    directional: Option<HashSet<(usize, String)>>,
    /// Anchors and identifiers, by file and name.
    pub anchors: BTreeMap<(usize, String), String>,
}

impl<'a> Bundle<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let anchors = anchors(sources);
        Self {
            sources,
            numbers: HashMap::new(),
            schemas: Vec::new(),
            queue: VecDeque::new(),
            busy: false,
            problems: Vec::new(),
            directional: None,
            anchors,
        }
    }

    /// The number of a schema.
    pub(super) fn number(&mut self, spot: &Spot<'a>, way: Way, hidden: BTreeSet<String>, version: Version) -> SchemaNumber {
        let directional = self.directional.get_or_insert_with(|| directional(self.sources));
        let directional = directional.contains(&(spot.file, spot.pointer.clone())) || !hidden.is_empty();
        let old = matches!(version, Version::V20 | Version::V30);
        let hidden = hidden.into_iter().collect();
        let key = Key { file: spot.file, pointer: spot.pointer.clone(), way: directional.then_some(way), hidden, old };
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.add(json!(true), spot);
        self.numbers.insert(key.clone(), number);
        self.queue.push_back(Task { number, spot: spot.clone(), key });
        if !self.busy {
            self.work(version);
        }
        number
    }

    /// Adds a schema that stands nowhere in one piece.
    pub(super) fn add(&mut self, schema: Value, spot: &Spot<'a>) -> SchemaNumber {
        let number = self.schemas.len() as SchemaNumber;
        self.schemas.push(WrittenSchema { schema, file: spot.node.document().name().to_owned() });
        number
    }

    /// Lowers what is queued, and what that refers to, one after the other: schemas may refer to each other in circles.
    fn work(&mut self, version: Version) {
        self.busy = true;
        while let Some(Task { number, spot, key }) = self.queue.pop_front() {
            let way = key.way.unwrap_or(Way::Request);
            let schema = Lifting { bundle: self, way, version }.schema(&spot, &key.hidden.into_iter().collect());
            self.schemas[number as usize].schema = schema;
        }
        self.busy = false;
    }

    pub(super) fn finish(self) -> (Schemas, Vec<Problem>) {
        let Self { schemas, mut problems, .. } = self;
        let schemas = Schemas { schemas };
        problems.extend(loops::problems(&schemas));
        (schemas, problems)
    }
}

/// Members of objects in which nothing is a schema.
pub(super) const DATA: [&str; 6] = ["example", "examples", "default", "enum", "const", "value"];

/// The places of which the meaning depends on the way: those with a member of one way only in them, or in what they refer to.
fn directional(sources: &Sources) -> HashSet<(usize, String)> {
    let mut edges: HashMap<(usize, String), Vec<(usize, String)>> = HashMap::new();
    let mut found = HashSet::new();
    let mut ready = Vec::new();
    for file in 0..sources.files().len() {
        let mut walk = Walk { sources, edges: &mut edges, found: &mut ready };
        walk.node(&sources.root(file), &mut Vec::new());
    }
    while let Some(place) = ready.pop() {
        if found.insert(place.clone()) {
            ready.extend(edges.remove(&place).into_iter().flatten());
        }
    }
    found
}

struct Walk<'w, 'a> {
    sources: &'a Sources,
    /// From what is referred to, to the places that refer to it.
    edges: &'w mut HashMap<(usize, String), Vec<(usize, String)>>,
    found: &'w mut Vec<(usize, String)>,
}

impl<'a> Walk<'_, 'a> {
    /// `above` are the pointers of what stands around.
    fn node(&mut self, spot: &Spot<'a>, above: &mut Vec<String>) {
        above.push(spot.pointer.clone());
        let marks = ["readOnly", "writeOnly"];
        if marks.iter().any(|mark| spot.node.get(mark).and_then(|value| value.as_bool()) == Some(true)) {
            self.found.extend(above.iter().map(|pointer| (spot.file, pointer.clone())));
        }
        if let Some(reference) = spot.node.get("$ref").and_then(|reference| reference.as_str())
            && let Ok(target) = self.sources.resolve(spot.file, reference)
        {
            let referring = above.iter().map(|pointer| (spot.file, pointer.clone()));
            self.edges.entry((target.file, target.pointer)).or_default().extend(referring);
        }
        match spot.node.shape() {
            Shape::Object => spot.entries().filter(|(key, _)| !DATA.contains(key)).for_each(|(_, inner)| self.node(&inner, above)),
            Shape::Array => spot.items().for_each(|inner| self.node(&inner, above)),
            _ => {}
        }
        above.pop();
    }
}

/// Where `$anchor`, `$dynamicAnchor` and `$id` are declared.
fn anchors(sources: &Sources) -> BTreeMap<(usize, String), String> {
    let mut found = BTreeMap::new();
    for (file, source) in sources.files().iter().enumerate() {
        named(source.document.root(), file, "", &mut found);
    }
    found
}

fn named(node: Node<'_>, file: usize, pointer: &str, found: &mut BTreeMap<(usize, String), String>) {
    for key in ["$anchor", "$dynamicAnchor"] {
        if let Some(name) = node.get(key).and_then(|name| name.as_str()) {
            found.entry((file, name.to_owned())).or_insert_with(|| pointer.to_owned());
        }
    }
    match node.shape() {
        Shape::Object => {
            for (key, inner) in node.entries().filter(|(key, _)| !DATA.contains(key)) {
                named(inner, file, &tollgate_document::pointer::join(pointer, key), found);
            }
        }
        Shape::Array => {
            for (index, inner) in node.items().enumerate() {
                named(inner, file, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}
