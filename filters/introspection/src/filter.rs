//! The filter: finds the token, asks or remembers, judges, answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::{Either, ready};
use openssl::sha::sha256;
use serde_json::{Map, Value};
use tollgate_binding::{Bringer, Challenge, Confirmation, Dpop, Names, SCHEME};
use tollgate_filter_api::{
    Answer, Call, Carrier, Cause, CauseKind, Counter, Cx, DeclaredHeader, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc,
    Peer, Posture, Principal, Problem, Reason, RemotePolicy, RequestHead, ResponseCx, Rule, View, Views, has_scheme,
};
use tollgate_url::{Url, redacted};

use crate::{
    answer::{self, Grant},
    asker::{Asker, Lookup, Said},
    config::Config,
    credential::token,
    issuer::{Issuer, Proof, encoded},
    own_token::OwnToken,
    reasons::{self, Failure},
};

const LONGEST_TTL: Duration = Duration::from_secs(60);
const MAX_ANSWER: usize = 64 << 10;

static NAMES: Names = Names {
    proofs: "introspection.dpop_proofs",
    replays: "introspection_dpop_replays_total",
    full: "introspection_dpop_store_full_total",
    no_room: "introspection.replay_store_full",
    no_nonce: "introspection.dpop_nonce",
};

/// The `introspection` filter.
pub struct Introspection {
    config: Arc<Config>,
    header: HeaderName,
    issuer: Arc<Issuer>,
    asker: View<Arc<Asker>>,
    dpop: Option<Dpop>,
    challenge: Challenge,
    hits: Counter,
    misses: Counter,
}

/// A name for what has the same answers: everything that an answer depends on, the secret by its digest.
fn same(config: &Config) -> String {
    let secret = sha256(config.client.secret.expose().as_bytes());
    let client = (&config.client.id, config.client.post, &config.client.token, URL_SAFE_NO_PAD.encode(secret));
    let endpoint = (&config.url, &config.ca, client);
    let read = (&config.issuer, &config.key_type_claim, config.timeout, &config.cache);
    format!("introspection {endpoint:?} {read:?}")
}

/// Refuses to send secrets in the clear to another machine.
fn check_url(pointer: &str, text: &str) -> Result<(), Problem> {
    let url = Url::parse_http(text).map_err(|error| Problem::setting(pointer, format!("the URL `{}` {error}", redacted(text))))?;
    if url.is_https() || url.is_loopback() {
        return Ok(());
    }
    Err(Problem::setting(pointer, "tokens and the client's secret would be sent without encryption").hint("use an `https` URL"))
}

/// How it is asked, with these settings.
fn issuer(config: &Config, env: &Env) -> Result<Issuer, Problem> {
    let policy = || RemotePolicy { timeout: config.timeout.0, max_bytes: MAX_ANSWER, ca: config.ca.clone() };
    let remote = |pointer: &str, url: &str| env.world.remote(url, policy()).map_err(|found| Problem::setting(pointer, found.message));
    let proof = Proof::new(&config.client)?;
    let own = config.client.token.as_ref().map(|token| {
        let form = token.scope.iter().fold("grant_type=client_credentials".to_owned(), |form, scope| form + "&scope=" + &encoded(scope));
        let made =
            || Ok(OwnToken::new(remote("/client/token/url", &token.url)?, proof.request(form), redacted(&token.url), env.clock.clone()));
        env.shared.get_or_make(&format!("own token of {}", same(config)), made)
    });
    Ok(Issuer { remote: remote("/url", &config.url)?, place: redacted(&config.url), own: own.transpose()?, proof })
}

