//! Going on, stopping, and answering in the upstream's place.

use http::{HeaderName, HeaderValue};
use tollgate_filter_api::Bytes;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Cx, Host, Stage,
    memory::{answer, part, put},
};
use crate::{
    abi::{ROOT, Status},
    fields::{Verdict, judge},
    wire::Pairs,
};

/// An answer that a guest gives in the upstream's place.
#[derive(Clone, Debug)]
pub struct LocalAnswer {
    /// From 200 to 599.
    pub status: u16,
    /// Legal fields, none of which frames it.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// Empty for a status that has none.
    pub body: Bytes,
}

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    let goes_on = |cx: &mut Cx<'_>, response: bool| {
        let host = &mut cx.data_mut().data;
        let is_response = matches!(host.stage, Stage::Response | Stage::ResponseBody);
        if is_response == response {
            host.is_paused = false;
        }
        Status::Ok as i32
    };
    linker.func_wrap("env", "proxy_continue_stream", move |mut cx: Cx<'_>, kind: u32| goes_on(&mut cx, kind == 1))?;
    linker.func_wrap("env", "proxy_continue_request", move |mut cx: Cx<'_>| goes_on(&mut cx, false))?;
    linker.func_wrap("env", "proxy_continue_response", move |mut cx: Cx<'_>| goes_on(&mut cx, true))?;
    // The operation was chosen for good: there is nothing to forget.
    linker.func_wrap("env", "proxy_clear_route_cache", || Status::Ok as i32)?;
    linker.func_wrap("env", "proxy_close_stream", |mut cx: Cx<'_>, _: u32| {
        cx.data_mut().data.is_closed = true;
        Status::Ok as i32
    })?;
    linker.func_wrap("env", "proxy_done", || Status::Ok as i32)?;
    linker.func_wrap("env", "proxy_set_effective_context", |cx: Cx<'_>, context: u32| {
        let host = &cx.data().data;
        if context == ROOT || context == host.context { Status::Ok as i32 } else { Status::BadArgument as i32 }
    })?;
    // Of a call by gRPC, of which there are none.
    linker.func_wrap("env", "proxy_get_status", |mut cx: Cx<'_>, code_at: u32, at: u32, size_at: u32| {
        answer(&mut cx, |memory, _| [code_at, at, size_at].into_iter().try_for_each(|at| put(memory, at, &[0; 4])))
    })?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut cx: Cx<'_>, status: u32, _: u32, _: u32, body: u32, body_size: u32, fields: u32, fields_size: u32, _: i32| {
            answer(&mut cx, |memory, host| {
                let (body, fields) = (part(memory, body, body_size)?, part(memory, fields, fields_size)?);
                host.answer_locally(status, fields, body);
                Ok(())
            })
        },
    )?;
    Ok(())
}

impl Host {
    fn answer_locally(&mut self, status: u32, fields: &[u8], body: &[u8]) {
        let status = match u16::try_from(status) {
            Ok(status) if (200..600).contains(&status) => status,
            _ => return self.refuse(|| format!("an answer of its own with status {status}: it must be from 200 to 599")),
        };
        if matches!(status, 204 | 205 | 304) && !body.is_empty() {
            return self.refuse(|| format!("an answer of its own with status {status} and a body: that status has none"));
        }
        let most = self.common.most_body;
        if body.len() > most {
            return self.refuse(|| format!("an answer of its own of {} bytes: the limit is {most}", body.len()));
        }
        let Some(pairs) = Pairs::read(fields) else {
            return self.refuse(|| "an answer of its own: its fields are malformed, or too many".to_owned());
        };
        let mut fields = Vec::new();
        for (name, value) in pairs.iter() {
            let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
                return self.refuse(|| format!("field {:?} of its own answer: it is not legal", String::from_utf8_lossy(name)));
            };
            match judge(&name, false) {
                Verdict::Allowed => fields.push((name, value)),
                Verdict::NotNeeded => {}
                Verdict::Refused(rule) => return self.refuse(|| format!("field `{name}` of its own answer: {rule}")),
            }
        }
        if matches!(self.stage, Stage::Idle | Stage::Done) {
            return self.refuse(|| "an answer of its own: there is no request to answer".to_owned());
        }
        self.local.get_or_insert(LocalAnswer { status, fields, body: Bytes::copy_from_slice(body) });
    }
}
