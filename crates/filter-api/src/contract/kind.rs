//! The object-safe side of the contract: what the catalogue lists and the chain runs.

use std::{any::Any, future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::HeaderName;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::{
    Answer, AnswerCx, AnswerHead, AnswerUse, Body, BodyUse, Call, Carrier, ChunkCx, Cx, DoneCx, Env, FactSet, Facts, Fault, Filter, Flow,
    Outcome, Page, PageCx, Posture, Problem, Reason, RequestChunkCx, RequestHead, ResponseCx, ResponseHead, Rewrites, UpstreamCx, Views,
    decode, settings::problem::SETTINGS,
};

/// A series a filter writes.
#[derive(Debug)]
pub struct MetricDoc {
    /// Name without the product's prefix.
    pub name: &'static str,
    /// What it counts, and in which unit.
    pub help: &'static str,
}

/// Builds a filter from its settings and the declaration of an operation; `None` when they leave it nothing to do.
pub type BuildFilter = fn(&Value, &Value, &Env) -> Result<Option<Arc<dyn DynFilter>>, Problem>;

/// Judges settings that an operation may not need, or may complete; the pointer of a problem is relative to them.
pub type CheckSettings = fn(&Value) -> Result<(), Problem>;

/// APIs that settings name; none when they cannot be read.
pub type NamedApis = fn(&Value) -> Vec<(String, String)>;

/// One entry of the catalogue.
#[derive(Clone, Copy)]
pub struct Kind {
    /// [`Filter::ID`].
    pub id: &'static str,
    /// [`Filter::ACCEPTS`].
    pub accepts: &'static [&'static str],
    /// [`Filter::ANSWERS`].
    pub answers: bool,
    /// [`Filter::BY_DEFAULT`].
    pub by_default: bool,
    /// [`Filter::CREDENTIALS_ONLY`].
    pub credentials_only: bool,
    /// [`Filter::CERTIFICATE`].
    pub certificate: bool,
    /// [`Filter::SCOPED`].
    pub scoped: bool,
    /// [`Filter::COMPARES_SCOPES`].
    pub compares_scopes: bool,
    /// [`Filter::DECLARED_TO`].
    pub declared_to: &'static str,
    /// [`Filter::REASONS`].
    pub reasons: &'static [Reason],
    /// Names of the facts it needs.
    pub needs: &'static [&'static str],
    /// Names of the facts it gives.
    pub gives: &'static [&'static str],
    /// [`Filter::POSTURE`].
    pub posture: Posture,
    /// [`Filter::METRICS`].
    pub metrics: &'static [MetricDoc],
    /// The prose of its manual page.
    pub readme: &'static str,
    /// Its case files: name and YAML text.
    pub cases: &'static [(&'static str, &'static str)],
    /// Schema of its settings.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Judges settings that may not be complete.
    pub check: CheckSettings,
    /// [`Filter::named_apis`].
    pub named_apis: NamedApis,
    /// Builds it; `None` when settings and declaration leave it nothing to do.
    pub build: BuildFilter,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({})", self.id)
    }
}

impl Kind {
    /// Packs a filter type into a value.
    pub const fn of<F: Filter>(readme: &'static str, cases: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            id: F::ID,
            accepts: F::ACCEPTS,
            answers: F::ANSWERS,
            by_default: F::BY_DEFAULT,
            credentials_only: F::CREDENTIALS_ONLY,
            certificate: F::CERTIFICATE,
            scoped: F::SCOPED,
            compares_scopes: F::COMPARES_SCOPES,
            declared_to: F::DECLARED_TO,
            reasons: F::REASONS,
            needs: F::Needs::NAMES,
            gives: F::Gives::NAMES,
            posture: F::POSTURE,
            metrics: F::METRICS,
            readme,
            cases,
            schema: |generator| generator.subschema_for::<F::Config>(),
            check: check::<F>,
            named_apis: |settings| decode(settings.clone()).map_or_else(|_| Vec::new(), |config| F::named_apis(&config)),
            build: build::<F>,
        }
    }
}

/// Decodes settings and declaration and builds the filter. The pointer of a problem is relative to the one or the other.
fn build<F: Filter>(settings: &Value, declared: &Value, env: &Env) -> Result<Option<Arc<dyn DynFilter>>, Problem> {
    let config = read::<F>(settings)?;
    let declared = declaration::<F>(declared)?;
    if F::is_idle(&config, &declared, env) {
        return Ok(None);
    }
    let filter = F::build(config, declared, env).map_err(coded::<F>)?;
    Ok(Some(Arc::new(Typed::<F>(filter, PhantomData))))
}

/// What a filter complains of has its name in the code.
fn coded<F: Filter>(problem: Problem) -> Problem {
    if problem.code == SETTINGS { Problem { code: SettingsCode::<F>::TEXT, ..problem } } else { problem }
}

/// `ID.settings`, put together when the gateway is compiled.
struct SettingsCode<F>(PhantomData<F>);

