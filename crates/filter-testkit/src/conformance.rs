//! What every filter must do, whatever it does.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use serde_json::Value;
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{Answer, Bytes, Fault, Filter, Kind, Views};

use tollgate_filter_cases::{Answerer, Case, CaseFile, Expected, Failure, Setup, Tree, check, options, request};

use crate::hostile;

/// The headings that every filter's README has, in this order.
pub const HEADINGS: [&str; 4] = ["## What it is for", "## How it decides", "## What it does not protect against", "## In operation"];

/// Any number does; the same one makes every run the same.
const SEED: u64 = 0x70_11_6a_7e;
const ROUNDS: u64 = 50;

/// Runs every check with nothing but what the case files say.
///
/// # Panics
/// With the list of everything that is wrong.
#[track_caller]
pub fn conformance<F: Filter>(kind: &Kind) {
    Conformance::<F>::new(kind).run();
}

/// Adds to a world what the gateway would offer.
pub type WorldMaker = fn(Setup) -> Setup;

/// The checks, for a filter whose cases need things that are made at run time: keys, tokens.
pub struct Conformance<F> {
    kind: Kind,
    documents: Vec<(String, Bytes)>,
    values: Vec<(String, String)>,
    answerer: Option<Answerer>,
    worlds: Vec<(&'static str, WorldMaker)>,
    of: PhantomData<fn() -> F>,
}

impl<F: Filter> Conformance<F> {
    /// Checks of this filter.
    pub fn new(kind: &Kind) -> Self {
        Self { kind: *kind, documents: Vec::new(), values: Vec::new(), answerer: None, worlds: Vec::new(), of: PhantomData }
    }

    /// A document that every case finds.
    #[must_use]
    pub fn document(mut self, location: &str, bytes: impl Into<Bytes>) -> Self {
        self.documents.push((location.to_owned(), bytes.into()));
        self
    }

    /// Replaces `{{name}}` in the text of every case.
    #[must_use]
    pub fn value(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((format!("{{{{{name}}}}}"), value.into()));
        self
    }

    /// How every server answers.
    #[must_use]
    pub fn answer_with(mut self, answerer: Answerer) -> Self {
        self.answerer = Some(answerer);
        self
    }

    /// What case files with `world: NAME` find among the things that filters share.
    #[must_use]
    pub fn with_world(mut self, name: &'static str, make: WorldMaker) -> Self {
        self.worlds.push((name, make));
        self
    }

    /// Runs every check.
    ///
    /// # Panics
    /// With the list of everything that is wrong.
    #[track_caller]
    pub fn run(self) {
        let mut wrong = Vec::new();
        self.identity(&mut wrong);
        schema(&self.kind, &mut wrong);
        readme(&self.kind, &mut wrong);
        self.examples(&mut wrong);
        self.cases(&mut wrong);
        assert!(wrong.is_empty(), "filter `{}` does not conform:\n- {}", self.kind.id, wrong.join("\n- "));
    }

    fn identity(&self, wrong: &mut Vec<String>) {
        let id = self.kind.id;
        if id != F::ID {
            wrong.push(format!("its KIND says `{id}`, its type `{}`", F::ID));
        }
        for reason in self.kind.reasons {
            if !reason.id.starts_with(&format!("{id}.")) {
                wrong.push(format!("the reason `{}` does not begin with `{id}.`", reason.id));
            }
            if reason.help.is_empty() || reason.title.is_empty() {
                wrong.push(format!("the reason `{}` says nothing to the client or to the manual", reason.id));
            }
            if reason.title.ends_with('.') {
                wrong.push(format!("the title of `{}` ends with a full stop", reason.id));
            }
            if self.kind.reasons.iter().filter(|other| other.id == reason.id).count() > 1 {
                wrong.push(format!("the reason `{}` is listed twice", reason.id));
            }
        }
        for metric in self.kind.metrics {
            if !metric.name.starts_with(&format!("{id}_")) || metric.help.is_empty() {
                wrong.push(format!("the series `{}` does not begin with `{id}_`, or says nothing", metric.name));
            }
        }
    }

    /// What the README shows as settings, a YAML block that begins with the ID, builds.
    fn examples(&self, wrong: &mut Vec<String>) {
        let blocks = self.kind.readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        for block in blocks.filter(|block| block.starts_with(&format!("{}:", self.kind.id))) {
            let document = match Document::parse("README.md", block.as_bytes(), &Limits::default()) {
                Ok(document) => document.value(),
                Err(problems) => {
                    wrong.push(format!("an example of its README is not YAML: {problems}"));
                    continue;
                }
            };
            let setup = self.documents.iter().fold(Setup::<()>::new(self.kind), |setup, (at, bytes)| setup.document(at, bytes.clone()));
            setup.world.any_document(Bytes::new());
            match setup.build(&document[self.kind.id]) {
                Err(problem) => wrong.push(format!("an example of its README is refused: {problem}")),
                Ok(None) => wrong.push("an example of its README leaves the filter nothing to do".to_owned()),
                Ok(Some(_)) => {}
            }
        }
    }

