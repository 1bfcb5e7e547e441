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
    Principal, PrincipalParts, Problem, Reason, Rule, World,
};
use tollgate_password::Hash;

use crate::{config::Config, credential::Credential, known::Known, reasons};

/// The `basic_auth` filter.
pub struct BasicAuth {
    users: BTreeMap<String, (Arc<Hash>, Principal)>,
    /// Compared with in place of the hash that a name nobody has does not have: the costliest, so that the time says nothing.
    decoy: Arc<Hash>,
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

/// A quoted string holds no control characters and nothing that would end it.
fn challenge(realm: &str) -> Result<HeaderValue, Problem> {
    let legal = realm.chars().all(|c| (c == ' ' || c.is_ascii_graphic()) && !matches!(c, '"' | '\\'));
    let value = HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
    match value {
        Ok(value) if legal => Ok(value),
        _ => Err(Problem::setting("/realm", "expected printable ASCII without quotes and backslashes")),
    }
}

fn check(config: &Config) -> Result<(), Problem> {
    for name in config.users.keys() {
        if name.is_empty() || name.contains(':') || name.chars().any(char::is_control) {
            return Err(Problem::setting("/users", format!("expected a name without colons and control characters, found {name:?}")));
        }
    }
    let weak: Vec<&str> = config.users.iter().filter(|(_, user)| user.hash.0.is_weak()).map(|(name, _)| name.as_str()).collect();
    if !weak.is_empty() {
        log::warn!(
            "basic_auth: the passwords of {} users are stored as plain digests, which are guessed fast once they are stolen: {}; \
             `tollgate password` makes better ones",
            weak.len(),
            weak.join(", ")
        );
    }
    Ok(())
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
        check(&config)?;
        let header =
            HeaderName::from_bytes(config.header.as_bytes()).map_err(|_| Problem::setting("/header", "not the name of a header"))?;
        let known = Known::new(config.cache.entries, config.cache.ttl.0).map_err(|error| Problem::setting("/cache", error.to_string()))?;
        let users: BTreeMap<_, _> = config
            .users
            .into_iter()
            .map(|(name, user)| {
                let principal = principal(&name, user.scopes);
                (name, (Arc::new(user.hash.0), principal))
            })
            .collect();
        let decoy = users.values().map(|(hash, _)| hash).max_by_key(|hash| hash.cost()).cloned();
        Ok(Self {
            decoy: decoy.ok_or_else(|| Problem::setting("/users", "expected at least one user, found none"))?,
            users,
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
        let user = self.users.get(credential.name());
        let hash = user.map_or(&self.decoy, |(hash, _)| hash);
        let matches = self.compare(hash, &credential, cx.call.instant).await?;
        let Some((_, principal)) = user.filter(|_| matches) else {
            self.wrong.inc();
            let cause = Cause::new(CauseKind::Unverified, "name and password", Rule::setting("/users"));
            return Ok(Flow::Stop(self.challenge(reasons::WRONG.because(cause))));
        };
        if !self.forward {
            cx.req.remove(&self.header);
        }
        Ok(Flow::Next(principal.clone()))
    }
}

impl BasicAuth {
    /// Whether the password matches. Of a name that nobody has the answer means nothing.
    async fn compare(&self, hash: &Arc<Hash>, credential: &Credential, now: Instant) -> Result<bool, Fault> {
        if !self.decoy.is_slow() {
            return Ok(hash.matches(credential.password().as_bytes()));
        }
        // Beside slow hashes a plain digest takes as long as they do, so that the time does not say whose is one.
        let cover = hash.is_weak().then(|| self.decoy.clone());
        let digest = self.known.digest(credential.whole()).map_err(|error| unavailable(&error))?;
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
        let matches = self.world.judge(Box::new(compare)).await;
        let busy = || Fault::new("basic_auth.busy", "too many passwords are being compared").retry_after(Duration::from_secs(1));
        let matches = matches.ok_or_else(busy)?;
        self.known.remember(digest, matches, now);
        Ok(matches)
    }

    fn challenge(&self, answer: Answer) -> Answer {
        answer.header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}
