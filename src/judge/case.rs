//! One request before its judge.

use std::sync::Arc;

use http::{HeaderValue, header};
use pingora_http::RequestHeader;
use tollgate_filter_api::{Answer, Body, Call, Cause, CauseKind, Former, KeyType, Principal, RequestHead, RequestId, Rule, Shown, Views};
use tollgate_plan::Target;

use super::{Facts, Refusal, Served, admit::FieldsPresent, head, internal};
use crate::{
    chain::{self, Chain, Run, Verdict, gateway as reasons},
    judge::{Judge, fields::forwarding},
    routes::{Asked, Reading, Route, normal},
};

/// Where a request was routed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Not routed.
    Nowhere,
    /// An API, and none of its operations.
    Api(u32),
    /// An operation.
    Operation(u32),
}

/// What was found out about a request before its chain, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct Routing {
    /// Its id.
    pub id: RequestId,
    /// Where it goes.
    pub place: Place,
    /// Host, in normal form.
    pub host: Arc<str>,
    /// What its fields hold that must be seen to.
    pub present: FieldsPresent,
    /// Its fields hold what belongs to one connection.
    pub hop_by_hop: bool,
    /// Bytes of the path that are the base path and not for upstreams.
    pub base_len: usize,
}

impl Routing {
    /// A request of which nothing is known but its number.
    pub fn unknown(id: RequestId) -> Self {
        Self { id, place: Place::Nowhere, host: Arc::default(), present: FieldsPresent::default(), hop_by_hop: true, base_len: 0 }
    }
}

/// A request that has come to the chain of its operation.
pub struct Admitted {
    /// The operation, under the router's number.
    pub operation: u32,
    /// Its chain.
    pub chain: Arc<Chain>,
    /// What filters know of the request.
    pub call: Call,
    /// Its way through the chain.
    pub run: Run,
}

/// What comes next.
pub enum Step {
    /// A filter wants the body, up to so many bytes. Ask again with it.
    NeedBody(usize),
    /// The request goes to the endpoint group of that index, or ends here.
    Done(Result<u32, Refusal>),
}

/// A request that is being judged.
pub struct Case<'a> {
    opening: Opening<'a>,
    admitted: Option<Admitted>,
}

/// What comes before the chain.
struct Opening<'a> {
    judge: &'a Judge,
    facts: Facts<'a>,
    views: Views,
    routing: Routing,
}

impl<'a> Case<'a> {
    /// A request of which nothing was looked at but what goes beside its head. Its filters ask these views.
    pub fn new(judge: &'a Judge, facts: Facts<'a>, views: Views) -> Self {
        let routing = Routing::unknown(RequestId::fresh(facts.number, false));
        Self { opening: Opening { judge, facts, views, routing }, admitted: None }
    }

    /// Where the request goes, as far as that is known.
    pub fn place(&self) -> Place {
        self.opening.routing.place
    }

    /// What was found out, and how far it came in its chain if it has come there.
    pub fn into_parts(self) -> (Routing, Option<Admitted>) {
        (self.opening.routing, self.admitted)
    }

    /// Judges a head, which is changed on the way: its target gets its normal form, fields that are not for filters go, and filters
    /// do as they are told. After [`Step::NeedBody`] goes on with the body.
    pub async fn judge(&mut self, head: &mut RequestHeader, body: Option<&mut Body>) -> Step {
        let Admitted { operation, chain, call, run } = match &mut self.admitted {
            Some(admitted) => admitted,
            none => match self.opening.open(head) {
                Ok(admitted) => none.insert(admitted),
                Err(refusal) => return Step::Done(Err(refusal)),
            },
        };
        let ended = match run.request(chain, RequestHead::wrap_mut(head), call, body).await {
            Verdict::NeedBody(limit) => return Step::NeedBody(limit),
            Verdict::Pass => match self.opening.settle(head) {
                Ok(()) => group(&self.opening.judge.operations[*operation as usize], run.facts.get::<Principal>()),
                Err(refusal) => Err(refusal),
            },
            Verdict::Stop(answer) => Err(answer.into()),
            Verdict::Fault(fault) => Err(Refusal { fault: Some(fault.clone()), ..chain::render_fault(&fault).into() }),
        };
        self.opening.routing.hop_by_hop = forwarding::is_hop_by_hop(&head.headers);
        Step::Done(ended)
    }
}