impl<F: Filter> SettingsCode<F> {
    const SUFFIX: &'static [u8] = b".settings";
    /// An ID that leaves no room does not compile.
    const BYTES: &'static [u8; 64] = &{
        let mut bytes = [0; 64];
        let (id, rest) = bytes.split_at_mut(F::ID.len());
        id.copy_from_slice(F::ID.as_bytes());
        rest.split_at_mut(Self::SUFFIX.len()).0.copy_from_slice(Self::SUFFIX);
        bytes
    };
    const TEXT: &'static str = match std::str::from_utf8(Self::BYTES.split_at(F::ID.len() + Self::SUFFIX.len()).0) {
        Ok(text) => text,
        Err(_) => panic!("two texts make a text"),
    };
}

/// Decodes what the definition says; null is nothing.
fn declaration<F: Filter>(declared: &Value) -> Result<F::Declared, Problem> {
    if declared.is_null() {
        return Ok(F::Declared::default());
    }
    let wrong = |problem: Problem| Problem {
        code: "filter.declaration",
        message: format!("`{}` cannot read what the definition says to it: {}", F::ID, problem.message),
        ..problem.of_declaration()
    };
    decode(declared.clone()).map_err(wrong)
}

/// Decodes the settings.
fn read<F: Filter>(settings: &Value) -> Result<F::Config, Problem> {
    decode(settings.clone()).map_err(|problem| Problem { code: SETTINGS, message: format!("`{}`: {}", F::ID, problem.message), ..problem })
}

/// Judges what is written. What is missing may yet come from a definition.
fn check<F: Filter>(settings: &Value) -> Result<(), Problem> {
    match decode::<F::Config>(settings.clone()) {
        Err(problem) if problem.code != "decode.missing" => read::<F>(settings).map(drop),
        _ => Ok(()),
    }
}

/// What a request phase comes to: `None` when the request goes on.
pub type FilterFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<Answer>, Fault>> + Send + 'a>>;

/// [`Cx`] without types.
#[allow(missing_docs)]
pub struct DynCx<'a> {
    pub req: &'a mut RequestHead,
    pub call: &'a Call,
    pub facts: &'a mut Facts,
    pub body: Option<&'a mut Body>,
    pub views: &'a mut Views,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`UpstreamCx`] without types.
#[allow(missing_docs)]
pub struct DynUpstream<'a> {
    pub req: &'a mut RequestHead,
    pub call: &'a Call,
    pub facts: &'a Facts,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`RequestChunkCx`] without types.
#[allow(missing_docs)]
pub struct DynRequestChunk<'a> {
    pub body: &'a mut Option<Bytes>,
    pub end: bool,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`PageCx`] without types.
#[allow(missing_docs)]
pub struct DynPage<'a> {
    pub req: &'a RequestHead,
    pub status: u16,
    pub reason: &'static Reason,
    pub call: &'a Call,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`ResponseCx`] without types.
#[allow(missing_docs)]
pub struct DynResponse<'a> {
    pub resp: &'a mut ResponseHead,
    pub is_upstreams: bool,
    pub call: &'a Call,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`AnswerCx`] without types.
#[allow(missing_docs)]
pub struct DynAnswer<'a> {
    pub head: &'a mut AnswerHead,
    pub body: &'a mut Body,
    pub call: &'a Call,
    pub views: &'a mut Views,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`ChunkCx`] without types.
#[allow(missing_docs)]
pub struct DynChunk<'a> {
    pub body: &'a mut Option<Bytes>,
    pub end: bool,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// [`DoneCx`] without types.
#[allow(missing_docs)]
pub struct DynDone<'a> {
    pub call: &'a Call,
    pub outcome: Outcome,
    pub state: &'a mut (dyn Any + Send + Sync),
}

