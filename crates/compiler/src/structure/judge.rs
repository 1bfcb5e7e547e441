//! Walks a document along the tables and says what does not fit.

use std::collections::{HashMap, HashSet};

use tollgate_document::{Node, nearest, pointer};
use tollgate_filter_api::{Problem, Severity, edits};

use super::schema;
use super::shape::{FROM31, Field, Key, Rest, Rule, Shape, V20, V30, V31, V32, Versions};
use super::text;
use crate::extensions;
use crate::input::sources::{Dangling, Sources, short};
use crate::input::spot::Spot;

/// A document with more problems than this is not one that a person wrote wrongly.
pub(super) const MAX_PROBLEMS: usize = 200;

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// What a reference must lead to.
#[derive(Clone, Copy)]
enum Expected {
    Object(&'static Shape),
    Schema,
}

impl Expected {
    /// Identity of the table.
    fn table(self) -> usize {
        match self {
            Self::Object(shape) => std::ptr::from_ref(shape) as usize,
            Self::Schema => 0,
        }
    }
}

/// Judges one definition, and the parts of other files that it refers to.
pub(crate) struct Judge<'a> {
    sources: &'a Sources,
    pub(super) version: Versions,
    lenient: bool,
    errors: usize,
    warnings: usize,
    file: usize,
    base: String,
    steps: Vec<Step<'a>>,
    queue: Vec<(Spot<'a>, Expected)>,
    /// File, node and table of what was judged already.
    seen: HashSet<(usize, u32, usize)>,
    /// The same for what references led to.
    targets: HashSet<(usize, u32, usize)>,
    anchors: HashMap<usize, Anchors<'a>>,
    /// Where each `operationId` was written first.
    pub(super) operation_ids: HashMap<&'a str, (String, u32)>,
    problems: Vec<Problem>,
}

#[derive(Default)]
struct Anchors<'a> {
    names: HashSet<&'a str>,
    has_id: bool,
}

impl<'a> Judge<'a> {
    /// `lenient`: the definition was written for the reference product.
    pub(crate) fn new(sources: &'a Sources, version: Versions, lenient: bool) -> Self {
        Self {
            sources,
            version,
            lenient,
            errors: 0,
            warnings: 0,
            file: 0,
            base: String::new(),
            steps: Vec::new(),
            queue: Vec::new(),
            seen: HashSet::new(),
            targets: HashSet::new(),
            anchors: HashMap::new(),
            operation_ids: HashMap::new(),
            problems: Vec::new(),
        }
    }

    /// Judges the document at `root` as `shape`, then everything it refers to.
    pub(crate) fn run(mut self, root: Spot<'a>, shape: &'static Shape) -> Vec<Problem> {
        self.queue.push((root, Expected::Object(shape)));
        while let Some((spot, target)) = self.queue.pop() {
            self.file = spot.file;
            self.base = spot.pointer;
            match target {
                Expected::Object(shape) => self.object(spot.node, shape),
                Expected::Schema => self.schema(spot.node),
            }
        }
        self.problems
    }

    /// Nothing more is judged. Warnings, and what is forgiven, only stop being told: errors behind them must not go unseen.
    fn full(&self) -> bool {
        self.errors >= MAX_PROBLEMS
    }

    fn here(&self) -> String {
        let mut place = self.base.clone();
        for step in &self.steps {
            place.push('/');
            match step {
                Step::Key(key) => place.push_str(&pointer::escape(key)),
                Step::Index(index) => place.push_str(&index.to_string()),
            }
        }
        place
    }

