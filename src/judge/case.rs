//! One request before its judge.

use std::sync::Arc;

use http::{HeaderValue, header};
use pingora_http::RequestHeader;
use tollgate_filter_api::{Answer, Body, Call, Cause, CauseKind, KeyType, Principal, RequestHead, RequestId, Rule, Shown, Views};
use tollgate_plan::Target;

use super::{Facts, Refusal, admit::FieldsPresent, head, internal};
use crate::{
    chain::{self, Run, Verdict, gateway as reasons},
    judge::{Judge, fields::forwarding},
    routes::{Reading, Route, normal},
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

/// What was found out about a request, whatever becomes of it.
pub struct Decision {
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
    /// Bytes of the path that are the base path.
    pub base_len: usize,
    /// What filters know of it.
    pub call: Option<Call>,
    /// Its way through the chain.
    pub run: Option<Run>,
    /// Index of the endpoint group.
    pub group: Option<u32>,
}

/// What comes next.
pub enum Step {
    /// A filter wants the body, up to so many bytes. Ask again with it.
    NeedBody(usize),
    /// The request goes to its endpoint group, or ends here.
    Done(Result<(), Refusal>),
}

/// A request that is being judged.
pub struct Case<'a> {
    judge: &'a Judge,
    facts: Facts<'a>,
    views: Views,
    decision: Decision,
}

impl<'a> Case<'a> {
    /// A request of which nothing was looked at but what goes beside its head. Its filters ask these views.
    pub fn new(judge: &'a Judge, facts: Facts<'a>, views: Views) -> Self {
        let decision = Decision {
            id: RequestId::fresh(facts.number, false),
            place: Place::Nowhere,
            host: Arc::default(),
            present: FieldsPresent::default(),
            hop_by_hop: true,
            base_len: 0,
            call: None,
            run: None,
            group: None,
        };
        Self { judge, facts, views, decision }
    }

    /// What was found out.
    pub fn into_decision(self) -> Decision {
        self.decision
    }

    /// Judges a head, which is changed on the way: its target gets its normal form, fields that are not for filters go, and filters
    /// do as they are told. After [`Step::NeedBody`] goes on with the body.
    pub async fn judge(&mut self, head: &mut RequestHeader, body: Option<&mut Body>) -> Step {
        if self.decision.run.is_none()
            && let Err(refusal) = self.open(head)
        {
            return Step::Done(Err(refusal));
        }
        let ended = match self.chain(head, body).await {
            Verdict::NeedBody(limit) => return Step::NeedBody(limit),
            Verdict::Pass => self.choose_group(),
            Verdict::Stop(answer) => Err(answer.into()),
            Verdict::Fault(fault) => Err(Refusal { fault: Some(fault.clone()), ..chain::render_fault(&fault).into() }),
        };
        self.decision.hop_by_hop = forwarding::is_hop_by_hop(&head.headers);
        Step::Done(ended)
    }

    /// All that comes before the chain.
    fn open(&mut self, head: &mut RequestHeader) -> Result<(), Refusal> {
        let (judge, facts) = (self.judge, &self.facts);
        let trusted = || forwarding::is_trusted(facts.address, &judge.config.proxies);
        self.decision.id = judge.ids.of(&head.headers, facts.number, trusted);
        let reading = head::normalize(head, facts, judge, &mut self.decision)?;
        let index = self.route(head, reading.as_ref())?;
        self.enter(head, index)
    }

    /// The operation.
    fn route(&mut self, head: &RequestHeader, reading: Option<&Reading>) -> Result<u32, Refusal> {
        let decision = &mut self.decision;
        match self.judge.router.find(head.uri.path(), reading, head.method.as_str(), self.facts.secure) {
            Route::Operation { index, base_len } => {
                decision.place = Place::Operation(index);
                decision.base_len = base_len;
                Ok(index)
            }
            Route::MethodNotAllowed { allow } => {
                let value = HeaderValue::from_str(allow).map_err(|_| internal("the methods of a path are no header"))?;
                let cause = unmatched("method", "the definition declares the methods of a path");
                let cause = cause.seen(Shown::sent(head.method.as_str())).wanted(allow.to_owned());
                Err(reasons::METHOD.because(cause).header(header::ALLOW, value).into())
            }
            Route::NoResource { api } => {
                decision.place = Place::Api(api);
                Err(reasons::NO_RESOURCE.because(unmatched("path", "no path of the API's definition matches")).into())
            }
            Route::Ambiguous { api } => {
                decision.place = Place::Api(api);
                Err((&normal::AMBIGUOUS).into())
            }
            Route::NoApi => Err(reasons::NOT_FOUND.because(unmatched("path", "no API's base path matches")).into()),
        }
    }

