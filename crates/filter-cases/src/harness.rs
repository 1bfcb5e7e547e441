//! Builds one filter over a fake world.

use std::{any::Any, marker::PhantomData, sync::Arc, time::Duration};

use serde_json::Value;
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{
    Bytes, Carrier, Clock, Declared, DynFilter, Env, Filter, HeaderName, Kind, Metrics, Principal, PrincipalParts, Problem, Readiness,
    Shared,
};

use crate::{FakeClock, FakeDocument, FakeWorld, Request, START, cause::Origin};

/// A filter that runs, and the world around it.
pub struct Harness<F = ()> {
    pub(crate) core: Core,
    of: PhantomData<fn() -> F>,
}

/// What a harness is made of, without the filter's type.
pub(crate) struct Core {
    pub kind: Kind,
    pub filter: Arc<dyn DynFilter>,
    pub world: Arc<FakeWorld>,
    pub clock: Arc<FakeClock>,
    pub metrics: Metrics,
    pub readiness: Readiness,
    pub origin: Arc<Origin>,
}

/// The world before the filter is built.
pub struct Setup<F = ()> {
    kind: Kind,
    /// What the filter asks.
    pub world: Arc<FakeWorld>,
    clock: Arc<FakeClock>,
    shared: Shared,
    metrics: Metrics,
    readiness: Readiness,
    offered: Vec<Arc<dyn Any + Send + Sync>>,
    /// What the definition says to the filter of the operation, and the project once for all.
    declared: (Value, Declared),
    of: PhantomData<fn() -> F>,
}

/// A caller of that name, as a filter that vouches for it would give it.
pub fn principal(subject: &str) -> Principal {
    Principal::new(PrincipalParts { filter: "test", subject: Some(subject.to_owned()), ..PrincipalParts::default() })
}

/// Settings as the gateway reads them.
///
/// # Panics
/// When the text is not YAML: the test is wrong.
pub(crate) fn settings(yaml: &str) -> Value {
    match Document::parse("settings.yaml", yaml.as_bytes(), &Limits::default()) {
        Ok(document) => document.value(),
        Err(problems) => panic!("the settings of this test are not YAML: {problems}"),
    }
}

impl<F> Setup<F> {
    /// Offers a thing that filters share, as the gateway does. This keeps it.
    #[must_use]
    pub fn offering<T: Send + Sync + 'static>(mut self, name: &str, thing: &Arc<T>) -> Self {
        self.shared.offer(name, thing);
        self.offered.push(thing.clone());
        self
    }
}

impl<F: Filter> Harness<F> {
    /// A world to put documents in before the filter is built.
    pub fn setup() -> Setup<F> {
        Setup::new(Kind::of::<F>("", &[]))
    }

    /// Builds the filter from its settings.
    ///
    /// # Panics
    /// When they are not YAML, not legal, or leave the filter nothing to do.
    #[track_caller]
    pub fn yaml(settings: &str) -> Self {
        Self::setup().yaml(settings)
    }

    /// The problem that these settings make.
    ///
    /// # Panics
    /// When they are legal.
    #[track_caller]
    pub fn problem(settings: &str) -> Problem {
        Self::setup().problem(settings)
    }
}

impl Harness {
    /// A world for a filter of the catalogue.
    pub fn of(kind: &Kind) -> Setup {
        Setup::new(*kind)
    }
}

impl<F> Harness<F> {
    /// A request, to be completed and [run](Request::run). The host is `api.example.com`.
    ///
    /// # Panics
    /// When method or path are not legal.
    #[track_caller]
    pub fn request(&self, method: &str, path: &str) -> Request<'_> {
        Request::new(&self.core, method, path)
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.core.clock.advance(by);
    }

    /// The clock.
    pub fn clock(&self) -> &FakeClock {
        &self.core.clock
    }

    /// What `/readyz` would say is missing.
    pub fn missing(&self) -> Vec<String> {
        self.core.readiness.missing(self.core.clock.instant())
    }

    /// Fields in which the upstream reads the filter's own word.
    pub fn owned_headers(&self) -> Vec<HeaderName> {
        self.core.filter.owned_headers()
    }

    /// Where the filter looks for a credential.
    pub fn carrier(&self) -> Option<Carrier> {
        self.core.filter.carrier()
    }

    /// The document at a path or URL.
    pub fn document(&self, location: &str) -> Arc<FakeDocument> {
        self.core.world.document(location)
    }

    /// The value of a series; 0 for one that nobody wrote.
    pub fn metric(&self, name: &str, label: Option<&str>) -> f64 {
        let mut found = 0.0;
        self.core.metrics.read(|series, key, value, _| {
            if series == name && key.map(|(_, value)| value) == label {
                found = value;
            }
        });
        found
    }
}

