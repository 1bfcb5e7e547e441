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
    pub anchors: Anchors,
}

impl<'a> Bundle<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let anchors = Anchors::of(sources);
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
const DATA: [&str; 6] = ["example", "examples", "default", "enum", "const", "value"];
/// Members of objects that have names of the author's, of which any may be one of those words.
const NAMED: [&str; 11] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
    "schemas",
    "parameters",
    "responses",
    "requestBodies",
    "headers",
    "callbacks",
];

/// The members in which schemas may be, and whether each has names in it. `is_named` says so of the object itself.
fn members<'a>(node: Node<'a>, is_named: bool) -> impl Iterator<Item = (&'a str, Node<'a>, bool)> {
    let is_looked_at = move |(key, _): &(&str, Node<'_>)| is_named || !DATA.contains(key);
    node.entries().filter(is_looked_at).map(move |(key, inner)| (key, inner, !is_named && NAMED.contains(&key)))
}

/// The places of which the meaning depends on the way: those with a member of one way only in them, or in what they refer to.
fn directional(sources: &Sources) -> HashSet<(usize, String)> {
    let mut edges: HashMap<(usize, String), Vec<(usize, String)>> = HashMap::new();
    let mut found = HashSet::new();
    let mut ready = Vec::new();
    for file in 0..sources.files().len() {
        let mut walk = Walk { sources, edges: &mut edges, found: &mut ready };
        walk.node(&sources.root(file), false, &mut Vec::new());
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
    fn node(&mut self, spot: &Spot<'a>, is_named: bool, above: &mut Vec<String>) {
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
            Shape::Object => {
                for (key, node, is_named) in members(spot.node, is_named) {
                    let inner = Spot { file: spot.file, node, pointer: tollgate_document::pointer::join(&spot.pointer, key) };
                    self.node(&inner, is_named, above);
                }
            }
            Shape::Array => spot.items().for_each(|inner| self.node(&inner, false, above)),
            _ => {}
        }
        above.pop();
    }
}

/// The names that schemas have beside their places: `$anchor`, `$dynamicAnchor` and `$id`.
#[derive(Default)]
pub(super) struct Anchors {
    /// By file and name: where they stand.
    named: BTreeMap<(usize, String), Vec<String>>,
    /// By file and `$id`, as written.
    identified: BTreeMap<(usize, String), Vec<String>>,
    /// How often each `$dynamicAnchor` is declared, in all files.
    dynamic: BTreeMap<String, usize>,
}

impl Anchors {
    fn of(sources: &Sources) -> Self {
        let mut anchors = Self::default();
        for (file, source) in sources.files().iter().enumerate() {
            anchors.gather(source.document.root(), file, "", false);
        }
        anchors
    }

    fn gather(&mut self, node: Node<'_>, file: usize, pointer: &str, is_named: bool) {
        let text = |key: &str| node.get(key).filter(|_| !is_named).and_then(|name| name.as_str()).map(str::to_owned);
        for name in ["$anchor", "$dynamicAnchor"].into_iter().filter_map(text) {
            self.named.entry((file, name)).or_default().push(pointer.to_owned());
        }
        if let Some(name) = text("$dynamicAnchor") {
            *self.dynamic.entry(name).or_default() += 1;
        }
        if let Some(id) = text("$id") {
            self.identified.entry((file, id)).or_default().push(pointer.to_owned());
        }
        match node.shape() {
            Shape::Object => {
                for (key, inner, is_named) in members(node, is_named) {
                    self.gather(inner, file, &tollgate_document::pointer::join(pointer, key), is_named);
                }
            }
            Shape::Array => {
                for (index, inner) in node.items().enumerate() {
                    self.gather(inner, file, &format!("{pointer}/{index}"), false);
                }
            }
            _ => {}
        }
    }

    /// Whether a schema of that file has an `$id`.
    pub(super) fn has_identifiers(&self, file: usize) -> bool {
        self.identified.keys().any(|(other, _)| *other == file)
    }

    /// The one place that a reference names without a pointer. One name for several schemas is none: which of them is meant depends on base
    /// URIs, and on the way by which a message's value is reached.
    pub(super) fn find(&self, file: usize, reference: &str, is_dynamic: bool) -> Option<&str> {
        let places = match reference.strip_prefix('#') {
            Some(name) if is_dynamic && self.dynamic.get(name).is_some_and(|count| *count > 1) => return None,
            Some(name) => self.named.get(&(file, name.to_owned()))?,
            None => self.identified.get(&(file, reference.to_owned()))?,
        };
        Some(places.first().filter(|_| places.len() == 1)?)
    }
}
