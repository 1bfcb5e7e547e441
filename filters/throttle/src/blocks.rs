//! Callers and APIs that are blocked: by the settings, and by the operator at run time.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use tollgate_filter_api::{Answer, Cause, CauseKind, Env, Fault, Problem, Rule, View, Views};
use tollgate_throttling::{Caller, List, Throttling};

use crate::{
    config,
    limits::{
        part::{self, Seen},
        tiers,
    },
    reasons::BLOCKED,
};

/// What is blocked on an operation.
pub(crate) struct Blocks {
    written: List,
    /// When blocks can change at run time.
    changing: Option<View<Arc<Throttling>>>,
}

impl Blocks {
    /// Those of the settings, and those of run time when the gateway keeps any.
    ///
    /// # Errors
    /// When one of the settings cannot be read.
    pub(crate) fn new(config: &config::Config, env: &Env) -> Result<Self, Problem> {
        let throttling = Throttling::of(env)?;
        throttling.use_blocks();
        let changing = throttling.blocks.can_change().then(|| View::new("throttle.blocks", throttling));
        Ok(Self { written: List::new(&config.blocks, "/blocks")?, changing })
    }

    /// The refusal of a request that is blocked.
    ///
    /// # Errors
    /// When nobody knows.
    pub(crate) fn refuse(&self, seen: Seen<'_>, views: &mut Views) -> Result<Option<Answer>, Fault> {
        if let Some(at) = self.written.find(&seen) {
            return Ok(Some(refusal(Rule::nth_setting("/blocks/*", at), at)));
        }
        let Some(changing) = &self.changing else { return Ok(None) };
        let found: Option<usize> = views.ask(changing, "whether the request is blocked", |throttling| throttling.blocks.find(&seen))?;
        Ok(found.map(|at| refusal(Rule::Gateway("/stores/blocks"), at)))
    }
}

fn refusal(rule: Rule, at: usize) -> Answer {
    let cause = Cause::new(CauseKind::NotAllowed, "caller or API", rule).detail(format!("it is block {} of its list", at + 1));
    BLOCKED.because(cause).detail("You have been blocked from accessing the resource")
}

impl Caller for Seen<'_> {
    fn api(&self) -> &[u8] {
        self.call.operation.base_path.trim_end_matches('/').as_bytes()
    }

    fn users(&self) -> impl Iterator<Item = &[u8]> {
        self.credentials.iter().filter_map(|credential| credential.subject.as_deref()).map(str::as_bytes)
    }

    /// Of each credential the application that it tells of, or else its client.
    fn applications(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.credentials.iter().filter_map(|credential| {
            let told = tiers::application_id(credential).map(part::text);
            told.or_else(|| credential.client.as_deref().map(|client| Cow::Borrowed(client.as_bytes())))
        })
    }

    fn address(&self) -> IpAddr {
        self.call.client
    }
}
