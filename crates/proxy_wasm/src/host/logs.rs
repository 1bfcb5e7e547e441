//! Log and clock.

use std::time::UNIX_EPOCH;

use log::Level;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Host,
    memory::{answer, part, put},
};
use crate::{
    abi::Status,
    words::{LINE, plain},
};

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap("env", "proxy_log", |mut cx: super::Cx<'_>, level: u32, at: u32, size: u32| {
        answer(&mut cx, |memory, host| {
            let said = part(memory, at, size)?;
            let level = match level {
                0 => Level::Trace,
                1 => Level::Debug,
                2 => Level::Info,
                3 => Level::Warn,
                4 | 5 => Level::Error,
                _ => return Err(Status::BadArgument),
            };
            host.log(level, said);
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut cx: super::Cx<'_>, at: u32| {
        let level: u32 = match log::max_level().to_level() {
            Some(Level::Trace) => 0,
            Some(Level::Debug) => 1,
            Some(Level::Info) => 2,
            Some(Level::Warn) => 3,
            Some(Level::Error) | None => 4,
        };
        answer(&mut cx, |memory, _| put(memory, at, &level.to_le_bytes()))
    })?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut cx: super::Cx<'_>, at: u32| {
        answer(&mut cx, |memory, host| put(memory, at, &host.nanoseconds().to_le_bytes()))
    })?;
    Ok(())
}

impl Host {
    /// Wall-clock time: that at which the request came, however long it takes. At start, now.
    pub fn nanoseconds(&self) -> u64 {
        let now = self.call.as_ref().map_or_else(std::time::SystemTime::now, |call| call.now);
        now.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// A line of the guest in the process log, as long as it does not fill it.
    pub fn log(&mut self, level: Level, said: &[u8]) {
        if level == Level::Error {
            self.words.hear(said);
        }
        if level <= log::max_level() && self.common.lines.allow() {
            log::log!(target: "wasm", level, "{}: {}", self.common.name, plain(said, LINE));
        }
    }
}
