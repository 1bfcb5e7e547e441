//! Calls that guests make.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_filter_api::{Env, Fault, LogLimiter, Problem, Remote, RemotePolicy, RemoteRequest, RemoteResponse, View, Views};
use tollgate_proxy_wasm::{CallAnswer, QueuedCall};

use crate::config::Upstream;

/// The upstreams that guests may call, in the order of their names.
#[derive(Debug)]
pub struct Calls {
    names: Vec<String>,
    remotes: View<Arc<Remotes>>,
}

type Remotes = Vec<(Arc<dyn Remote>, LogLimiter)>;

/// An answer as it is noted: status, fields and body.
type Noted = Option<(u16, Vec<(String, Vec<u8>)>, Vec<u8>)>;

impl Calls {
    pub fn new(upstreams: &BTreeMap<String, Upstream>, env: &Env) -> Result<Self, Problem> {
        let remotes = upstreams.iter().map(|(name, upstream)| {
            let max_bytes = usize::try_from(upstream.max_bytes.0).unwrap_or(usize::MAX);
            let policy = RemotePolicy { timeout: upstream.timeout.0, max_bytes, ca: upstream.ca.clone() };
            let at = |problem: Problem| Problem { pointer: format!("/calls/{name}/url"), ..problem };
            env.world.remote(&upstream.url, policy).map(|remote| (remote, LogLimiter::default())).map_err(at)
        });
        let remotes: Remotes = remotes.collect::<Result<_, _>>()?;
        Ok(Self { names: upstreams.keys().cloned().collect(), remotes: View::new("wasm.calls", Arc::new(remotes)) })
    }

    /// Makes calls at the same time, and waits for all of them.
    ///
    /// # Errors
    /// When a decision is made again, and nobody noted an answer.
    pub async fn make(
        &self,
        calls: Vec<QueuedCall>,
        views: &mut Views,
        now: std::time::Instant,
    ) -> Result<Vec<(u32, Option<CallAnswer>)>, Fault> {
        let ids: Vec<u32> = calls.iter().map(|call| call.id).collect();
        let named: Vec<&str> = calls.iter().map(|call| self.names.get(call.upstream).map_or("", String::as_str)).collect();
        let question = named.join(", ");
        let ask = |remotes: &Arc<Remotes>| {
            let asked: Vec<_> = calls.into_iter().map(|call| one(remotes.clone(), call, now)).collect();
            join_all(asked)
        };
        let note = |answers: &Vec<Option<CallAnswer>>| answers.iter().map(noted).collect::<Vec<Noted>>();
        let read = |answers: Vec<Noted>| answers.into_iter().map(read).collect();
        let answers = views.await_answer(&self.remotes, &question, ask, note, read).await?;
        Ok(ids.into_iter().zip(answers).collect())
    }
}

async fn one(remotes: Arc<Remotes>, call: QueuedCall, now: std::time::Instant) -> Option<CallAnswer> {
    let (remote, limiter) = remotes.get(call.upstream)?;
    let request = RemoteRequest { method: call.method, target: Some(call.target), headers: call.fields, body: call.body };
    match remote.call(request).await {
        Ok(RemoteResponse { status, fields, body }) => Some(CallAnswer { status, fields, body }),
        Err(error) => {
            if limiter.allow(now).is_some() {
                log::warn!("a module's call failed: {error}");
            }
            None
        }
    }
}

fn noted(answer: &Option<CallAnswer>) -> Noted {
    let CallAnswer { status, fields, body } = answer.as_ref()?;
    let fields = fields.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    Some((*status, fields.collect(), body.to_vec()))
}

fn read(answer: Noted) -> Option<CallAnswer> {
    let (status, fields, body) = answer?;
    let field = |(name, value): (String, Vec<u8>)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
    let fields: HeaderMap = fields.into_iter().filter_map(field).collect();
    Some(CallAnswer { status, fields, body: body.into() })
}
