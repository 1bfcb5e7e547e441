//! What runs: asks, and does what was decided.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use tollgate_filter_api::{
    Answer, BodyUse, Call, Counter, Cx, Env, Fault, Filter, Flow, MetricDoc, Posture, Problem, Reason, Remote, RemotePolicy, RemoteRequest,
    RemoteResponse, Reply, RequestHead, ResponseCx, UpstreamCx, View, Views, reserved,
};
use tollgate_url::{Url, redacted};

use crate::{
    Config,
    config::{Failure, Headers, Reach},
    grpc,
    lists::{List, names},
    query, rest,
    verdict::{Allowed, Denied, Verdict},
};

const DENIED: Reply = Reply::new(
    "ext_authz.denied",
    403,
    "The external service refuses the request",
    "Status, body and the fields of `headers.client` are the service's. Its own log says why.",
);

/// The `ext_authz` filter.
pub struct ExtAuthz {
    service: View<Arc<dyn Remote>>,
    /// Its URL without a query, for notes.
    place: String,
    way: Way,
    fields: Fields,
    body: Option<usize>,
    failure: Failure,
    passed_unasked: Counter,
}

/// What the service said of a request that may pass.
#[derive(Debug, Default)]
pub struct State(Option<Box<Allowed>>);

/// How the service is asked.
enum Way {
    /// What stands before the path.
    Http(String),
    /// Words for the service.
    Grpc(HashMap<String, String>),
}

/// Which fields go where.
pub(crate) struct Fields {
    request: List,
    pub upstream: Vec<HeaderName>,
    pub remove: List,
    pub client: List,
    pub client_on_success: List,
}

impl Fields {
    fn parse(headers: &Headers, is_grpc: bool) -> Result<Self, Problem> {
        let by_default = || vec![if is_grpc { "*".to_owned() } else { AUTHORIZATION.as_str().to_owned() }];
        Ok(Self {
            request: List::parse("request", &headers.request.clone().unwrap_or_else(by_default))?,
            upstream: names("upstream", &headers.upstream)?,
            remove: List::parse("remove", &headers.remove)?,
            client: List::parse("client", &headers.client)?,
            client_on_success: List::parse("client_on_success", &headers.client_on_success)?,
        })
    }

    /// Those of a request that the service may read.
    pub fn of_request<'r>(&self, req: &'r RequestHead) -> impl Iterator<Item = (&'r HeaderName, &'r HeaderValue)> {
        req.fields().iter().filter(|(name, _)| self.request.has(name.as_str()) && reserved(name.as_str()).is_none())
    }
}

impl Filter for ExtAuthz {
    const ID: &'static str = "ext_authz";
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = &[*DENIED.reason()];
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[MetricDoc {
        name: "ext_authz_failure_allowed_total",
        help: "Requests that passed because `failure: allow` is set and the service decided nothing",
    }];
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = State;

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        let (remote, url, way) = match (&config.http, &config.grpc) {
            (Some(http), None) => {
                if !(http.path_prefix.is_empty()
                    || http.path_prefix.starts_with('/') && http.path_prefix.parse::<http::uri::PathAndQuery>().is_ok())
                {
                    return Err(Problem::setting("/http/path_prefix", "it begins with `/` and has no query"));
                }
                let policy = policy("/http/url", &http.url, &http.reach)?;
                let remote = env.world.remote(&http.url, policy).map_err(|found| at("/http/url", &found))?;
                (remote, &http.url, Way::Http(http.path_prefix.clone()))
            }
            (None, Some(grpc)) => {
                let policy = policy("/grpc/url", &grpc.url, &grpc.reach)?;
                let remote = env.world.remote_http2(&grpc.url, policy).map_err(|found| at("/grpc/url", &found))?;
                (remote, &grpc.url, Way::Grpc(config.context.clone().into_iter().collect()))
            }
            _ => return Err(Problem::setting("", "it needs one of `http` and `grpc`, which say where the service is")),
        };
        Ok(Self {
            service: View::new("ext_authz.service", remote),
            place: redacted(url),
            fields: Fields::parse(&config.headers, matches!(way, Way::Grpc(_)))?,
            way,
            body: config.body.map(|limit| usize::try_from(limit.0).unwrap_or(usize::MAX)),
            failure: config.failure,
            passed_unasked: env.metrics.counter("ext_authz_failure_allowed_total", None),
        })
    }

    fn request_body(&self) -> BodyUse {
        self.body.map_or(BodyUse::None, BodyUse::Whole)
    }

    fn owned_headers(&self) -> Vec<HeaderName> {
        self.fields.upstream.clone()
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let body = cx.body.as_ref().map(|body| body.bytes().clone());
        let asked = match self.question(cx.req, cx.call, body) {
            Ok(question) => self.ask(question, cx.views).await?,
            Err(why) => Err(why),
        };
        match asked.and_then(|answer| self.verdict(answer)) {
            Ok(Verdict::Denied(denied)) => Ok(Flow::Stop(answer(denied))),
            Ok(Verdict::Allowed(allowed)) => {
                if !allowed.query_set.is_empty() || !allowed.query_removed.is_empty() {
                    let query = query::changed(cx.req.query(), &allowed.query_removed, &allowed.query_set);
                    cx.req.set_query(query.as_deref()).map_err(|_| undecided("the service sets a query that cannot be sent"))?;
                }
                allowed.removed.iter().for_each(|name| cx.req.remove(name));
                cx.state.0 = Some(allowed);
                Ok(Flow::Next(()))
            }
            Err(_) if self.failure == Failure::Allow => {
                self.passed_unasked.inc();
                Ok(Flow::Next(()))
            }
            Err(why) => Err(undecided(why)),
        }
    }

    /// What stands in these fields is the service's word, or nothing.
    fn on_upstream(&self, cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        self.fields.upstream.iter().for_each(|name| cx.req.remove(name));
        for (name, value) in cx.state.0.iter().flat_map(|allowed| &allowed.upstream) {
            cx.req.append(name.clone(), value.clone());
        }
        Ok(())
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        for (name, value) in cx.state.0.iter().flat_map(|allowed| &allowed.client) {
            cx.resp.append(name.clone(), value.clone());
        }
        Ok(())
    }
}