    fn cases(&self, wrong: &mut Vec<String>) {
        if self.kind.cases.is_empty() {
            wrong.push("it has no cases".into());
        }
        let mut shown: Vec<String> = Vec::new();
        for (name, text) in self.kind.cases {
            let text = self.values.iter().fold((*text).to_owned(), |text, (key, value)| text.replace(key, value));
            match CaseFile::parse(name, &text) {
                Err(error) => wrong.push(format!("cases/{name}: {error}")),
                Ok(file) if file.world.as_deref().is_some_and(|name| !self.worlds.iter().any(|(known, _)| *known == name)) => {
                    wrong.push(format!("cases/{name}: nobody makes its `world`"));
                }
                Ok(file) => {
                    shown.extend(file.cases.iter().flat_map(reasons_of));
                    self.case_file(name, &file, wrong);
                }
            }
        }
        for reason in self.kind.reasons {
            if !shown.iter().any(|id| id == reason.id) {
                wrong.push(format!("no case shows the reason `{}`", reason.id));
            }
        }
    }

    fn case_file(&self, name: &str, file: &CaseFile, wrong: &mut Vec<String>) {
        let built = self.world(file).build(&file.config);
        match built {
            Err(problem) => return wrong.push(format!("cases/{name}: its settings are refused: {problem}")),
            Ok(None) => return wrong.push(format!("cases/{name}: its settings leave the filter nothing to do")),
            Ok(Some(harness)) => {
                for case in &file.cases {
                    if let Err(error) = guarded(|| check(&harness, file, case)) {
                        wrong.push(format!("cases/{name}: {}: {error}", case.name));
                    }
                }
            }
        }
        self.unknown_keys(name, file, wrong);
        self.failures(name, file, wrong);
        self.again(name, file, wrong);
        if let Err(error) = hostile::file_rounds(|| self.world(file), file, SEED, ROUNDS) {
            wrong.push(format!("cases/{name}: {error}"));
        }
    }

    fn world(&self, file: &CaseFile) -> Setup {
        let mut setup = Setup::new(self.kind).declared(file.declared.clone()).declared_once(file.declared_once.clone());
        if let Some((_, make)) = self.worlds.iter().find(|(name, _)| file.world.as_deref() == Some(name)) {
            setup = make(setup);
        }
        if let Some(answerer) = self.answerer {
            setup.world.answer_with(answerer);
        }
        for (location, bytes) in &self.documents {
            setup = setup.document(location, bytes.clone());
        }
        for (location, text) in &file.documents {
            setup = setup.document(location, text.clone());
        }
        setup
    }

    /// An unknown key, at each place of the settings where a key may stand, is a problem.
    fn unknown_keys(&self, name: &str, file: &CaseFile, wrong: &mut Vec<String>) {
        let tree = Tree::of(&self.kind);
        let mut places = Vec::new();
        objects(&tree, &tree.root, &file.config, String::new(), &mut places);
        for place in places {
            let mut config = file.config.clone();
            if let Some(Value::Object(object)) = config.pointer_mut(&place) {
                object.insert("no_such_option".into(), Value::Bool(true));
            }
            if self.world(file).build(&config).is_ok() {
                wrong.push(format!("cases/{name}: an unknown key at `{place}/` is not refused"));
            }
        }
    }

    /// Every decision follows from the request and the notes of what was asked: it is the same a year later, where the environment fails.
    fn again(&self, name: &str, file: &CaseFile, wrong: &mut Vec<String>) {
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        let (setup, later) = (self.world(file), self.world(file));
        let (Ok(Some(first)), Ok(Some(second))) = (setup.build(&file.config), later.build(&file.config)) else { return };
        later.world.fail(Some(Failure::From(1)));
        second.advance(YEAR);
        for case in &file.cases {
            first.advance(case.after.0);
            let same = guarded(|| {
                let mut run = request(&first, file, case).may_wait().run();
                let views = Views::answering(run.take_notes());
                let again = request(&second, file, case).at(run.moment()).views(views).run();
                let (before, after) = (decided(run.outcome()), decided(again.outcome()));
                if before == after { Ok(()) } else { Err(format!("it came to {before}, and by the notes of it to {after}")) }
            });
            if let Err(error) = same {
                wrong.push(format!("cases/{name}: {}: {error}; it asks something past `cx.views`, or another clock", case.name));
            }
        }
    }

