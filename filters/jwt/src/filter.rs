//! The filter: finds the token, has it judged, answers.

use std::sync::Arc;

use tollgate_binding::{Bringer, Challenge, Dpop, SCHEME, SenderConstrained};
use tollgate_filter_api::{
    Answer, Call, Carrier, Cx, DeclaredHeader, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Principal,
    Problem, Reason, RequestHead, ResponseCx, Views, has_scheme,
};

use crate::{
    config::Config,
    credential::token,
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

impl Filter for Jwt {
    const ID: &'static str = "jwt";
    const SCOPED: bool = true;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "jwt_cache_hits_total", help: "Tokens found in the cache of verified tokens and still good" },
        MetricDoc { name: "jwt_cache_misses_total", help: "Tokens verified anew, whatever came of it" },
        MetricDoc { name: "jwt_dpop_replays_total", help: "DPoP proofs that were used twice" },
        MetricDoc { name: "jwt_dpop_store_full_total", help: "DPoP proofs for which there was no room" },
        MetricDoc { name: "jwt_keys", help: "Usable keys of an issuer" },
        MetricDoc {
            name: "jwt_keys_unreadable_total",
            help: "New versions of an issuer's keys that could not be read, or had no usable key; those before stay",
        },
        MetricDoc { name: "jwt_keys_dropped_total", help: "Keys of new versions that cannot be used and were left out alone, by why" },
        MetricDoc { name: "jwt_keys_asked_total", help: "Times a token's key was not at hand and the issuer's sources were asked" },
    ];
    type Config = Config;
    type Declared = DeclaredHeader;
    type Needs = Peer;
    type Gives = Principal;
    type State = Option<HeaderValue>;

    fn build(config: Config, declared: DeclaredHeader, env: &Env) -> Result<Self, Problem> {
        let config = Config { header: declared.header.unwrap_or(config.header), ..config };
        let header = HeaderName::from_bytes(config.header.as_bytes())
            .map_err(|_| Problem::setting("/header", format!("{:?} is not the name of a header", config.header)))?;
        Ok(Self {
            verifier: setup::verifier(&config, env)?,
            header,
            challenge: challenge(&config)?,
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
        let proving = self.dpop.as_ref().filter(|_| has_scheme(cx.req, &self.header, SCHEME));
        match self.verified(cx.req, cx.call, cx.given, proving, cx.views).await {
            Ok((principal, next_nonce)) => {
                *cx.state = next_nonce;
                if !self.forward_token {
                    cx.req.remove(&self.header);
                }
                if let Some(dpop) = &self.dpop {
                    dpop.take_out(cx.req);
                }
                Ok(Flow::Next(principal))
            }
            Err(Failure::Refused(refusal)) => self.refused(refusal, proving, cx.call).map(Flow::Stop),
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

impl Jwt {
    /// Who is calling, and the nonce for the next proof when there is a new one.
    async fn verified(
        &self,
        req: &RequestHead,
        call: &Call,
        peer: &Peer,
        proving: Option<&Dpop>,
        views: &mut Views,
    ) -> Result<(Principal, Option<HeaderValue>), Failure> {
        let token = token(req, &self.header, if proving.is_some() { SCHEME } else { &self.scheme })?;
        let Verified { principal, confirmation } = self.verifier.verify(token, call.moment(), views).await?;
        let bringer = Bringer { req, call, peer, token, proving };
        let next_nonce = confirmation.check(&bringer, self.sender_constrained, views);
        let next_nonce = next_nonce.map_err(|failure| Failure::from(failure).of(principal.client.as_deref()))?;
        Ok((principal, next_nonce))
    }

    /// The answer, with `error=` only when a token was sent.
    fn refused(&self, refusal: Refusal, proving: Option<&Dpop>, call: &Call) -> Result<Answer, Fault> {
        let (reason, why) = (refusal.reason, refusal.why);
        let answer = answered(refusal);
        match reason.id {
            "jwt.missing" | "jwt.scheme" => Ok(self.challenge.all(answer)),
            _ => self.challenge.error(answer, why, proving, call.now),
        }
    }
}

/// What `WWW-Authenticate` says (RFC 6750 §3).
fn challenge(config: &Config) -> Result<Challenge, Problem> {
    let plain = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    if !config.realm.chars().all(plain) {
        return Err(Problem::setting("/realm", "the realm holds a character that a header cannot carry"));
    }
    if !config.scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Problem::setting("/scheme", "the scheme is not one word"));
    }
    let scheme = if config.scheme.is_empty() { "Bearer" } else { &config.scheme };
    Ok(Challenge::new(scheme, &config.realm, config.dpop.as_ref()))
}

fn answered(refusal: Refusal) -> Answer {
    let mut answer = refusal.reason.because(refusal.cause);
    if let Some(client) = refusal.client {
        answer = answer.client(client);
    }
    match &refusal.claimed_client {
        Some(client) => answer.claimed_client(client),
        None => answer,
    }
}