impl Opening<'_> {
    /// Judges a target that a filter changed as it judges those of clients: what a client sent may be part of it.
    fn settle(&mut self, head: &mut RequestHeader) -> Result<(), Refusal> {
        let Some(former) = Former::of(head) else { return Ok(()) };
        let base = &former.target.path()[..self.routing.base_len];
        let normal = normal::normalize(head.uri.path().as_bytes(), &self.judge.config.gateway.paths)?;
        let rest = normal.path.strip_prefix(base);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            self.routing.base_len = 0;
        }
        let query = head.uri.query().map(|query| normal::query(query.as_bytes())).transpose()?;
        if *normal.path != *head.uri.path() {
            let target = query.map_or_else(|| normal.path.to_string(), |query| format!("{}?{query}", normal.path));
            head.set_uri(target.parse().map_err(|_| &normal::CHARACTER)?);
        }
        Ok(())
    }

    fn open(&mut self, head: &mut RequestHeader) -> Result<Admitted, Refusal> {
        let (judge, facts) = (self.judge, &self.facts);
        let trusted = || forwarding::is_trusted(facts.address, &judge.config.proxies);
        self.routing.id = judge.ids.of(&head.headers, facts.number, trusted);
        let reading = head::normalize(head, facts, judge, &mut self.routing)?;
        let index = self.route(head, reading.as_ref())?;
        head::length(head, &self.routing, judge.body_limit(Some(index)))?;
        self.enter(head, index)
    }

    /// The operation.
    fn route(&mut self, head: &RequestHeader, reading: Option<&Reading>) -> Result<u32, Refusal> {
        let routing = &mut self.routing;
        let asked = Asked {
            host: &routing.host,
            path: head.uri.path(),
            reading,
            query: head.uri.query(),
            method: head.method.as_str(),
            headers: &head.headers,
            secure: self.facts.secure,
        };
        match self.judge.router.find(&asked) {
            Route::Operation { index, base_len } => {
                routing.place = Place::Operation(index);
                let whole_path = self.judge.operations[index as usize].whole_path;
                routing.base_len = if whole_path { 0 } else { base_len };
                Ok(index)
            }
            Route::MethodNotAllowed { allow } => {
                let value = HeaderValue::from_str(allow).map_err(|_| internal("the methods of a path are no header"))?;
                let cause = unmatched("method", "the definition declares the methods of a path");
                let cause = cause.seen(Shown::sent(head.method.as_str())).wanted(allow.to_owned());
                Err(reasons::METHOD.because(cause).header(header::ALLOW, value).into())
            }
            Route::NoResource { api } => {
                routing.place = Place::Api(api);
                Err(reasons::NO_RESOURCE.because(unmatched("path", "no path of the API's definition matches")).into())
            }
            Route::Ambiguous { api } => {
                routing.place = Place::Api(api);
                Err((&normal::AMBIGUOUS).into())
            }
            Route::NoApi => Err(reasons::NOT_FOUND.because(unmatched("path", "no API's base path matches")).into()),
            Route::NoHost => {
                let cause = unmatched("host", "no API and no route is for this host").seen(Shown::sent(&routing.host));
                Err(reasons::NO_HOST.because(cause).into())
            }
        }
    }

    /// Says who asks, takes away what filters are not to see, and begins the chain.
    fn enter(&mut self, head: &mut RequestHeader, operation: u32) -> Result<Admitted, Refusal> {
        let (judge, facts) = (self.judge, &self.facts);
        let served = &judge.operations[operation as usize];
        let proxies = &judge.config.proxies;
        let peer = facts.peer.clone().map_err(|why| {
            let challenge = HeaderValue::from_static("MutualTLS realm=\"api\"");
            let cause = Cause::new(CauseKind::Unverified, "client certificate", Rule::Gateway("/listeners")).detail(why.to_string());
            reasons::CERTIFICATE.because(cause).header(header::WWW_AUTHENTICATE, challenge)
        })?;
        let client = forwarding::client(&head.headers, facts.address, proxies).ok_or_else(nobody)?;
        let forwarded = forwarding::take(head, self.routing.present, facts.address, proxies, &judge.families);
        let call = Call {
            operation: served.info.clone(),
            client,
            secure: facts.secure,
            host: self.routing.host.clone(),
            has_body: facts.has_body,
            now: facts.moment.wall,
            instant: facts.moment.instant,
            request_id: self.routing.id,
            forwarded: forwarded.map_err(|_| {
                let rule = Rule::Fixed("RFC 9110 §5.5");
                reasons::FIELD.because(Cause::new(CauseKind::Malformed, "field that a proxy wrote", rule))
            })?,
        };
        let run = Run::new(&served.chain, peer, std::mem::take(&mut self.views));
        Ok(Admitted { operation, chain: served.chain.clone(), call, run })
    }
}

/// The index of the endpoint group for the caller's key, or the answer of a synthetic OPTIONS.
fn group(served: &Served, principal: Option<&Principal>) -> Result<u32, Refusal> {
    let kind = principal.map(|principal| principal.key_type).unwrap_or_default();
    let index = match &served.target {
        Target::Endpoints { production, sandbox } => match kind {
            KeyType::Production => *production,
            KeyType::Sandbox => *sandbox,
        },
        Target::Options { .. } => {
            let answer = reasons::OPTIONS.answer();
            return Err(match &served.allow {
                Some(allow) => answer.header(header::ALLOW, allow.clone()).into(),
                None => answer.into(),
            });
        }
    };
    let none = || {
        let seen = if kind == KeyType::Sandbox { "sandbox" } else { "production" };
        reasons::NO_ENDPOINT.because(Cause::new(CauseKind::Unmatched, "kind of key", Rule::Gateway("/endpoints")).seen(seen))
    };
    Ok(index.ok_or_else(none)?)
}

fn unmatched(about: &'static str, rule: &'static str) -> Cause {
    Cause::new(CauseKind::Unmatched, about, Rule::Fixed(rule))
}

/// A trusted proxy does not say who the client is.
fn nobody() -> Answer {
    let cause = Cause::new(CauseKind::Malformed, "field `X-Forwarded-For`", Rule::Gateway("/trusted_proxies"));
    reasons::FORWARDED.because(cause.detail("it names a client without an address"))
}
