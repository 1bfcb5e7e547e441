//! The filter: reads what the listener knows of the client, compares, answers.

use tollgate_filter_api::{
    Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderValue, NoCertificate, Peer, Posture, Principal, Problem, Reason, Rule, Shown,
};

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
            Peer::Anonymous(why) => {
                let (reason, cause) = absent(why);
                return Ok(self.stop(reason, cause));
            }
        };
        if !self.allowed.allows(&cx.call.operation, certificate, cx.views)? {
            let rule = self.allowed.rule(&cx.call.operation);
            let cause = Cause::new(CauseKind::NotAllowed, "client certificate", rule).seen(Shown::sent(&certificate.subject));
            return Ok(self.stop(&reasons::NOT_ALLOWED, cause));
        }
        Ok(Flow::Next(self.principals.of(certificate)))
    }
}

impl Mtls {
    fn stop(&self, reason: &'static Reason, cause: Cause) -> Flow<Principal> {
        Flow::Stop(reason.because(cause).header(http::header::WWW_AUTHENTICATE, self.challenge.clone()))
    }
}

fn absent(why: &NoCertificate) -> (&'static Reason, Cause) {
    const LISTENERS: Rule = Rule::Gateway("/listeners");
    let missing = |rule| Cause::new(CauseKind::Missing, "client certificate", rule);
    match why {
        NoCertificate::Plain => (&reasons::NOT_ASKED, missing(LISTENERS).detail("the connection is not encrypted")),
        NoCertificate::NotAsked => (&reasons::NOT_ASKED, missing(LISTENERS).detail("the listener has no `client_auth`")),
        NoCertificate::NotSent => (&reasons::MISSING, missing(Rule::demand())),
        NoCertificate::NotTrusted { .. } => (&reasons::UNTRUSTED, Cause::new(CauseKind::Unverified, "client certificate", LISTENERS)),
    }
}

/// RFC 9110 demands a challenge with a 401. No scheme is registered for client certificates: `Mutual` is RFC 8120, a password
/// protocol, and the reference product's `Mutual SSL` is two words where one is allowed.
fn challenge(realm: &str) -> Result<HeaderValue, Problem> {
    let plain = realm.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\');
    let value = HeaderValue::try_from(format!("MutualTLS realm=\"{realm}\"")).ok().filter(|_| plain);
    value.ok_or_else(|| Problem::setting("/realm", "the realm holds a character that a header cannot carry"))
}
