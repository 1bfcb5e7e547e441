//! The filter: reads what the listener knows of the client, compares, answers.

use tollgate_filter_api::{Answer, Cx, Env, Fault, Filter, Flow, HeaderValue, NoCertificate, Peer, Posture, Principal, Problem, Reason};

use crate::{
    allowed::Allowed,
    config::Config,
    principal::{ID, Principals},
    reasons,
};

/// The `mtls` filter.
pub struct Mtls {
    allowed: Allowed,
    principals: Principals,
    challenge: HeaderValue,
}

impl Filter for Mtls {
    const ID: &'static str = ID;
    const CERTIFICATE: bool = true;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = Peer;
    type Gives = Principal;
    type State = ();

    fn named_apis(config: &Config) -> Vec<(String, String)> {
        config.apis.iter().map(|api| (api.name.clone(), api.version.clone())).collect()
    }

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        Ok(Self { allowed: Allowed::new(&config, env)?, principals: Principals::new(), challenge: challenge(&config.realm)? })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        let certificate = match cx.given {
            Peer::Certified(certificate) => certificate,
            Peer::Anonymous(NoCertificate::Plain) => return Ok(self.stop(&reasons::NOT_ASKED, "the connection is not encrypted")),
            Peer::Anonymous(NoCertificate::NotAsked) => return Ok(self.stop(&reasons::NOT_ASKED, "the listener has no `client_auth`")),
            Peer::Anonymous(NoCertificate::NotSent) => return Ok(self.stop(&reasons::MISSING, "")),
            Peer::Anonymous(NoCertificate::NotTrusted { .. }) => return Ok(self.stop(&reasons::UNTRUSTED, "")),
        };
        if !self.allowed.allows(&cx.call.operation, certificate, cx.views)? {
            return Ok(self.stop(&reasons::NOT_ALLOWED, format!("subject {:?}", certificate.subject)));
        }
        Ok(Flow::Next(self.principals.of(certificate)))
    }
}

impl Mtls {
    fn stop(&self, reason: &'static Reason, note: impl Into<std::borrow::Cow<'static, str>>) -> Flow<Principal> {
        let note = note.into();
        let answer: Answer = reason.answer().header(http::header::WWW_AUTHENTICATE, self.challenge.clone());
        Flow::Stop(if note.is_empty() { answer } else { answer.log(note) })
    }
}

/// RFC 9110 demands a challenge with a 401. No scheme is registered for client certificates: `Mutual` is RFC 8120, a password
/// protocol, and the reference product's `Mutual SSL` is two words where one is allowed.
fn challenge(realm: &str) -> Result<HeaderValue, Problem> {
    let plain = realm.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\');
    let value = HeaderValue::try_from(format!("MutualTLS realm=\"{realm}\"")).ok().filter(|_| plain);
    value.ok_or_else(|| Problem::setting("/realm", "the realm holds a character that a header cannot carry"))
}