impl<F> Setup<F> {
    /// A world without a document, for a filter of this kind.
    pub fn new(kind: Kind) -> Self {
        let clock = Arc::new(FakeClock::new(START));
        let world = Arc::new(FakeWorld::new(clock.clone()));
        let (shared, metrics, readiness) = (Shared::default(), Metrics::default(), Readiness::default());
        let declared = (Value::Null, Declared::default());
        Self { kind, world, clock, shared, metrics, readiness, declared, offered: Vec::new(), of: PhantomData }
    }

    /// Puts a document at a path or URL.
    #[must_use]
    pub fn document(self, location: &str, bytes: impl Into<Bytes>) -> Self {
        self.world.document(location).set(bytes);
        self
    }

    /// How every server answers that a filter built from now on asks.
    pub fn answer_with(&self, answerer: crate::Answerer) {
        self.world.answer_with(answerer);
    }

    /// What the definition says to the filter of the operation.
    #[must_use]
    pub fn declared(mut self, content: Value) -> Self {
        self.declared.0 = content;
        self
    }

    /// What the project says to the filter once for all operations.
    #[must_use]
    pub fn declared_once(mut self, content: Value) -> Self {
        self.declared.1 = Declared::new(content);
        self
    }

    /// A document that is known but was never fetched.
    #[must_use]
    pub fn unfetched(self, location: &str) -> Self {
        self.world.document(location);
        self
    }

    /// The world, for a test that builds by itself.
    pub fn env(&self) -> Env {
        Env {
            clock: self.clock.clone() as Arc<dyn Clock>,
            world: self.world.clone(),
            shared: self.shared.clone(),
            metrics: self.metrics.clone(),
            readiness: self.readiness.clone(),
            declared: self.declared.1.clone(),
        }
    }

    /// Builds the filter; `None` when the settings leave it nothing to do.
    ///
    /// # Errors
    /// The filter's.
    pub fn build(&self, settings: &Value) -> Result<Option<Harness<F>>, Problem> {
        let Some(filter) = (self.kind.build)(settings, &self.declared.0, &self.env())? else { return Ok(None) };
        let (world, clock, metrics, readiness) = (self.world.clone(), self.clock.clone(), self.metrics.clone(), self.readiness.clone());
        let origin = Arc::new(Origin::new(self.kind, settings.clone(), self.declared.0.clone()));
        Ok(Some(Harness { core: Core { kind: self.kind, filter, world, clock, metrics, readiness, origin }, of: PhantomData }))
    }

    /// Builds the filter from its settings. May be called again: both then share one world.
    ///
    /// # Panics
    /// When they are not YAML, not legal, or leave the filter nothing to do.
    #[track_caller]
    pub fn yaml(&self, yaml: &str) -> Harness<F> {
        match self.build(&settings(yaml)) {
            Ok(Some(harness)) => harness,
            Ok(None) => panic!("these settings leave `{}` nothing to do", self.kind.id),
            Err(problem) => panic!("`{}` refuses these settings: {problem}", self.kind.id),
        }
    }

    /// The problem that these settings make.
    ///
    /// # Panics
    /// When they are legal.
    #[track_caller]
    pub fn problem(&self, yaml: &str) -> Problem {
        match self.build(&settings(yaml)) {
            Err(problem) => problem,
            Ok(_) => panic!("`{}` takes these settings", self.kind.id),
        }
    }

    /// Whether these settings leave the filter nothing to do.
    ///
    /// # Panics
    /// When they are not legal.
    #[track_caller]
    pub fn is_idle(&self, yaml: &str) -> bool {
        match self.build(&settings(yaml)) {
            Ok(harness) => harness.is_none(),
            Err(problem) => panic!("`{}` refuses these settings: {problem}", self.kind.id),
        }
    }
}