impl Filter for Introspection {
    const ID: &'static str = "introspection";
    const ACCEPTS: &'static [&'static str] = &["introspection", "jwt"];
    const SCOPED: bool = true;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "introspection_cache_hits_total", help: "Tokens whose issuer was asked a moment ago, or is being asked" },
        MetricDoc { name: "introspection_cache_misses_total", help: "Tokens about which the issuer had to be asked" },
        MetricDoc { name: "introspection_dpop_replays_total", help: "DPoP proofs that were used twice" },
        MetricDoc { name: "introspection_dpop_store_full_total", help: "DPoP proofs for which there was no room" },
    ];
    type Config = Config;
    type Declared = DeclaredHeader;
    type Needs = Peer;
    type Gives = Principal;
    type State = Option<HeaderValue>;

    fn build(config: Config, declared: DeclaredHeader, env: &Env) -> Result<Self, Problem> {
        let config = Config { header: declared.header.unwrap_or(config.header), ..config };
        let header =
            HeaderName::from_bytes(config.header.as_bytes()).map_err(|_| Problem::setting("/header", "not the name of a header"))?;
        let token_url = config.client.token.as_ref().map(|token| ("/client/token/url", &token.url));
        for (pointer, url) in [("/url", &config.url)].into_iter().chain(token_url) {
            check_url(pointer, url)?;
        }
        for (pointer, ttl) in [("/cache/ttl", config.cache.ttl), ("/cache/negative_ttl", config.cache.negative_ttl)] {
            if ttl.0 > LONGEST_TTL {
                return Err(Problem::setting(pointer, "at most 60s").hint("a revoked token passes for as long"));
            }
        }
        let asker = env.shared.get_or_make(&same(&config), || Ok(Asker::new(&config.cache, env.clock.clone())))?;
        Ok(Self {
            issuer: Arc::new(issuer(&config, env)?),
            dpop: config.dpop.clone().map(|dpop| Dpop::new(dpop, &NAMES, env)).transpose()?,
            challenge: Challenge::new("Bearer", "api", config.dpop.as_ref()),
            asker: View::new("introspection.answers", asker),
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
        let proving = self.dpop.as_ref().filter(|_| has_scheme(cx.req, &self.header, SCHEME));
        match self.known(cx.req, cx.call, cx.given, proving, cx.views).await {
            Ok((grant, next_nonce)) => {
                *cx.state = next_nonce;
                if !self.config.forward {
                    cx.req.remove(&self.header);
                }
                if let Some(dpop) = &self.dpop {
                    dpop.take_out(cx.req);
                }
                Ok(Flow::Next(grant.principal.clone()))
            }
            Err(Failure::Refused(answer, why)) => match answer.reason().id {
                "introspection.missing" | "introspection.scheme" => Ok(Flow::Stop(self.challenge.all(answer))),
                _ => self.challenge.error(answer, why, proving, cx.call.now).map(Flow::Stop),
            },
            Err(Failure::Undecided(fault)) => Err(fault),
        }
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if let Some(dpop) = &self.dpop {
            dpop.announce(cx.state.as_ref(), cx.resp);
        }
        Ok(())
    }
}

/// The issuer does not say why.
fn inactive() -> Answer {
    let cause = Cause::new(CauseKind::NotAllowed, "token", Rule::setting("/url"));
    reasons::INACTIVE.because(cause.detail("its issuer says that it is not active"))
}

impl Introspection {
    /// What the issuer grants whoever is calling, and the nonce for the next proof when there is a new one.
    async fn known(
        &self,
        req: &RequestHead,
        call: &Call,
        peer: &Peer,
        proving: Option<&Dpop>,
        views: &mut Views,
    ) -> Result<(Arc<Grant>, Option<HeaderValue>), Failure> {
        let token = token(req, &self.config, &self.header, if proving.is_some() { SCHEME } else { "Bearer" })?;
        let unavailable = |cause| Fault::new("introspection.unavailable", cause).retry_after(Duration::from_secs(1));
        let said = self.ask(token, call, views).await.map_err(Failure::Undecided)?;
        let grant = said.map_err(|cause| Failure::Undecided(unavailable(cause)))?.ok_or_else(inactive)?;
        let bringer = Bringer { req, call, peer, token: token.as_bytes(), proving };
        let judged = self.judge(&grant, &bringer, views);
        let next_nonce = judged.map_err(|failure| failure.of(grant.principal.client.as_deref()))?;
        Ok((grant, next_nonce))
    }

    fn judge(&self, grant: &Grant, bringer: &Bringer<'_>, views: &mut Views) -> Result<Option<HeaderValue>, Failure> {
        grant.judge(&self.config, bringer.call.now, bringer.proving.is_some())?;
        let confirmation = Confirmation::of(&grant.principal.claims)?;
        Ok(confirmation.check(bringer, self.config.sender_constrained, views)?)
    }

    /// What the issuer says of the token. Noted are the claims of a token that is active.
    async fn ask(&self, token: &str, call: &Call, views: &mut Views) -> Result<Said, Fault> {
        let note = |said: &Said| -> Result<Option<Map<String, Value>>, String> {
            said.as_ref().map(|known| known.as_ref().map(|grant| grant.principal.claims.clone())).map_err(Clone::clone)
        };
        let read =
            |noted: Result<Option<Map<String, Value>>, String>| noted?.map(|claims| answer::grant(claims, token, &self.config)).transpose();
        let ask = |asker| self.said(asker, token, call.instant);
        views.await_answer(&self.asker, &self.issuer.place, ask, note, read).await
    }

    /// What is remembered, or comes back.
    async fn said(&self, asker: &Arc<Asker>, token: &str, now: Instant) -> Said {
        let question = || {
            let (issuer, config, token) = (self.issuer.clone(), self.config.clone(), token.to_owned());
            async move {
                let response = issuer.ask(&token).await?;
                answer::read(&response, &token, &config).map_err(|why| format!("{}: {why}", issuer.place))
            }
        };
        let (said, series) = match asker.find(sha256(token.as_bytes()), now, question) {
            Lookup::Known(known) => (Either::Left(ready(Ok(known))), &self.hits),
            Lookup::Pending(flight) => (Either::Right(flight), &self.hits),
            Lookup::Started(flight) => (Either::Right(flight), &self.misses),
        };
        series.inc();
        said.await
    }
}