/// The object-safe twin of [`Filter`]; implemented once, for every filter.
pub trait DynFilter: Send + Sync {
    /// [`Filter::ID`].
    fn id(&self) -> &'static str;
    /// [`Filter::request_body`].
    fn request_body(&self) -> BodyUse;
    /// [`Filter::wants_body`].
    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool;
    /// [`Filter::rewrites`].
    fn rewrites(&self) -> Rewrites;
    /// [`Filter::answer_body`].
    fn answer_body(&self) -> Option<AnswerUse>;
    /// [`Filter::owned_headers`].
    fn owned_headers(&self) -> Vec<HeaderName>;
    /// [`Filter::carrier`].
    fn carrier(&self) -> Option<Carrier>;
    /// A fresh scratch; allocates only when the filter has one.
    fn state(&self) -> Box<dyn Any + Send + Sync>;
    /// [`Filter::on_request`]; facts given are stored.
    fn on_request<'a>(&'a self, cx: DynCx<'a>) -> FilterFuture<'a>;
    /// [`Filter::on_upstream`].
    ///
    /// # Errors
    /// The filter's.
    fn on_upstream(&self, cx: DynUpstream<'_>) -> Result<(), Fault>;
    /// [`Filter::on_request_chunk`].
    ///
    /// # Errors
    /// The filter's.
    fn on_request_chunk(&self, cx: DynRequestChunk<'_>) -> Result<(), Fault>;
    /// [`Filter::page`].
    fn page(&self, cx: DynPage<'_>) -> Option<Page>;
    /// [`Filter::on_response`].
    ///
    /// # Errors
    /// The filter's.
    fn on_response(&self, cx: DynResponse<'_>) -> Result<(), Fault>;
    /// [`Filter::on_answer`].
    fn on_answer<'a>(&'a self, cx: DynAnswer<'a>) -> FilterFuture<'a>;
    /// [`Filter::on_chunk`].
    ///
    /// # Errors
    /// The filter's.
    fn on_chunk(&self, cx: DynChunk<'_>) -> Result<(), Fault>;
    /// [`Filter::on_done`].
    fn on_done(&self, cx: DynDone<'_>);
}

struct Typed<F: Filter>(F, PhantomData<fn() -> F>);

/// The load-time check makes this unreachable; if it is reached all the same, the request fails closed.
const NO_NEED: &str = "a declared need is not known";
const NO_STATE: &str = "the scratch is of another filter";

fn state<F: Filter>(state: &mut (dyn Any + Send + Sync)) -> Result<&mut F::State, Fault> {
    state.downcast_mut().ok_or_else(|| Fault::new("chain.state", NO_STATE))
}

impl<F: Filter> DynFilter for Typed<F> {
    fn id(&self) -> &'static str {
        F::ID
    }

    fn request_body(&self) -> BodyUse {
        self.0.request_body()
    }

    fn wants_body(&self, req: &RequestHead, call: &Call) -> bool {
        self.0.wants_body(req, call)
    }

    fn rewrites(&self) -> Rewrites {
        self.0.rewrites()
    }

    fn answer_body(&self) -> Option<AnswerUse> {
        self.0.answer_body()
    }

    fn owned_headers(&self) -> Vec<HeaderName> {
        self.0.owned_headers()
    }

    fn carrier(&self) -> Option<Carrier> {
        self.0.carrier()
    }

    fn state(&self) -> Box<dyn Any + Send + Sync> {
        Box::new(F::State::default())
    }

    fn on_request<'a>(&'a self, cx: DynCx<'a>) -> FilterFuture<'a> {
        Box::pin(async move {
            let given = F::Needs::view(cx.facts).ok_or_else(|| Fault::new("chain.need", NO_NEED))?;
            let state = state::<F>(cx.state)?;
            match self.0.on_request(Cx { req: cx.req, call: cx.call, given, body: cx.body, views: cx.views, state }).await? {
                Flow::Next(gives) => {
                    gives.store(cx.facts);
                    Ok(None)
                }
                Flow::Stop(answer) => Ok(Some(answer)),
            }
        })
    }

    fn on_upstream(&self, cx: DynUpstream<'_>) -> Result<(), Fault> {
        let given = F::Needs::view(cx.facts).ok_or_else(|| Fault::new("chain.need", NO_NEED))?;
        self.0.on_upstream(UpstreamCx { req: cx.req, call: cx.call, given, state: state::<F>(cx.state)? })
    }

    fn on_request_chunk(&self, cx: DynRequestChunk<'_>) -> Result<(), Fault> {
        self.0.on_request_chunk(RequestChunkCx { body: cx.body, end: cx.end, state: state::<F>(cx.state)? })
    }

    fn page(&self, cx: DynPage<'_>) -> Option<Page> {
        let DynPage { req, status, reason, call, .. } = cx;
        self.0.page(PageCx { req, status, reason, call, state: state::<F>(cx.state).ok()? })
    }

    fn on_response(&self, cx: DynResponse<'_>) -> Result<(), Fault> {
        self.0.on_response(ResponseCx { resp: cx.resp, is_upstreams: cx.is_upstreams, call: cx.call, state: state::<F>(cx.state)? })
    }

    fn on_answer<'a>(&'a self, cx: DynAnswer<'a>) -> FilterFuture<'a> {
        Box::pin(async move {
            let state = state::<F>(cx.state)?;
            match self.0.on_answer(AnswerCx { head: cx.head, body: cx.body, call: cx.call, views: cx.views, state }).await? {
                Flow::Next(()) => Ok(None),
                Flow::Stop(answer) => Ok(Some(answer)),
            }
        })
    }

    fn on_chunk(&self, cx: DynChunk<'_>) -> Result<(), Fault> {
        self.0.on_chunk(ChunkCx { body: cx.body, end: cx.end, state: state::<F>(cx.state)? })
    }

    fn on_done(&self, cx: DynDone<'_>) {
        if let Ok(state) = state::<F>(cx.state) {
            self.0.on_done(DoneCx { call: cx.call, outcome: cx.outcome, state });
        }
    }
}