    /// Says who asks, takes away what filters are not to see, and begins the chain.
    fn enter(&mut self, head: &mut RequestHeader, index: u32) -> Result<(), Refusal> {
        let (judge, facts) = (self.judge, &self.facts);
        let served = &judge.operations[index as usize];
        let proxies = &judge.config.proxies;
        let peer = facts.peer.clone().map_err(|why| {
            let challenge = HeaderValue::from_static("MutualTLS realm=\"api\"");
            let cause = Cause::new(CauseKind::Unverified, "client certificate", Rule::Gateway("/listeners")).detail(why.to_string());
            reasons::CERTIFICATE.because(cause).header(header::WWW_AUTHENTICATE, challenge)
        })?;
        let client = forwarding::client(&head.headers, facts.address, proxies).ok_or_else(nobody)?;
        let forwarded = forwarding::take(head, self.decision.present, facts.address, proxies, &judge.families);
        let call = Call {
            operation: served.info.clone(),
            client,
            secure: facts.secure,
            host: self.decision.host.clone(),
            has_body: facts.has_body,
            now: facts.moment.wall,
            instant: facts.moment.instant,
            request_id: self.decision.id,
            forwarded: forwarded.map_err(|_| {
                let rule = Rule::Fixed("RFC 9110 §5.5");
                reasons::FIELD.because(Cause::new(CauseKind::Malformed, "field that a proxy wrote", rule))
            })?,
        };
        self.decision.call = Some(call);
        self.decision.run = Some(Run::new(&served.chain, peer, std::mem::take(&mut self.views)));
        Ok(())
    }

    /// Runs the chain, from its beginning or from where the body was asked for.
    async fn chain(&mut self, head: &mut RequestHeader, body: Option<&mut Body>) -> Verdict {
        let Decision { place: Place::Operation(index), run: Some(run), call: Some(call), .. } = &mut self.decision else {
            return Verdict::Stop(internal("a request without an operation came to a chain"));
        };
        let chain = &self.judge.operations[*index as usize].chain;
        run.request(chain, RequestHead::wrap_mut(head), call, body).await
    }

    /// The endpoint group for the caller's key, or the answer of a synthetic OPTIONS.
    fn choose_group(&mut self) -> Result<(), Refusal> {
        let Place::Operation(index) = self.decision.place else { return Err(internal("a request without an operation").into()) };
        let served = &self.judge.operations[index as usize];
        let principal = self.decision.run.as_ref().and_then(|run| run.facts.get::<Principal>());
        let index = match &served.target {
            Target::Endpoints { production, sandbox } => match principal.map(|principal| principal.key_type).unwrap_or_default() {
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
            let kind = principal.map(|principal| principal.key_type).unwrap_or_default();
            let seen = if kind == KeyType::Sandbox { "sandbox" } else { "production" };
            reasons::NO_ENDPOINT.because(Cause::new(CauseKind::Unmatched, "kind of key", Rule::Gateway("/endpoints")).seen(seen))
        };
        self.decision.group = Some(index.ok_or_else(none)?);
        Ok(())
    }
}

fn unmatched(about: &'static str, rule: &'static str) -> Cause {
    Cause::new(CauseKind::Unmatched, about, Rule::Fixed(rule))
}

/// A trusted proxy does not say who the client is.
fn nobody() -> Answer {
    let cause = Cause::new(CauseKind::Malformed, "field `X-Forwarded-For`", Rule::Gateway("/trusted_proxies"));
    reasons::FORWARDED.because(cause.detail("it names a client without an address"))
}
