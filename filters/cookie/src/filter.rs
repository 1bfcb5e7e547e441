//! The filter: finds the session, judges where the request comes from, and puts the token where later filters look for it.

use std::time::UNIX_EPOCH;

use http::header::{AUTHORIZATION, ORIGIN, UPGRADE, WWW_AUTHENTICATE};
use tollgate_filter_api::{
    Answer, Call, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Method, Posture, Problem, Reason, RequestHead,
    ResponseCx, Rule, Secret, Shown,
};

use crate::{
    config::Config,
    crumbs::{self, Taken},
    issue::{Issue, Issuer, make_private},
    origin::Origins,
    reasons::{CSRF, INVALID, TOO_LARGE},
    session::{Seal, Session},
};

/// A text with fewer characters may be guessed; `openssl rand -base64 32` has 44.
const LEAST_SECRET: usize = 32;
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\", error_description=\"The session is not valid\"");

/// The `cookie` filter.
pub struct Cookie {
    seal: Seal,
    issuer: Issuer,
    origins: Origins,
    header: HeaderName,
    csrf_header: HeaderName,
    issue: bool,
    clear: bool,
    fixed: Option<Secret>,
}

/// What the answer to this request must do.
#[derive(Default)]
pub struct State {
    issue: Option<Issue>,
    clear: bool,
    private: bool,
}

/// What says which sessions are good.
const KEYS: Rule = Rule::setting("/keys");

impl Filter for Cookie {
    const ID: &'static str = "cookie";
    const REASONS: &'static [Reason] = &[INVALID, CSRF, TOO_LARGE];
    const BY_DEFAULT: bool = false;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = State;

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        check(&config)?;
        let seal = Seal::new(&config.keys, &config.name).map_err(|_| Problem::setting("/keys", "the keys cannot be used"))?;
        let origins = Origins::parse(&config.origins).map_err(|origin| {
            Problem::setting("/origins", format!("{origin:?} is not the origin of a page"))
                .hint("write it as https://app.example.com, without a path")
        })?;
        let header = |name: &str, pointer: &str| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| Problem::setting(pointer, format!("{name:?} is not the name of a header")))
        };
        let (csrf_header, credential) = (header(&config.csrf_header, "/csrf_header")?, header(&config.header, "/header")?);
        Ok(Self {
            seal,
            issuer: Issuer::new(&config, csrf_header.clone()),
            origins,
            header: credential,
            csrf_header,
            issue: config.issue,
            clear: config.clear,
            fixed: config.fixed_session,
        })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let cookies = crumbs::take(cx.req, |name, value| self.issuer.is_ours(name) || self.is_fixed(value));
        let outcome = if cx.req.get(&self.header).is_some() {
            self.with_token(cx.req, cx.call, cx.state)
        } else {
            self.with_cookies(cx.req, cx.call, &cookies, cx.state)
        };
        Ok(outcome.map_or_else(|answer| Flow::Stop(self.challenged(answer)), Flow::Next))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if cx.state.private {
            make_private(cx.resp);
        }
        if cx.state.clear {
            self.issuer.clear(cx.resp);
        }
        match &cx.state.issue {
            Some(issue) if matches!(cx.resp.status(), 200..=299) => self.issuer.issue(&self.seal, issue, cx.resp),
            _ => Ok(()),
        }
    }
}

impl Cookie {
    /// A token that the page, or a program, sent itself. No browser adds one, and no foreign page may: sessions do not count beside it.
    fn with_token(&self, req: &RequestHead, call: &Call, state: &mut State) -> Result<(), Answer> {
        state.clear = self.clear;
        let Some(token) = bearer(req, &self.header).filter(|_| self.issue) else { return Ok(()) };
        if !self.issuer.has_room(Seal::length(token.len())) {
            let cause = Cause::new(CauseKind::OverLimit, "cookie with the sealed token", Rule::Fixed("RFC 6265bis §5.6"));
            return Err(TOO_LARGE.because(cause.seen(Shown::Bytes(Seal::length(token.len()) as u64))));
        }
        let over = || INVALID.because(Cause::new(CauseKind::Time, "token", Rule::setting("/max_age")).detail("it is over"));
        state.issue = Some(self.issuer.plan(token, call.now).ok_or_else(over)?);
        Ok(())
    }