    /// However the environment fails, nothing passes that must not.
    fn failures(&self, name: &str, file: &CaseFile, wrong: &mut Vec<String>) {
        for at in 0..file.cases.len() {
            let (passes, uses) = self.one(file, at, None).unwrap_or_default();
            // What is refused for what came before it passes alone, whatever fails.
            if passes && !matches!(file.cases[at].expect, Expected::Pass(_)) {
                continue;
            }
            for nth in 1..=uses {
                for failure in [Failure::Only(nth), Failure::From(nth)] {
                    let case = &file.cases[at];
                    match self.one(file, at, Some(failure)) {
                        Err(panic) => {
                            wrong.push(format!("cases/{name}: {}: {failure:?} use of the environment failing: {panic}", case.name))
                        }
                        Ok((true, _)) if !matches!(case.expect, Expected::Pass(_)) => {
                            wrong.push(format!("cases/{name}: {}: it passes when {failure:?} use of the environment fails", case.name));
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
    }

    /// One case in a world of its own: whether the request went on, and how often the world was used.
    fn one(&self, file: &CaseFile, at: usize, failure: Option<Failure>) -> Result<(bool, usize), String> {
        guarded(|| {
            let setup = self.world(file);
            setup.world.fail(failure);
            let passed = match setup.build(&file.config) {
                Ok(Some(harness)) => {
                    file.cases[..=at].iter().for_each(|case| harness.advance(case.after.0));
                    matches!(request(&harness, file, &file.cases[at]).may_wait().run().outcome(), Ok(None))
                }
                Ok(None) => true,
                Err(_) => false,
            };
            Ok((passed, setup.world.uses()))
        })
    }
}

/// What a decision came to.
fn decided(outcome: &Result<Option<Answer>, Fault>) -> String {
    match outcome {
        Ok(None) => "pass".to_owned(),
        Ok(Some(answer)) => format!("{} {}", answer.status(), answer.reason().id),
        Err(fault) => fault.id.to_owned(),
    }
}

/// Reasons that a case shows, of the request and of its answer.
fn reasons_of(case: &Case) -> impl Iterator<Item = String> {
    let request = match &case.expect {
        Expected::Refused(refused) | Expected::Reply(refused) => Some(refused),
        Expected::Pass(_) | Expected::Fault(_) => None,
    };
    let answer = case.response.as_ref().and_then(|response| response.refused.as_ref());
    request.into_iter().chain(answer).map(|refused| refused.reason.clone()).collect::<Vec<_>>().into_iter()
}

/// Turns a panic into a sentence, so that the other checks go on.
fn guarded<T>(check: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("it panics: {}", text.unwrap_or("without a word")))
    })
}

/// Places in `config` where the schema knows the keys.
fn objects(tree: &Tree, schema: &Value, config: &Value, place: String, places: &mut Vec<String>) {
    for shape in tree.shapes(schema) {
        match config {
            Value::Object(members) => {
                let Some(Value::Object(properties)) = shape.get("properties") else {
                    for (key, value) in members {
                        if let Some(values @ Value::Object(_)) = shape.get("additionalProperties") {
                            objects(tree, values, value, step(&place, key), places);
                        }
                    }
                    continue;
                };
                if !places.contains(&place) {
                    places.push(place.clone());
                }
                for (key, value) in members {
                    if let Some(property) = properties.get(key) {
                        objects(tree, property, value, step(&place, key), places);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = shape.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        objects(tree, schema, item, format!("{place}/{at}"), places);
                    }
                }
            }
            _ => {}
        }
    }
}

fn step(place: &str, key: &str) -> String {
    tollgate_document::pointer::join(place, key)
}

fn schema(kind: &Kind, wrong: &mut Vec<String>) {
    let tree = Tree::of(kind);
    closed(&tree, &tree.root, "", 12, wrong);
    for option in options(kind) {
        if option.description.trim().is_empty() {
            wrong.push(format!("the option `{}` has no description", option.path));
        }
        if option.text && !option.secret && sounds_secret(&option.path) {
            wrong.push(format!("the option `{}` sounds secret and is not a Secret", option.path));
        }
    }
}

/// Every object with known keys refuses others.
fn closed(tree: &Tree, schema: &Value, path: &str, depth: usize, wrong: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    for shape in tree.shapes(schema) {
        if let Some(Value::Object(properties)) = shape.get("properties") {
            if shape.get("additionalProperties") != Some(&Value::Bool(false)) {
                wrong.push(format!("the settings at `{path}` take unknown keys: add #[serde(deny_unknown_fields)]"));
            }
            for (name, property) in properties {
                closed(tree, property, &format!("{path}.{name}"), depth - 1, wrong);
            }
        }
        for key in ["items", "additionalProperties"] {
            if let Some(inner @ Value::Object(_)) = shape.get(key) {
                closed(tree, inner, path, depth - 1, wrong);
            }
        }
    }
}

fn sounds_secret(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]");
    let words: Vec<&str> = name.split('_').collect();
    words.iter().any(|word| matches!(*word, "password" | "passphrase" | "secret" | "secrets" | "token" | "credential" | "credentials"))
        || name.ends_with("private_key")
        || name.ends_with("api_key")
}

fn readme(kind: &Kind, wrong: &mut Vec<String>) {
    let found: Vec<&str> = kind.readme.lines().filter(|line| line.starts_with("## ")).collect();
    if found != HEADINGS {
        wrong.push(format!("its README must have the headings {HEADINGS:?}, and has {found:?}"));
    }
    for section in kind.readme.split("\n## ").skip(1) {
        if section.split_once('\n').is_none_or(|(_, text)| text.trim().is_empty()) {
            wrong.push(format!("its README says nothing under `{}`", section.trim()));
        }
    }
    if !kind.readme.starts_with(&format!("# {}\n", kind.id)) {
        wrong.push(format!("its README must begin with `# {}`", kind.id));
    }
}
