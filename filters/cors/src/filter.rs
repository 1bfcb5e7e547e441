//! What runs. A preflight is decided in this order: one origin, allowed; one method, declared on the path and allowed;
//! every header allowed. The first that fails lets the request pass on without a CORS header.

use tollgate_filter_api::{
    Answer, Bytes, Call, Counter, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Method, MetricDoc, Posture, Problem, Reason,
    Reply, RequestHead, ResponseCx, ResponseHead,
};

use crate::{Config, origin::Origins};

/// 200 and not 204: every browser takes it, the oldest take nothing else, and the reference product sends it.
const PREFLIGHT: Reply = Reply::new(
    "cors.preflight",
    200,
    "The cross-origin request may be sent",
    "A browser asked before a cross-origin request, and the settings allow it. Nothing to do.",
);

const ALLOW_ORIGIN: HeaderName = HeaderName::from_static("access-control-allow-origin");
const ALLOW_CREDENTIALS: HeaderName = HeaderName::from_static("access-control-allow-credentials");
const ALLOW_METHODS: HeaderName = HeaderName::from_static("access-control-allow-methods");
const ALLOW_HEADERS: HeaderName = HeaderName::from_static("access-control-allow-headers");
const EXPOSE_HEADERS: HeaderName = HeaderName::from_static("access-control-expose-headers");
const MAX_AGE: HeaderName = HeaderName::from_static("access-control-max-age");
const REQUEST_METHOD: HeaderName = HeaderName::from_static("access-control-request-method");
const REQUEST_HEADERS: HeaderName = HeaderName::from_static("access-control-request-headers");
const ORIGIN: HeaderName = HeaderName::from_static("origin");
const VARY: HeaderName = HeaderName::from_static("vary");

const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_PREFLIGHT: HeaderValue = HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// A list of names, or all of them.
#[derive(Debug)]
enum Allowed<T> {
    All,
    Only(Vec<T>),
}

impl<T: PartialEq> Allowed<T> {
    fn has(&self, one: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(one),
        }
    }
}

/// The `cors` filter.
#[derive(Debug)]
pub struct Cors {
    origins: Origins,
    methods: Allowed<Method>,
    headers: Allowed<HeaderName>,
    credentials: bool,
    expose: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
    refused: Counter,
}

/// What the request phase found, for the way back.
#[derive(Debug, Default)]
pub enum State {
    /// The request names no origin, or one whose pages may not read the answer.
    #[default]
    Closed,
    /// Pages of this origin may read the answer.
    Allowed(HeaderValue),
    /// The preflight was answered here; its answer is complete.
    Answered,
    /// A preflight that was not allowed.
    RefusedPreflight,
}

impl Filter for Cors {
    const ID: &'static str = "cors";
    const REASONS: &'static [Reason] = &[*PREFLIGHT.reason()];
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] =
        &[MetricDoc { name: "cors_refused_total", help: "Requests and preflights that named an origin and got no CORS headers." }];
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = State;

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        config.allow_origins.is_empty()
    }

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        check_wildcards(&config)?;
        let max_age = config.max_age.map(|age| HeaderValue::from(age.0.as_secs()));
        Ok(Self {
            origins: Origins::new(&config.allow_origins),
            methods: names(config.allow_methods.as_deref(), "allow_methods", |name| name.to_ascii_uppercase().parse().ok())?,
            headers: names(config.allow_headers.as_deref(), "allow_headers", |name| name.parse().ok())?,
            credentials: config.allow_credentials,
            expose: expose(&config.expose_headers)?,
            max_age,
            refused: env.metrics.counter("cors_refused_total", None),
        })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if cx.req.method() == Method::OPTIONS && cx.req.get(&REQUEST_METHOD).is_some() {
            let answer = self.preflight(cx.req, cx.call);
            *cx.state = if answer.is_some() { State::Answered } else { State::RefusedPreflight };
            return Ok(match answer {
                Some(answer) => Flow::Stop(answer),
                None => self.pass_refused(),
            });
        }
        if cx.req.get(&ORIGIN).is_none() {
            return Ok(Flow::Next(()));
        }
        let Some(origin) = self.origin(cx.req) else { return Ok(self.pass_refused()) };
        *cx.state = State::Allowed(origin.clone());
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if matches!(cx.state, State::Answered) {
            return Ok(());
        }
        remove_foreign(cx.resp);
        vary(cx.resp, if matches!(cx.state, State::RefusedPreflight) { VARY_PREFLIGHT } else { VARY_ORIGIN });
        if let State::Allowed(origin) = cx.state {
            cx.resp.set(ALLOW_ORIGIN, origin.clone());
            if self.credentials {
                cx.resp.set(ALLOW_CREDENTIALS, TRUE);
            }
            if let Some(expose) = &self.expose {
                cx.resp.set(EXPOSE_HEADERS, expose.clone());
            }
        }
        Ok(())
    }
}

