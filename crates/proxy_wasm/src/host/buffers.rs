//! Bodies and configurations.

use tollgate_filter_api::Bytes;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Cx, Host, Stage,
    memory::{answer, part, place, put},
};
use crate::abi::{Buffer, Status};

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_buffer_bytes", |mut cx: Cx<'_>, buffer: u32, start: u32, most: u32, at: u32, size_at: u32| {
        let bytes = match Buffer::of(buffer).and_then(|buffer| cx.data().data.buffer(buffer)) {
            Ok(bytes) => bytes,
            Err(status) => return Ok(status as i32),
        };
        let start = (start as usize).min(bytes.len());
        let end = start.saturating_add(most as usize).min(bytes.len());
        place(&mut cx, (at, size_at), &bytes[start..end]).map(|status| status as i32)
    })?;
    linker.func_wrap("env", "proxy_get_buffer_status", |mut cx: Cx<'_>, buffer: u32, at: u32, flags_at: u32| {
        answer(&mut cx, |memory, host| {
            let size = host.buffer(Buffer::of(buffer)?)?.len();
            put(memory, at, &u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes())?;
            put(memory, flags_at, &[0; 4])
        })
    })?;
    linker.func_wrap("env", "proxy_set_buffer_bytes", |mut cx: Cx<'_>, buffer: u32, start: u32, size: u32, at: u32, length: u32| {
        answer(&mut cx, |memory, host| host.set_buffer(Buffer::of(buffer)?, (start, size), part(memory, at, length)?))
    })?;
    Ok(())
}

impl Host {
    fn buffer(&self, buffer: Buffer) -> std::result::Result<Bytes, Status> {
        let (in_request, in_response) =
            (matches!(self.stage, Stage::Request | Stage::RequestBody), matches!(self.stage, Stage::Response | Stage::ResponseBody));
        match buffer {
            Buffer::RequestBody if in_request => Ok(self.body.clone()),
            Buffer::ResponseBody if in_response => Ok(self.body.clone()),
            Buffer::Call => self.answer.as_ref().map(|answer| answer.body.clone()).ok_or(Status::NotFound),
            Buffer::VmConfiguration => Ok(Bytes::new()),
            Buffer::Configuration => Ok(self.common.configuration.clone()),
            Buffer::RequestBody | Buffer::ResponseBody => Err(Status::NotFound),
        }
    }

    /// Puts bytes in place of some. A start behind the end appends; none in place of none at the start prepends.
    fn set_buffer(&mut self, buffer: Buffer, (start, size): (u32, u32), new: &[u8]) -> std::result::Result<(), Status> {
        let in_request = buffer == Buffer::RequestBody && matches!(self.stage, Stage::Request | Stage::RequestBody);
        let in_response = buffer == Buffer::ResponseBody && matches!(self.stage, Stage::Response | Stage::ResponseBody);
        if !(in_request || in_response) {
            self.refuse(|| format!("{buffer:?}: it is not there to be written in this callback"));
            return Ok(());
        }
        let start = (start as usize).min(self.body.len());
        let end = start.saturating_add(size as usize).min(self.body.len());
        let length = self.body.len() - (end - start) + new.len();
        let most = self.common.most_body;
        if length > most {
            self.refuse(|| format!("a body of {length} bytes: the limit is {most}"));
            return Ok(());
        }
        let parts = [&self.body[..start], new, &self.body[end..]];
        self.body = parts.concat().into();
        self.body_is_changed = true;
        Ok(())
    }
}
