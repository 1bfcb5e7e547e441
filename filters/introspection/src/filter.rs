//! The filter: finds the token, asks or remembers, judges, answers.

use std::{sync::Arc, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use futures_util::future::{Either, ready};
use http::{Method, header};
use openssl::sha::sha256;
use tollgate_filter_api::{
    Answer, Carrier, Counter, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Principal, Problem, Reason,
    Remote, RemotePolicy, RemoteRequest,
};

use crate::{
    answer,
    asker::{Asker, Found, Said},
    config::Config,
    credential::token,
    reasons,
};

const LONGEST_TTL: Duration = Duration::from_secs(60);
const MAX_ANSWER: usize = 64 << 10;

/// The `introspection` filter.
pub struct Introspection {
    config: Arc<Config>,
    header: HeaderName,
    remote: Arc<dyn Remote>,
    asker: Arc<Asker>,
    authorization: Option<HeaderValue>,
    hits: Counter,
    misses: Counter,
}

fn problem(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::error("introspection.settings", message).at("", 0, pointer)
}

/// A name for what has the same answers: everything that an answer depends on, the secret by its digest.
fn same(config: &Config) -> String {
    let secret = sha256(config.client.secret.expose().as_bytes());
    let asked = (&config.url, &config.ca, &config.client.id, config.client.post, URL_SAFE_NO_PAD.encode(secret));
    let read = (&config.issuer, &config.key_type_claim, config.timeout, &config.cache);
    format!("introspection {asked:?} {read:?}")
}

/// `application/x-www-form-urlencoded`, of one value.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn is_safe(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let local =
        |host: &str| host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && uri.host().is_some_and(local))
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
        if !is_safe(&config.url) {
            return Err(problem("/url", "tokens and the client's secret would be sent without encryption").hint("use an `https` URL"));
        }
        for (pointer, ttl) in [("/cache/ttl", config.cache.ttl), ("/cache/negative_ttl", config.cache.negative_ttl)] {
            if ttl.0 > LONGEST_TTL {
                return Err(problem(pointer, "at most 60s").hint("a revoked token passes for as long"));
            }
        }
        let policy = RemotePolicy { timeout: config.timeout.0, max_bytes: MAX_ANSWER, ca: config.ca.clone() };
        let basic = format!("{}:{}", encoded(&config.client.id), encoded(config.client.secret.expose()));
        let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(basic))).map_err(|_| problem("/client", "cannot be sent"))?;
        Ok(Self {
            remote: env.world.remote(&config.url, policy).map_err(|found| problem("/url", found.message))?,
            asker: env.shared.get_or_make(&same(&config), || Ok(Asker::new(&config.cache, env.clock.clone())))?,
            authorization: (!config.client.post).then_some(basic),
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
            return Ok(Flow::Stop(refuse(reason)));
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
            let call = self.remote.call(self.question(token));
            let (config, token) = (self.config.clone(), token.to_owned());
            async move {
                let response = call.await.map_err(|error| error.to_string())?;
                answer::read(&response, &token, &config)
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

    fn question(&self, token: &str) -> RemoteRequest {
        let mut body = format!("token={}&token_type_hint=access_token", encoded(token));
        let mut headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
        ];
        match &self.authorization {
            Some(value) => headers.push((header::AUTHORIZATION, value.clone())),
            None => {
                let client = &self.config.client;
                body.push_str(&format!("&client_id={}&client_secret={}", encoded(&client.id), encoded(client.secret.expose())));
            }
        }
        RemoteRequest { method: Method::POST, headers, body: body.into() }
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