impl Cors {
    fn pass_refused(&self) -> Flow {
        self.refused.inc();
        Flow::Next(())
    }

    /// The origin of a request, when there is one, and only one, and it is allowed.
    fn origin<'r>(&self, req: &'r RequestHead) -> Option<&'r HeaderValue> {
        sole(req, &ORIGIN).filter(|origin| self.origins.allow(origin))
    }

    fn preflight(&self, req: &RequestHead, call: &Call) -> Option<Answer> {
        let origin = self.origin(req)?;
        let method = Method::from_bytes(sole(req, &REQUEST_METHOD)?.as_bytes()).ok()?;
        let declared = call.operation.path_methods.iter().any(|name| name == method.as_str());
        if !declared || !self.methods.has(&method) {
            return None;
        }
        let headers = self.requested_headers(req)?;
        let mut answer = PREFLIGHT
            .answer()
            .body(Bytes::new())
            .header(ALLOW_ORIGIN, origin.clone())
            .header(ALLOW_METHODS, HeaderValue::from_str(method.as_str()).ok()?)
            .header(VARY, VARY_PREFLIGHT);
        if !headers.is_empty() {
            answer = answer.header(ALLOW_HEADERS, HeaderValue::from_str(&headers).ok()?);
        }
        if self.credentials {
            answer = answer.header(ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(max_age) = &self.max_age {
            answer = answer.header(MAX_AGE, max_age.clone());
        }
        Some(answer)
    }

    /// The headers a page wants to set, written anew; `None` when one of them is not allowed or is no header name.
    fn requested_headers(&self, req: &RequestHead) -> Option<String> {
        let mut headers = String::new();
        for value in req.get_all(&REQUEST_HEADERS) {
            for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                if !self.headers.has(&name) {
                    return None;
                }
                if !headers.is_empty() {
                    headers.push_str(", ");
                }
                headers.push_str(name.as_str());
            }
        }
        Some(headers)
    }
}

/// The value of a field that stands once.
fn sole<'r>(req: &'r RequestHead, name: &HeaderName) -> Option<&'r HeaderValue> {
    let mut values = req.get_all(name);
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Takes out what the upstream says about CORS: two answers to one question would be none.
fn remove_foreign(resp: &mut ResponseHead) {
    let is_foreign = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let foreign: Vec<HeaderName> = resp.fields().keys().filter(is_foreign).cloned().collect();
    for name in &foreign {
        resp.remove(name);
    }
}

/// Says that the answer depends on the origin, unless it says so already.
fn vary(resp: &mut ResponseHead, on: HeaderValue) {
    let says_so = |value: &HeaderValue| {
        let mut names = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(on.as_bytes()))
    };
    let known = resp.get_all(&VARY).any(says_so);
    if !known {
        resp.append(VARY, on);
    }
}

fn check_wildcards(config: &Config) -> Result<(), Problem> {
    let any_origin = config.allow_origins.iter().any(|origin| origin == "*");
    if any_origin && config.allow_origins.len() > 1 {
        let problem = Problem::setting("/allow_origins", "`*` stands beside other origins");
        return Err(problem.hint("write `*` alone, or only the origins that are meant"));
    }
    if any_origin && config.allow_credentials {
        let message = "every origin would be allowed to send credentials, so any page could act for a visitor who is signed in";
        let problem = Problem::setting("/allow_credentials", message);
        return Err(problem.hint("list the origins, or set allow_credentials to false"));
    }
    if config.allow_credentials && config.expose_headers.iter().any(|name| name == "*") {
        let problem = Problem::setting("/expose_headers", "browsers take `*` for a header's name when credentials are allowed");
        return Err(problem.hint("list the headers"));
    }
    Ok(())
}

fn names<T>(list: Option<&[String]>, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Allowed<T>, Problem> {
    let Some(list) = list else { return Ok(Allowed::All) };
    if list == ["*"] {
        return Ok(Allowed::All);
    }
    let parse = |(at, name): (usize, &String)| parse(name).ok_or_else(|| not_a_name(name, key, at));
    list.iter().enumerate().map(parse).collect::<Result<_, _>>().map(Allowed::Only)
}

fn expose(list: &[String]) -> Result<Option<HeaderValue>, Problem> {
    for (at, name) in list.iter().enumerate() {
        name.parse::<HeaderName>().map_err(|_| not_a_name(name, "expose_headers", at))?;
    }
    let joined = list.join(", ");
    Ok(HeaderValue::from_str(&joined).ok().filter(|value| !value.is_empty()))
}

fn not_a_name(name: &str, key: &str, at: usize) -> Problem {
    Problem::setting(format!("/{key}/{at}"), format!("`{name}` is not a name that HTTP allows"))
}