    /// Places a problem at the node that is being judged.
    pub(super) fn report(&mut self, node: Node<'a>, problem: Problem) {
        let mut problem = problem.at(node.document().name(), node.line(), self.here());
        if self.lenient && super::forgivable(&problem) {
            problem.severity = Severity::Warning;
        }
        let count = if problem.severity == Severity::Error { &mut self.errors } else { &mut self.warnings };
        *count += 1;
        if *count <= MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    pub(super) fn error(&mut self, node: Node<'a>, code: &'static str, message: impl Into<String>) {
        self.report(node, Problem::error(code, message));
    }

    /// Places a problem at a member of the node that is being judged.
    pub(super) fn report_member(&mut self, key: &'a str, member: Node<'a>, problem: Problem) {
        self.within(key, member, |judge, member| judge.report(member, problem));
    }

    /// Places a problem at an item of a list member of the node that is being judged.
    pub(super) fn report_item(&mut self, list: &'a str, index: usize, item: Node<'a>, problem: Problem) {
        self.steps.push(Step::Key(list));
        self.steps.push(Step::Index(index));
        self.report(item, problem);
        self.steps.truncate(self.steps.len() - 2);
    }

    /// Runs `judge` one member deeper.
    pub(super) fn within(&mut self, key: &'a str, node: Node<'a>, judge: impl FnOnce(&mut Self, Node<'a>)) {
        self.steps.push(Step::Key(key));
        judge(self, node);
        self.steps.pop();
    }

    /// Pointer and line of the node that is being judged.
    pub(super) fn place(&self, node: Node<'a>) -> (String, u32) {
        (format!("{}#{}", node.document().name(), self.here()), node.line())
    }

    pub(super) fn follow(&self, node: Node<'a>) -> Result<Spot<'a>, Dangling> {
        self.sources.follow(Spot { file: self.file, node, pointer: self.here() })
    }

    fn object(&mut self, node: Node<'a>, shape: &'static Shape) {
        if !self.expect(node, node.shape() == tollgate_document::Shape::Object, "an object") {
            return;
        }
        if self.full() || !self.seen.insert((self.file, node.id(), std::ptr::from_ref(shape) as usize)) {
            return;
        }
        for (key, value) in node.entries() {
            if self.full() {
                return;
            }
            self.within(key, value, |judge, value| judge.member(key, value, shape));
        }
        for field in shape.fields {
            if field.required & self.version != 0 && node.get(field.name).is_none() {
                let message = format!("`{}` is missing in {}", field.name, shape.name);
                self.error(node, "structure.missing", message);
            }
        }
        if let Some(check) = shape.check {
            check(self, node);
        }
    }

    fn member(&mut self, key: &'a str, value: Node<'a>, shape: &'static Shape) {
        let field = shape.fields.iter().find(|f| f.name == key && f.versions & self.version != 0);
        match (field, &shape.rest) {
            (Some(field), _) => self.rule(value, field.rule),
            (None, _) if key.starts_with("x-") => self.extension(key, value, shape),
            (None, Rest::Anything) => {}
            (None, Rest::Keyed(pattern, rule)) => {
                self.key(key, value, *pattern);
                self.rule(value, *rule);
            }
            (None, Rest::Extensions) => self.unknown(key, value, shape),
        }
    }

    /// Those of the document, of paths and of operations are judged where they are served.
    fn extension(&mut self, key: &str, value: Node<'a>, shape: &'static Shape) {
        if !super::is_read(shape)
            && let Some(problem) = extensions::elsewhere(key, shape.name, self.lenient)
        {
            self.report(value, problem);
        }
    }

    fn unknown(&mut self, key: &str, value: Node<'a>, shape: &'static Shape) {
        let known = |f: &&Field| f.versions & self.version != 0;
        let elsewhere = shape.fields.iter().find(|f| f.name == key);
        let near = nearest(key, shape.fields.iter().filter(known).map(|f| f.name));
        // Never forgiven: what was to be asked for there would not be.
        let is_security = super::is_read(shape) && edits(&extensions::fold(key), "security") <= 2;
        let hint = match (elsewhere, near) {
            (None, None) if is_security => "it belongs at the root of the document or in an operation".to_owned(),
            (Some(field), _) => {
                format!("it belongs to {}, this document is {}", names(field.versions), names(self.version))
            }
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => "remove it, or begin its name with `x-`".to_owned(),
        };
        let message = format!("{} has no member `{}`", shape.name, short(key));
        let code = if is_security { "security.unknown_key" } else { "structure.unknown_key" };
        self.report(value, Problem::error(code, message).hint(hint));
    }

    fn rule(&mut self, node: Node<'a>, rule: Rule) {
        match rule {
            Rule::Any => {}
            Rule::Text => {
                self.text(node);
            }
            Rule::Uri | Rule::Email => self.formatted(node, rule),
            Rule::Bool => {
                self.expect(node, node.as_bool().is_some(), "a boolean");
            }
            Rule::Number => {
                self.expect(node, node.as_number().is_some(), "a number");
            }
            Rule::Positive => {
                let positive = node.as_number().and_then(serde_json::Number::as_f64).is_some_and(|n| n > 0.0);
                self.expect(node, positive, "a number greater than zero");
            }
            Rule::Count => {
                let whole = |n: &serde_json::Number| n.as_u64().is_some() || n.as_f64().is_some_and(whole);
                self.expect(node, node.as_number().is_some_and(whole), "a whole number, not negative");
            }
            Rule::OneOf(words) => self.one_of(node, words),
            Rule::Is(shape) => self.object(node, shape),
            Rule::Ref(shape) => match node.get("$ref") {
                Some(reference) => self.reference(node, reference, Expected::Object(shape)),
                None => self.object(node, shape),
            },
            Rule::List(rule) => {
                self.list(node, *rule);
            }
            Rule::Filled(rule) => {
                if self.list(node, *rule) && node.is_empty() {
                    self.error(node, "structure.empty", "the list must not be empty");
                }
            }
            Rule::Names => self.names(node),
            Rule::Map(key, rule) => self.map(node, key, *rule),
            Rule::Schema => self.schema(node),
            Rule::SchemaOrBool if node.as_bool().is_some() => {}
            Rule::SchemaOrBool => self.schema(node),
            Rule::Requirement => self.requirement(node),
            Rule::OrList(_, rule) if node.shape() == tollgate_document::Shape::Array => {
                self.list(node, *rule);
            }
            Rule::OrList(rule, _) => self.rule(node, *rule),
        }
    }

    /// Reports a node of the wrong kind; returns whether it was right.
    fn expect(&mut self, node: Node<'a>, fits: bool, expected: &str) -> bool {
        if !fits {
            let message = format!("expected {expected}, found {}", found(node));
            let quotes = expected == "a string" && (node.as_number().is_some() || node.as_bool().is_some());
            let hint = if quotes { "put quotes around it" } else { "" };
            self.report(node, Problem::error("structure.type", message).hint(hint));
        }
        fits
    }

    fn text(&mut self, node: Node<'a>) -> Option<&'a str> {
        self.expect(node, node.as_str().is_some(), "a string");
        node.as_str()
    }

    fn formatted(&mut self, node: Node<'a>, rule: Rule) {
        let Some(value) = self.text(node) else { return };
        let (good, expected) = match rule {
            Rule::Email => (text::is_email(value), "an e-mail address"),
            _ => (text::is_uri_reference(value), "a URL"),
        };
        if !good {
            self.error(node, "structure.format", format!("`{}` is not {expected}", short(value)));
        }
    }

    fn one_of(&mut self, node: Node<'a>, words: &[&str]) {
        let Some(value) = self.text(node) else { return };
        if !words.contains(&value) {
            let message = format!("`{}` is not one of {}", short(value), words.join(", "));
            let hint = nearest(value, words.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            self.report(node, Problem::error("structure.value", message).hint(hint.unwrap_or_default()));
        }
    }

    fn list(&mut self, node: Node<'a>, rule: Rule) -> bool {
        let is_list = node.shape() == tollgate_document::Shape::Array;
        self.expect(node, is_list, "an array");
        for (index, item) in node.items().enumerate() {
            self.steps.push(Step::Index(index));
            self.rule(item, rule);
            self.steps.pop();
        }
        is_list
    }

    fn names(&mut self, node: Node<'a>) {
        self.list(node, Rule::Text);
        let mut known = HashSet::new();
        for (index, item) in node.items().enumerate() {
            let Some(name) = item.as_str() else { continue };
            if !known.insert(name) {
                self.steps.push(Step::Index(index));
                self.error(item, "structure.duplicate", format!("`{}` stands in the list twice", short(name)));
                self.steps.pop();
            }
        }
    }

    fn map(&mut self, node: Node<'a>, pattern: Key, rule: Rule) {
        if !self.expect(node, node.shape() == tollgate_document::Shape::Object, "an object") {
            return;
        }
        for (key, value) in node.entries() {
            if self.full() {
                return;
            }
            self.within(key, value, |judge, value| {
                if pattern == Key::Media && !key.contains('/') {
                    let problem = Problem::warning("structure.media_type", format!("`{}` is no media type; nobody reads it", short(key)));
                    judge.report(value, problem.hint("a media type reads `application/json`"));
                    return;
                }
                judge.key(key, value, pattern);
                judge.rule(value, rule);
            });
        }
    }

    fn key(&mut self, key: &str, value: Node<'a>, pattern: Key) {
        let (good, expected) = match pattern {
            Key::Any | Key::Media => (true, ""),
            Key::Component => (text::is_component_key(key), "letters, digits, `.`, `-` and `_` only"),
            Key::Path => (key.starts_with('/'), "a path that begins with `/`"),
            Key::Status => (text::is_status(key, self.version == V20), "a status such as `200` or `4XX`, or `default`"),
            Key::Method => (text::is_extra_method(key), "a method that has no member of its own"),
        };
        if !good {
            let message = format!("the key `{}` is not {expected}", short(key));
            self.error(value, "structure.key", message);
        }
    }

    fn requirement(&mut self, node: Node<'a>) {
        if let Some(name) = node.as_str() {
            let message = format!("`{}` is a string; a security requirement is an object", short(name));
            let hint = "write `- name: []`, with a space before the brackets; it is read as if it were so";
            self.report(node, Problem::warning("security.form", message).hint(hint));
            return;
        }
        self.map(node, Key::Any, Rule::List(&Rule::Text));
    }

    fn schema(&mut self, node: Node<'a>) {
        let modern = self.version & FROM31 != 0;
        if modern && node.as_bool().is_some() {
            return;
        }
        let expected = if modern { "a schema: an object or a boolean" } else { "a schema: an object" };
        if !self.expect(node, node.shape() == tollgate_document::Shape::Object, expected) {
            return;
        }
        if let Some(reference) = node.get("$ref") {
            self.reference(node, reference, Expected::Schema);
            if !modern {
                return;
            }
        }
        self.object(node, if modern { &schema::NEW } else { &schema::OLD });
    }

    fn reference(&mut self, node: Node<'a>, reference: Node<'a>, target: Expected) {
        let resolved = match (reference.as_str(), target) {
            (None, _) => {
                self.within("$ref", reference, |judge, node| {
                    judge.expect(node, false, "a string");
                });
                return;
            }
            (Some(text), Expected::Schema) if self.is_anchor(text) => return,
            (Some(text), Expected::Schema) => self.sources.resolve(self.file, text),
            (Some(_), Expected::Object(_)) => self.follow(node),
        };
        match resolved {
            Ok(spot) => {
                // A schema may be nothing but a reference to itself; each target is judged once as each thing.
                if self.targets.insert((spot.file, spot.node.id(), target.table())) {
                    self.queue.push((spot, target));
                }
            }
            Err(lost) => self.within("$ref", reference, |judge, node| {
                judge.report(node, Problem { hint: lost.hint, ..Problem::error(lost.code, lost.message) });
            }),
        }
    }

    /// JSON Schema's own ways to name a schema, which only 3.1 has.
    fn is_anchor(&mut self, reference: &str) -> bool {
        if self.version & FROM31 == 0 {
            return false;
        }
        let file = self.file;
        let root = self.sources.root(file).node;
        let anchors = self.anchors.entry(file).or_insert_with(|| {
            let mut anchors = Anchors::default();
            collect_anchors(root, &mut anchors);
            anchors
        });
        match reference.strip_prefix('#') {
            Some(name) => anchors.names.contains(name),
            None => anchors.has_id,
        }
    }
}

fn collect_anchors<'a>(node: Node<'a>, anchors: &mut Anchors<'a>) {
    for item in node.items() {
        collect_anchors(item, anchors);
    }
    for (key, value) in node.entries() {
        match (key, value.as_str()) {
            ("$anchor" | "$dynamicAnchor", Some(name)) => {
                anchors.names.insert(name);
            }
            ("$id", Some(_)) => anchors.has_id = true,
            _ => collect_anchors(value, anchors),
        }
    }
}

fn whole(number: f64) -> bool {
    number >= 0.0 && number.fract() == 0.0
}

fn found(node: Node<'_>) -> String {
    match (node.shape(), node.text()) {
        (tollgate_document::Shape::String, Some(text)) => format!("the string `{}`", short(&text)),
        (_, Some(text)) => format!("{} ({})", node.shape().name(), short(&text)),
        (shape, None) => shape.name().to_owned(),
    }
}

/// Names of versions for a message.
fn names(versions: Versions) -> String {
    let all = [(V20, "2.0"), (V30, "3.0"), (V31, "3.1"), (V32, "3.2")];
    let named: Vec<&str> = all.iter().filter(|(bit, _)| versions & bit != 0).map(|(_, name)| *name).collect();
    format!("OpenAPI {}", named.join(", "))
}