    fn with_cookies(&self, req: &mut RequestHead, call: &Call, cookies: &[Taken], state: &mut State) -> Result<(), Answer> {
        let mut sessions = cookies.iter().filter(|cookie| cookie.name == self.issuer.name() || self.is_fixed(&cookie.value));
        let Some(session) = sessions.next() else { return Ok(()) };
        if sessions.next().is_some() {
            return Err(INVALID.because(Cause::new(CauseKind::Ambiguous, "session", Rule::setting("/name")).detail("two sessions")));
        }
        let changes = !matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        // A WebSocket begins with a GET that any page may send, and whose answer it may read.
        if (changes || req.get(&UPGRADE).is_some()) && !self.origins.is_ours(req, call) {
            return Err(self.foreign(req));
        }
        let token = if self.is_fixed(&session.value) {
            HeaderValue::try_from([b"Bearer ", &session.value[..]].concat())
        } else {
            let session = self.opened(&session.value, call)?;
            if changes && !self.shows_csrf_token(req, &session) {
                let cause = Cause::new(CauseKind::Unverified, "CSRF token", Rule::setting("/csrf_header"));
                return Err(CSRF.because(cause.detail("it is missing, or another session's")));
            }
            HeaderValue::try_from(format!("Bearer {}", session.token))
        };
        let illegal = |_| INVALID.because(Cause::new(CauseKind::Malformed, "token", Rule::Fixed("RFC 6750 §2.1")));
        let mut token = token.map_err(illegal)?;
        token.set_sensitive(true);
        req.set(self.header.clone(), token);
        req.remove(&self.csrf_header);
        (state.clear, state.private) = (self.clear, true);
        Ok(())
    }

    fn opened(&self, value: &[u8], call: &Call) -> Result<Session, Answer> {
        let unsealed = || INVALID.because(Cause::new(CauseKind::Unverified, "session", KEYS).detail("no key of ours has sealed it"));
        let session = self.seal.open(value).ok_or_else(unsealed)?;
        let now = call.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if session.ends > now {
            return Ok(session);
        }
        let cause = Cause::new(CauseKind::Time, "session", Rule::setting("/max_age"));
        Err(INVALID.because(cause.seen(i64::try_from(session.ends).unwrap_or(i64::MAX)).wanted("a time after the request's")))
    }

    fn foreign(&self, req: &RequestHead) -> Answer {
        let cause = Cause::new(CauseKind::NotAllowed, "origin of the page", Rule::setting("/origins"));
        CSRF.because(match req.get(&ORIGIN) {
            Some(origin) => cause.seen(Shown::bytes_sent(origin.as_bytes())),
            None => cause.detail("`Sec-Fetch-Site` names another one"),
        })
    }

    fn shows_csrf_token(&self, req: &RequestHead, session: &Session) -> bool {
        let mut shown = req.get_all(&self.csrf_header);
        shown.next().is_some_and(|token| session.is_csrf(token.as_bytes())) && shown.next().is_none()
    }

    fn is_fixed(&self, value: &[u8]) -> bool {
        self.fixed.as_ref().is_some_and(|fixed| fixed.matches(value))
    }

    fn challenged(&self, answer: Answer) -> Answer {
        if answer.status() != 401 {
            return answer;
        }
        self.issuer
            .cleared()
            .into_iter()
            .fold(answer.header(WWW_AUTHENTICATE, CHALLENGE), |answer, (name, value)| answer.header(name, value))
    }
}

/// The bearer token of a request, when that is what its only credential is.
fn bearer<'a>(req: &'a RequestHead, header: &HeaderName) -> Option<&'a str> {
    let mut values = req.get_all(header);
    let (first, second) = (values.next()?, values.next());
    let (scheme, token) = first.to_str().ok()?.trim_matches(' ').split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (second.is_none() && scheme.eq_ignore_ascii_case("Bearer")).then_some(token)
}

fn check(config: &Config) -> Result<(), Problem> {
    if config.keys.is_empty() && (config.fixed_session.is_none() || config.issue) {
        return Err(Problem::setting("/keys", "there is no key to seal sessions with")
            .hint("keys: [\"${file:cookie.key}\"], made by `openssl rand -base64 32`"));
    }
    if config.keys.iter().chain(&config.fixed_session).any(|secret| secret.expose().len() < LEAST_SECRET) {
        return Err(Problem::setting("/keys", format!("a key, or the fixed session, has fewer than {LEAST_SECRET} characters")));
    }
    if config.max_age.0.as_secs() == 0 {
        return Err(Problem::setting("/max_age", "a session must be good for a second at least"));
    }
    if config.issue && config.clear {
        return Err(Problem::setting("/clear", "one operation cannot both issue a session and end it"));
    }
    for (name, pointer) in [(&config.name, "/name"), (&config.csrf_cookie, "/csrf_cookie")] {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if !name.strip_prefix("__Host-").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(legal)) {
            return Err(Problem::setting(pointer, format!("{name:?} is no name of a cookie that begins with `__Host-`")));
        }
    }
    if config.name == config.csrf_cookie {
        return Err(Problem::setting("/csrf_cookie", "the session and its CSRF token cannot share one cookie"));
    }
    if config.csrf_header.eq_ignore_ascii_case(&config.header) || config.csrf_header.eq_ignore_ascii_case(AUTHORIZATION.as_str()) {
        return Err(Problem::setting("/csrf_header", "the CSRF token and the credential cannot share one header"));
    }
    Ok(())
}
