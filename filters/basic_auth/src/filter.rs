//! The filter: finds the credential, compares or remembers, answers.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use http::header;
use openssl::error::ErrorStack;
use serde_json::{Map, Value};
use tollgate_filter_api::{
    Answer, Carrier, Cause, CauseKind, Counter, Cx, DeclaredHeader, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Posture,
    Principal, PrincipalParts, Problem, Reason, Rule, View, World,
};
use tollgate_password::Hash;

use crate::{
    config::Config,
    credential::Credential,
    known::Known,
    reasons,
    users::{self, File, Users},
};

/// Where it stands who may call.
enum Who {
    Settings(Users),
    File(View<File>),
}

/// The `basic_auth` filter.
pub struct BasicAuth {
    /// Callers of the settings.
    callers: BTreeMap<String, Principal>,
    who: Who,
    /// What everybody of the file was granted.
    scopes: Vec<String>,
    header: HeaderName,
    forward: bool,
    challenge: HeaderValue,
    known: Known,
    world: Arc<dyn World>,
    wrong: Counter,
    hashes: Counter,
}

fn unavailable(error: &ErrorStack) -> Fault {
    Fault::new("basic_auth.unavailable", error.to_string())
}

fn busy() -> Fault {
    Fault::new("basic_auth.busy", "too many passwords are being compared").retry_after(Duration::from_secs(1))
}

/// A quoted string holds no control characters and nothing that would end it.
fn challenge(realm: &str) -> Result<HeaderValue, Problem> {
    let legal = realm.chars().all(|c| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\'));
    let value = HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
    match value {
        Ok(value) if legal => Ok(value),
        _ => Err(Problem::setting("/realm", "expected printable ASCII without quotes and backslashes")),
    }
}

fn principal(name: &str, scopes: Vec<String>) -> Principal {
    let claims = Map::from_iter([("sub".to_owned(), Value::from(name))]);
    Principal::new(PrincipalParts { filter: "basic_auth", subject: Some(name.to_owned()), scopes, claims, ..PrincipalParts::default() })
}

impl Filter for BasicAuth {
    const ID: &'static str = "basic_auth";
    const BY_DEFAULT: bool = false;
    const SCOPED: bool = true;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "basic_auth_wrong_total", help: "Credentials with a name nobody has, or a wrong password" },
        MetricDoc { name: "basic_auth_hashes_total", help: "Comparisons with a slow hash, which what is remembered saves" },
    ];
    type Config = Config;
    type Declared = DeclaredHeader;
    type Needs = ();
    type Gives = Principal;
    type State = ();

    fn build(config: Config, declared: DeclaredHeader, env: &Env) -> Result<Self, Problem> {
        let config = Config { header: declared.header.unwrap_or(config.header), ..config };
        let header =
            HeaderName::from_bytes(config.header.as_bytes()).map_err(|_| Problem::setting("/header", "not the name of a header"))?;
        let known = Known::new(config.cache.entries, config.cache.ttl.0).map_err(|error| Problem::setting("/cache", error.to_string()))?;
        let hashes = users::of_settings(&config.users)?;
        users::warn_of_weak(&hashes);
        let (who, scopes) = match config.htpasswd {
            Some(htpasswd) => (Who::File(View::new("basic_auth.htpasswd", File::new(&htpasswd, hashes, env)?)), htpasswd.scopes),
            None => {
                let nobody = || Problem::setting("/users", "expected at least one user, found none").hint("add one, or an `htpasswd` file");
                (Who::Settings(Users::new(&hashes, BTreeMap::new(), 0).ok_or_else(nobody)?), Vec::new())
            }
        };
        let callers = config.users.into_iter().map(|(name, user)| {
            let principal = principal(&name, user.scopes);
            (name, principal)
        });
        Ok(Self {
            callers: callers.collect(),
            who,
            scopes,
            header,
            forward: config.forward,
            challenge: challenge(&config.realm)?,
            known,
            world: env.world.clone(),
            wrong: env.metrics.counter("basic_auth_wrong_total", None),
            hashes: env.metrics.counter("basic_auth_hashes_total", None),
        })
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::Header(self.header.clone()))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        let credential = match Credential::of(cx.req, &self.header) {
            Ok(credential) => credential,
            Err(answer) => return Ok(Flow::Stop(self.challenge(answer))),
        };
        let now = cx.call.instant;
        let matches = match &self.who {
            Who::Settings(users) => self.verify(users, &credential, now).await?,
            Who::File(file) => {
                let question = format!("password of {:?}", credential.name());
                let ask = |file: &File| {
                    let users = file.users();
                    let credential = &credential;
                    async move { self.verify(&users, credential, now).await }
                };
                let answer =
                    cx.views.await_answer(file, &question, ask, |answer| answer.as_ref().ok().copied(), |noted| noted.ok_or_else(busy));
                answer.await??
            }
        };
        if !matches {
            self.wrong.inc();
            let rule = Rule::setting(if matches!(self.who, Who::File(_)) { "/htpasswd" } else { "/users" });
            let cause = Cause::new(CauseKind::Unverified, "name and password", rule);
            return Ok(Flow::Stop(self.challenge(reasons::WRONG.because(cause))));
        }
        let name = credential.name();
        let principal = self.callers.get(name).cloned().unwrap_or_else(|| principal(name, self.scopes.clone()));
        if !self.forward {
            cx.req.remove(&self.header);
        }
        Ok(Flow::Next(principal))
    }
}

impl BasicAuth {
    /// Whether somebody has that name and that password.
    async fn verify(&self, users: &Users, credential: &Credential, now: Instant) -> Result<bool, Fault> {
        let hash = users.find(credential.name());
        let matches = self.compare(users, hash.unwrap_or(&users.decoy), credential, now).await?;
        Ok(matches && hash.is_some())
    }

    /// Whether the password matches. Of a name that nobody has the answer means nothing.
    async fn compare(&self, users: &Users, hash: &Arc<Hash>, credential: &Credential, now: Instant) -> Result<bool, Fault> {
        if !users.decoy.is_slow() {
            return Ok(hash.matches(credential.password().as_bytes()));
        }
        // Beside slow hashes a plain digest takes as long as they do, so that the time does not say whose is one.
        let cover = hash.is_weak().then(|| users.decoy.clone());
        let digest = self.known.digest(users.version, credential.whole()).map_err(|error| unavailable(&error))?;
        if let Some(known) = self.known.find(&digest, now) {
            return Ok(known);
        }
        self.hashes.inc();
        let (hash, password) = (hash.clone(), credential.password().to_owned());
        let compare = move || {
            if let Some(cover) = cover {
                std::hint::black_box(cover.matches(password.as_bytes()));
            }
            hash.matches(password.as_bytes())
        };
        let matches = self.world.judge(Box::new(compare)).await.ok_or_else(busy)?;
        self.known.remember(digest, matches, now);
        Ok(matches)
    }

    fn challenge(&self, answer: Answer) -> Answer {
        answer.header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}