impl ExtAuthz {
    async fn ask(&self, question: RemoteRequest, views: &mut Views) -> Result<Result<RemoteResponse, String>, Fault> {
        let ask = |remote: &Arc<dyn Remote>| {
            let asked = remote.call(question);
            async move { asked.await.map_err(|error| error.to_string()) }
        };
        let note = |said: &Result<RemoteResponse, String>| said.as_ref().map(Noted::of).map_err(Clone::clone);
        let read = |noted: Result<Noted, String>| noted.map(Noted::answer);
        views.await_answer(&self.service, &self.place, ask, note, read).await
    }

    fn question(&self, req: &RequestHead, call: &Call, body: Option<Bytes>) -> Result<RemoteRequest, String> {
        match &self.way {
            Way::Http(prefix) => rest::question(prefix, req, call, body, &self.fields),
            Way::Grpc(context) => grpc::question(req, call, body, &self.fields, context),
        }
    }

    fn verdict(&self, answer: RemoteResponse) -> Result<Verdict, String> {
        match &self.way {
            Way::Http(_) => rest::verdict(answer, &self.fields),
            Way::Grpc(_) => grpc::verdict(answer, &self.fields),
        }
    }
}

/// An answer, as it is noted.
#[derive(Serialize, Deserialize)]
struct Noted {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Noted {
    fn of(answer: &RemoteResponse) -> Self {
        let fields = answer.fields.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        Self { status: answer.status, fields: fields.collect(), body: answer.body.to_vec() }
    }

    fn answer(self) -> RemoteResponse {
        let field = |(name, value): (String, Vec<u8>)| Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?));
        RemoteResponse { status: self.status, fields: self.fields.into_iter().filter_map(field).collect(), body: self.body.into() }
    }
}

fn undecided(why: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new("ext_authz.unavailable", why).retry_after(Duration::from_secs(1))
}

fn answer(denied: Denied) -> Answer {
    let answer = DENIED.answer().with_status(denied.status).body(denied.body);
    denied.fields.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))
}

fn at(pointer: &str, found: &Problem) -> Problem {
    Problem::setting(pointer, found.message.clone())
}

/// # Errors
/// A URL that cannot be asked, or that would be asked in the clear.
fn policy(pointer: &str, url: &str, reach: &Reach) -> Result<RemotePolicy, Problem> {
    let parsed = Url::parse_http(url).map_err(|error| Problem::setting(pointer, format!("the URL `{}` {error}", redacted(url))))?;
    if !(parsed.is_https() || parsed.is_loopback() || reach.plaintext) {
        let problem = Problem::setting(pointer, "credentials would be sent, and decisions taken, without encryption");
        return Err(problem.hint("use an `https` URL, or write `plaintext: true` where nobody else is on the way"));
    }
    let max_bytes = usize::try_from(reach.max_bytes.0).unwrap_or(usize::MAX);
    Ok(RemotePolicy { timeout: reach.timeout.0, max_bytes, ca: reach.ca.clone() })
}
