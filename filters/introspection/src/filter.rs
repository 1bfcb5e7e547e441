//! The filter: finds the token, asks or remembers, judges, answers.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{Either, ready};
use http::header;
use openssl::sha::sha256;
use tollgate_filter_api::{
    Answer, Carrier, Counter, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Principal, Problem, Reason,
    RemotePolicy,
};

use crate::{
    answer,
    asker::{Asker, Found, Said},
    config::Config,
    credential::token,
    issuer::{Issuer, Proof, encoded},
    own_token::OwnToken,
    reasons,
};

const LONGEST_TTL: Duration = Duration::from_secs(60);
const MAX_ANSWER: usize = 64 << 10;

/// The `introspection` filter.
pub struct Introspection {
    config: Arc<Config>,
    header: HeaderName,
    issuer: Arc<Issuer>,
    asker: Arc<Asker>,
    hits: Counter,
    misses: Counter,
}

fn problem(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::error("introspection.settings", message).at("", 0, pointer)
}

/// A name for what has the same answers: everything that an answer depends on, the secret by its digest.
fn same(config: &Config) -> String {
    let secret = sha256(config.client.secret.expose().as_bytes());
    let client = (&config.client.id, config.client.post, &config.client.token, URL_SAFE_NO_PAD.encode(secret));
    let asked = (&config.url, &config.ca, client);
    let read = (&config.issuer, &config.key_type_claim, config.timeout, &config.cache);
    format!("introspection {asked:?} {read:?}")
}

fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let local =
        |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && uri.host().is_some_and(local))
}

/// How it is asked, with these settings.
fn issuer(config: &Config, env: &Env) -> Result<Issuer, Problem> {
    let policy = || RemotePolicy { timeout: config.timeout.0, max_bytes: MAX_ANSWER, ca: config.ca.clone() };
    let remote = |pointer: &str, url: &str| env.world.remote(url, policy()).map_err(|found| problem(pointer, found.message));
    let place = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    let proof = Proof::new(&config.client)?;
    let own = config.client.token.as_ref().map(|token| {
        let form = token.scope.iter().fold("grant_type=client_credentials".to_owned(), |form, scope| form + "&scope=" + &encoded(scope));
        let made =
            || Ok(OwnToken::new(remote("/client/token/url", &token.url)?, proof.request(form), place(&token.url), env.clock.clone()));
        env.shared.get_or_make(&format!("own token of {}", same(config)), made)
    });
    Ok(Issuer { remote: remote("/url", &config.url)?, place: place(&config.url), own: own.transpose()?, proof })
}

impl Filter for Introspection {
    const ID: &'static str = "introspection";
    const ACCEPTS: &'static [&'static str] = &["introspection", "jwt"];
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "introspection_cache_hits_total", help: "Tokens whose issuer was asked a moment ago, or is being asked" },
        MetricDoc { name: "introspection_cache_misses_total", help: "Tokens about which the issuer had to be asked" },
    ];
    type Config = Config;
    type Needs = Peer;
    type Gives = Principal;
    type State = ();

    fn build(config: Config, env: &Env) -> Result<Self, Problem> {
        let header = HeaderName::from_bytes(config.header.as_bytes()).map_err(|_| problem("/header", "not the name of a header"))?;
        let token_url = config.client.token.as_ref().map(|token| ("/client/token/url", &token.url));
        for (pointer, url) in [("/url", &config.url)].into_iter().chain(token_url) {
            if !is_safe(url) {
                return Err(problem(pointer, "tokens and the client's secret would be sent without encryption").hint("use an `https` URL"));
            }
        }
        for (pointer, ttl) in [("/cache/ttl", config.cache.ttl), ("/cache/negative_ttl", config.cache.negative_ttl)] {
            if ttl.0 > LONGEST_TTL {
                return Err(problem(pointer, "at most 60s").hint("a revoked token passes for as long"));
            }
        }
        Ok(Self {
            issuer: Arc::new(issuer(&config, env)?),
            asker: env.shared.get_or_make(&same(&config), || Ok(Asker::new(&config.cache, env.clock.clone())))?,
            hits: env.metrics.counter("introspection_cache_hits_total", None),
            misses: env.metrics.counter("introspection_cache_misses_total", None),
            header,
            config: Arc::new(config),
        })
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::Header(self.header.clone()))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        let token = match token(cx.req, &self.header, self.config.max_length.0, self.config.jwt) {
            Ok(token) => token,
            Err(reason) => return Ok(Flow::Stop(refuse(reason))),
        };
        let said = self.ask(token).await;
        let said = said.map_err(|cause| Fault::new("introspection.unavailable", cause).retry_after(Duration::from_secs(1)))?;
        let Some(grant) = said else { return Ok(Flow::Stop(refuse(&reasons::INACTIVE))) };
        if let Err(reason) = grant.judge(&self.config, cx.call.now, cx.given) {
            let answer = refuse(reason);
            return Ok(Flow::Stop(match &grant.principal.client {
                Some(client) => answer.client(client.as_str()),
                None => answer,
            }));
        }
        if !self.config.forward {
            cx.req.remove(&self.header);
        }
        Ok(Flow::Next(grant.principal.clone()))
    }
}

impl Introspection {
    async fn ask(&self, token: &str) -> Said {
        let question = || {
            let (issuer, config, token) = (self.issuer.clone(), self.config.clone(), token.to_owned());
            async move {
                let response = issuer.ask(&token).await?;
                answer::read(&response, &token, &config).map_err(|why| format!("{}: {why}", issuer.place))
            }
        };
        let (said, series) = match self.asker.find(sha256(token.as_bytes()), question) {
            Found::Here(known) => (Either::Left(ready(Ok(known))), &self.hits),
            Found::Joined(flight) => (Either::Right(flight), &self.hits),
            Found::Asked(flight) => (Either::Right(flight), &self.misses),
        };
        series.inc();
        said.await
    }
}

/// With `error=` only when a token was sent (RFC 6750 §3.1).
fn refuse(reason: &'static Reason) -> Answer {
    let challenge = match reason.status {
        _ if reason.id == reasons::MISSING.id || reason.id == reasons::SCHEME.id => "Bearer realm=\"api\"",
        400 => "Bearer realm=\"api\", error=\"invalid_request\"",
        _ => "Bearer realm=\"api\", error=\"invalid_token\"",
    };
    reason.answer().header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
