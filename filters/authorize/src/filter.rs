//! What runs.

use tollgate_filter_api::{
    AllCredentials, Answer, Cause, CauseKind, Credentials, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, KeyType, OperationInfo,
    Posture, Principal, Problem, Reason, RequiredScopes, Rule, ScopeAlternatives,
};

use crate::{
    Config,
    config::{KeyKind, Scopes, Subscriptions},
    reasons::{BLOCKED, INACTIVE, KEY_TYPE, SCOPE, SUBSCRIPTION},
    subscription,
};

/// The `authorize` filter.
#[derive(Debug)]
pub struct Authorize {
    config: Config,
    required: Vec<Vec<RequiredScopes>>,
}

impl Filter for Authorize {
    const ID: &'static str = "authorize";
    const CREDENTIALS_ONLY: bool = true;
    const COMPARES_SCOPES: bool = true;
    const REASONS: &'static [Reason] = &[SCOPE, SUBSCRIPTION, INACTIVE, BLOCKED, KEY_TYPE];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ScopeAlternatives;
    type Needs = AllCredentials;
    type Gives = ();
    type State = ();

    fn build(config: Config, declared: ScopeAlternatives, _env: &Env) -> Result<Self, Problem> {
        Ok(Self { config, required: declared.alternatives })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if cx.given.first.is_anonymous() {
            return Ok(Flow::Next(()));
        }
        let judged =
            self.scopes(cx.given).and_then(|()| self.subscription(cx.given, &cx.call.operation)).and_then(|()| self.key_types(cx.given));
        Ok(judged.map_or_else(Flow::Stop, Flow::Next))
    }
}

impl Authorize {
    /// One alternative of those whose filters vouched for the caller must have its scopes.
    fn scopes(&self, given: Credentials<'_>) -> Result<(), Answer> {
        let (alternatives, scopes) = (&self.required, self.config.scopes);
        if alternatives.is_empty() {
            return Ok(());
        }
        let vouched =
            |alternative: &&Vec<RequiredScopes>| alternative.iter().map(|need| need.filter.as_str()).eq(given.iter().map(|p| p.filter));
        let mut lacking = Vec::new();
        for (place, alternative) in alternatives.iter().enumerate().filter(|(_, alternative)| vouched(alternative)) {
            let both = alternative.iter().zip(given.iter());
            let without: Vec<&RequiredScopes> =
                both.filter(|(need, principal)| !holds(need, principal, scopes)).map(|(need, _)| need).collect();
            if without.is_empty() {
                return Ok(());
            }
            lacking.push((place, without));
        }
        Err(lacks(&lacking, scopes))
    }

    fn subscription(&self, given: Credentials<'_>, operation: &OperationInfo) -> Result<(), Answer> {
        if self.config.subscriptions == Subscriptions::Off {
            return Ok(());
        }
        let mut listed = false;
        for judged in given.iter().filter_map(|principal| subscription::judge(principal, operation)) {
            judged.map_err(invalid)?;
            listed = true;
        }
        if listed || self.config.subscriptions == Subscriptions::WhenPresent {
            return Ok(());
        }
        Err(SUBSCRIPTION.because(Cause::new(CauseKind::Missing, "claim `subscribedAPIs`", Rule::setting("/subscriptions"))))
    }

    fn key_types(&self, given: Credentials<'_>) -> Result<(), Answer> {
        let (kind, name) = match given.first.key_type {
            KeyType::Production => (KeyKind::Production, "production"),
            KeyType::Sandbox => (KeyKind::Sandbox, "sandbox"),
        };
        if self.config.key_types.is_empty() || self.config.key_types.contains(&kind) {
            return Ok(());
        }
        Err(KEY_TYPE.because(Cause::new(CauseKind::NotAllowed, "kind of key", Rule::setting("/key_types")).seen(name)))
    }
}

fn holds(need: &RequiredScopes, principal: &Principal, scopes: Scopes) -> bool {
    let has = |scope: &String| principal.scopes.contains(scope);
    match scopes {
        Scopes::All => need.scopes.iter().all(has),
        Scopes::Any => need.scopes.is_empty() || need.scopes.iter().any(has),
    }
}

/// Names the scopes of the first alternative, as RFC 6750 §3 wants it; the log has all of them, with the lines that asked.
fn lacks(alternatives: &[(usize, Vec<&RequiredScopes>)], scopes: Scopes) -> Answer {
    // Scopes come from definitions; one that is none of RFC 6749 cannot be named in a header.
    let legal = |scope: &&String| !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    let first = alternatives.first().into_iter().flat_map(|(_, needs)| needs);
    let names: Vec<&str> = first.flat_map(|need| &need.scopes).filter(legal).map(String::as_str).collect();
    let quantity = if scopes == Scopes::All { "all" } else { "one" };
    let need = |need: &&RequiredScopes| format!("{quantity} of {:?} for {} ({})", need.scopes, need.filter, need.source);
    let together = |(_, needs): &(usize, Vec<&RequiredScopes>)| needs.iter().map(need).collect::<Vec<_>>().join(" and ");
    let wanted = alternatives.iter().map(together).collect::<Vec<_>>().join(", or ");
    let cause = match alternatives.first() {
        Some((place, _)) => Cause::new(CauseKind::Insufficient, "scope", Rule::nth_declaration("/alternatives/*", *place)).wanted(wanted),
        None => {
            let cause = Cause::new(CauseKind::Insufficient, "credential", Rule::declaration("/alternatives"));
            cause.detail("no alternative asks for these credentials")
        }
    };
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", names.join(" "));
    challenged(SCOPE.because(cause), challenge)
}

fn invalid(answer: Answer) -> Answer {
    if answer.status() == 401 { challenged(answer, "Bearer error=\"invalid_token\"".to_owned()) } else { answer }
}

fn challenged(answer: Answer, challenge: String) -> Answer {
    match HeaderValue::try_from(challenge) {
        Ok(value) => answer.header(HeaderName::from_static("www-authenticate"), value),
        Err(_) => answer,
    }
}
