//! The filter: finds the token, has it judged, answers.

use std::sync::Arc;

use http::header::CACHE_CONTROL;
use tollgate_filter_api::{
    Answer, Call, Carrier, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Principal, Problem, Reason,
    RequestHead, ResponseCx,
};

use crate::{
    config::{Config, SenderConstrained},
    credential::{has_scheme, token},
    dpop::{Dpop, PROOF},
    nonce::NONCE,
    reasons::{self, Failure, Refusal},
    setup,
    verifier::{Verified, Verifier},
};

/// The `jwt` filter.
pub struct Jwt {
    verifier: Arc<Verifier>,
    header: HeaderName,
    scheme: String,
    forward_token: bool,
    sender_constrained: SenderConstrained,
    dpop: Option<Dpop>,
    challenge: Challenge,
}

/// What `WWW-Authenticate` says (RFC 6750 §3).
struct Challenge {
    /// Scheme and realm.
    bare: String,
    /// The same for the scheme `DPoP`, with the algorithms of proofs, when it is accepted.
    dpop: Option<String>,
}

impl Filter for Jwt {
    const ID: &'static str = "jwt";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "jwt_cache_hits_total", help: "Tokens found in the cache of verified tokens and still good" },
        MetricDoc { name: "jwt_cache_misses_total", help: "Tokens verified anew, whatever came of it" },
        MetricDoc { name: "jwt_dpop_replays_total", help: "DPoP proofs that were used twice" },
        MetricDoc { name: "jwt_dpop_store_full_total", help: "DPoP proofs for which there was no room" },
        MetricDoc { name: "jwt_keys", help: "Usable keys of an issuer" },
        MetricDoc { name: "jwt_keys_unreadable_total", help: "New versions of an issuer's keys that could not be read" },
        MetricDoc { name: "jwt_keys_asked_total", help: "Times a token's key was not at hand and the issuer's sources were asked" },
    ];
    type Config = Config;
    type Needs = Peer;
    type Gives = Principal;
    type State = Option<HeaderValue>;

    fn build(config: Config, env: &Env) -> Result<Self, Problem> {
        let header = HeaderName::from_bytes(config.header.as_bytes())
            .map_err(|_| Problem::error("jwt.settings", format!("{:?} is not the name of a header", config.header)).at("", 0, "/header"))?;
        Ok(Self {
            verifier: setup::verifier(&config, env)?,
            header,
            challenge: Challenge::new(&config)?,
            dpop: setup::dpop(&config, env)?,
            scheme: config.scheme,
            forward_token: config.forward_token,
            sender_constrained: config.sender_constrained,
        })
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(Carrier::Header(self.header.clone()))
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        let proving = self.dpop.as_ref().filter(|_| has_scheme(cx.req, &self.header, "DPoP"));
        match self.verified(cx.req, cx.call, cx.given, proving).await {
            Ok((principal, next_nonce)) => {
                *cx.state = next_nonce;
                if !self.forward_token {
                    cx.req.remove(&self.header);
                }
                if self.dpop.as_ref().is_some_and(|dpop| !dpop.config.forward_proof) {
                    cx.req.remove(&PROOF);
                }
                Ok(Flow::Next(principal))
            }
            Err(Failure::Refused(refusal)) => self.refused(refusal, proving, cx.call).map(Flow::Stop),
            Err(Failure::Undecided(fault)) => Err(fault),
        }
    }

    /// The nonce for the next proof, when the one that was used is about to end. Where nonces are demanded, only ours count.
    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if self.dpop.as_ref().is_some_and(|dpop| dpop.nonces.is_some()) {
            cx.resp.remove(&NONCE);
        }
        if let Some(nonce) = &*cx.state {
            cx.resp.set(NONCE.clone(), nonce.clone());
            // A cache would hand it out when it is long over (RFC 9449 §8.2).
            cx.resp.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(())
    }
}

impl Jwt {
    /// Who is calling, and the nonce for the next proof when there is a new one.
    async fn verified(
        &self,
        req: &RequestHead,
        call: &Call,
        peer: &Peer,
        proving: Option<&Dpop>,
    ) -> Result<(Principal, Option<HeaderValue>), Failure> {
        let token = token(req, &self.header, if proving.is_some() { "DPoP" } else { &self.scheme })?;
        let Verified { principal, confirmation } = self.verifier.verify(token, call.now).await?;
        let client = principal.client.as_deref();
        let proved = proving.map(|dpop| dpop.prove(req, call, token, confirmation.key())).transpose();
        let proved = proved.map_err(|failure| failure.of(client))?;
        let key = proved.as_ref().map(|proved| proved.key);
        confirmation.check(peer, key, self.sender_constrained).map_err(|refusal| refusal.of(client))?;
        Ok((principal, proved.and_then(|proved| proved.next_nonce)))
    }

    fn refused(&self, refusal: Refusal, proving: Option<&Dpop>, call: &Call) -> Result<Answer, Fault> {
        let demanded = proving.and_then(|dpop| dpop.nonces.as_ref()).filter(|_| *refusal.reason == reasons::DPOP_NONCE);
        let answer = self.challenge.answer(refusal, proving.is_some());
        match demanded {
            Some(nonces) => Ok(answer.header(NONCE.clone(), nonces.current(call.now)?)),
            None => Ok(answer),
        }
    }
}

impl Challenge {
    fn new(config: &Config) -> Result<Self, Problem> {
        let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
        let at = |name: &str, message: &str| Problem::error("jwt.settings", message).at("", 0, name);
        if !config.realm.chars().all(plain) {
            return Err(at("/realm", "the realm holds a character that a header cannot carry"));
        }
        if !config.scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(at("/scheme", "the scheme is not one word"));
        }
        let scheme = if config.scheme.is_empty() { "Bearer" } else { &config.scheme };
        let dpop = config.dpop.as_ref().map(|dpop| {
            let algorithms: Vec<&str> = dpop.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            format!("DPoP realm=\"{}\", algs=\"{}\"", config.realm, algorithms.join(" "))
        });
        Ok(Self { bare: format!("{scheme} realm=\"{}\"", config.realm), dpop })
    }

    /// The answer, with `error=` only when a token was sent.
    fn answer(&self, refusal: Refusal, proving: bool) -> Answer {
        let reason = refusal.reason;
        let Self { bare, dpop } = self;
        let scheme = dpop.as_ref().filter(|_| proving).unwrap_or(bare);
        let error = match (reason.status, reason.id) {
            (_, "jwt.missing" | "jwt.scheme") => {
                let both = [Some(bare), dpop.as_ref()].into_iter().flatten();
                return both.fold(answered(refusal), challenged);
            }
            (_, "jwt.dpop_proof" | "jwt.dpop_replay") => "invalid_dpop_proof",
            (_, "jwt.dpop_nonce") => "use_dpop_nonce",
            (400, _) => "invalid_request",
            _ => "invalid_token",
        };
        let challenge = format!("{scheme}, error=\"{error}\", error_description=\"{}\"", reason.title);
        challenged(answered(refusal), &challenge)
    }
}

fn answered(refusal: Refusal) -> Answer {
    let mut answer = refusal.reason.answer();
    if let Some(client) = refusal.client {
        answer = answer.client(client);
    }
    match refusal.note {
        Some(note) => answer.log(note),
        None => answer,
    }
}

fn challenged(answer: Answer, challenge: &String) -> Answer {
    match HeaderValue::try_from(challenge) {
        Ok(value) => answer.header(http::header::WWW_AUTHENTICATE, value),
        Err(_) => answer,
    }
}
