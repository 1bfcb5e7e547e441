//! The filter: finds the token, has it judged, compares scopes, answers.

use std::sync::Arc;

use tollgate_filter_api::{
    Answer, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, MetricDoc, Peer, Posture, Principal, Problem, Reason,
};

use crate::{
    config::{Config, SenderConstrained},
    credential::{strip_backend_token, token},
    reasons::{self, Failure, Refusal, Refuse, SCOPE},
    setup,
    verifier::Verifier,
};

/// The `jwt` filter.
pub struct Jwt {
    verifier: Arc<Verifier>,
    header: HeaderName,
    scheme: String,
    scopes: Vec<Vec<String>>,
    forward_token: bool,
    sender_constrained: SenderConstrained,
    challenge: Challenge,
}

/// What `WWW-Authenticate` says (RFC 6750 §3).
struct Challenge {
    /// Scheme and realm.
    bare: String,
    /// The scopes of the first alternative.
    scope: String,
}

impl Filter for Jwt {
    const ID: &'static str = "jwt";
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    const METRICS: &'static [MetricDoc] = &[
        MetricDoc { name: "jwt_cache_hits_total", help: "Tokens found in the cache of verified tokens and still good" },
        MetricDoc { name: "jwt_cache_misses_total", help: "Tokens verified anew, whatever came of it" },
        MetricDoc { name: "jwt_keys", help: "Usable keys of an issuer" },
        MetricDoc { name: "jwt_keys_unreadable_total", help: "New versions of an issuer's keys that could not be read" },
        MetricDoc { name: "jwt_keys_asked_total", help: "Times a token's key was not at hand and the issuer's sources were asked" },
    ];
    type Config = Config;
    type Needs = Peer;
    type Gives = Principal;
    type State = ();

    fn build(config: Config, env: &Env) -> Result<Self, Problem> {
        let header = HeaderName::from_bytes(config.header.as_bytes())
            .map_err(|_| Problem::error("jwt.settings", format!("{:?} is not the name of a header", config.header)).at("", 0, "/header"))?;
        Ok(Self {
            verifier: setup::verifier(&config, env)?,
            header,
            challenge: Challenge::new(&config)?,
            scheme: config.scheme,
            scopes: config.scopes,
            forward_token: config.forward_token,
            sender_constrained: config.sender_constrained,
        })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        strip_backend_token(cx.req);
        let verified = match token(cx.req, &self.header, &self.scheme) {
            Ok(token) => self.verifier.verify(token, cx.call.now).await,
            Err(refusal) => Err(refusal.into()),
        };
        let bound = verified.and_then(|verified| {
            verified.confirmation.check(cx.given, None, self.sender_constrained)?;
            Ok(verified.principal)
        });
        match bound.and_then(|principal| self.authorize(principal)) {
            Ok(principal) => {
                if !self.forward_token {
                    cx.req.remove(&self.header);
                }
                Ok(Flow::Next(principal))
            }
            Err(Failure::Refused(refusal)) => Ok(Flow::Stop(self.challenge.answer(refusal))),
            Err(Failure::Undecided(fault)) => Err(fault),
        }
    }
}

impl Jwt {
    fn authorize(&self, principal: Principal) -> Result<Principal, Failure> {
        let has = |scope: &String| principal.scopes.contains(scope);
        let enough = self.scopes.is_empty() || self.scopes.iter().any(|all| all.iter().all(has));
        if enough { Ok(principal) } else { Err(SCOPE.refusal().into()) }
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
        // Scopes come from definitions; one that is none of RFC 6749 cannot be named in a header.
        let legal = |scope: &&String| !scope.is_empty() && scope.chars().all(|c| plain(c) && c != ' ');
        let names: Vec<&str> = config.scopes.first().into_iter().flatten().filter(legal).map(String::as_str).collect();
        Ok(Self { bare: format!("{scheme} realm=\"{}\"", config.realm), scope: names.join(" ") })
    }

    /// The answer, with `error=` only when a token was sent.
    fn answer(&self, refusal: Refusal) -> Answer {
        let reason = refusal.reason;
        let Self { bare, scope } = self;
        let challenge = match (reason.status, reason.id) {
            (_, "jwt.missing" | "jwt.scheme") => bare.clone(),
            (403, _) => format!("{bare}, error=\"insufficient_scope\", error_description=\"{}\", scope=\"{scope}\"", reason.title),
            (400, _) => format!("{bare}, error=\"invalid_request\", error_description=\"{}\"", reason.title),
            _ => format!("{bare}, error=\"invalid_token\", error_description=\"{}\"", reason.title),
        };
        let mut answer = reason.answer();
        if let Some(note) = refusal.note {
            answer = answer.log(note);
        }
        match HeaderValue::try_from(challenge) {
            Ok(value) => answer.header(http::header::WWW_AUTHENTICATE, value),
            Err(_) => answer,
        }
    }
}
