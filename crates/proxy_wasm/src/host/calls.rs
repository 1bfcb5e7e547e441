//! Calls to upstreams. Nothing waits here: a call is queued.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, uri::PathAndQuery};
use tollgate_filter_api::Bytes;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Cx, Host,
    memory::{answer, part, put},
};
use crate::{
    abi::Status,
    fields::{Verdict, judge},
    wire::Pairs,
};

/// A call that a guest wants to be made.
#[derive(Clone, Debug)]
pub struct QueuedCall {
    /// By which the guest knows it.
    pub id: u32,
    /// Index of the upstream among those of the settings.
    pub upstream: usize,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: PathAndQuery,
    /// Legal fields, none of which frames it or names a host.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// The body; may be empty.
    pub body: Bytes,
    /// How long the guest would wait.
    pub timeout: Duration,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct CallAnswer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub fields: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut cx: Cx<'_>,
         name: u32,
         name_size: u32,
         fields: u32,
         fields_size: u32,
         body: u32,
         body_size: u32,
         _: u32,
         _: u32,
         timeout: u32,
         at: u32| {
            answer(&mut cx, |memory, host| {
                let name = part(memory, name, name_size)?;
                let wanted = host.judge_call(name, part(memory, fields, fields_size)?, part(memory, body, body_size)?, timeout);
                let call = wanted.map_err(|why| {
                    host.words.hear(why.as_bytes());
                    Status::Internal
                })?;
                put(memory, at, &call.id.to_le_bytes())?;
                host.calls += 1;
                host.next_call = call.id;
                host.queue.push(call);
                Ok(())
            })
        },
    )?;
    Ok(())
}

impl Host {
    fn judge_call(&self, name: &[u8], fields: &[u8], body: &[u8], timeout: u32) -> std::result::Result<QueuedCall, String> {
        if !self.may_call {
            return Err("a call was not made: it can be waited for only before the head of a message goes on".to_owned());
        }
        if self.calls >= self.common.most_calls {
            return Err(format!("a call was not made: there were {} for this request", self.calls));
        }
        if body.len() > self.common.most_body {
            return Err(format!("a call was not made: its body has more than {} bytes", self.common.most_body));
        }
        let upstream = self.common.upstreams.iter().position(|known| known.as_bytes() == name);
        let upstream = upstream.ok_or_else(|| format!("a call was not made: `calls` has no {:?}", String::from_utf8_lossy(name)))?;
        let pairs = Pairs::read(fields).ok_or("a call was not made: its fields are malformed, or too many")?;
        let illegal = |name: &[u8]| format!("a call was not made: field {:?} is not legal", String::from_utf8_lossy(name));
        let (mut method, mut target, mut kept) = (None, None, Vec::new());
        for (name, value) in pairs.iter() {
            match name {
                b":method" => method = Method::from_bytes(value).ok(),
                b":path" => target = PathAndQuery::try_from(value).ok().filter(|target| target.as_str().starts_with('/')),
                // Where a call goes is said by the settings.
                b":authority" | b":scheme" => {}
                _ => {
                    let field = HeaderName::from_bytes(name).map_err(|_| illegal(name))?;
                    let value = HeaderValue::from_bytes(value).map_err(|_| illegal(name))?;
                    if judge(&field, false) == Verdict::Allowed {
                        kept.push((field, value));
                    }
                }
            }
        }
        Ok(QueuedCall {
            id: self.next_call.wrapping_add(1).max(1),
            upstream,
            method: method.ok_or_else(|| illegal(b":method"))?,
            target: target.ok_or_else(|| illegal(b":path"))?,
            fields: kept,
            body: Bytes::copy_from_slice(body),
            timeout: Duration::from_millis(timeout.into()),
        })
    }
}
