//! What the instances of a module have in common: shared data and metrics.

use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result, bail},
};

use super::{
    Answered, Cx, Host,
    memory::{answer, hand, part, put, with},
};
use crate::{abi::Status, meters::Meter};

/// Most bytes of a key.
const LONGEST_KEY: u32 = 1024;
/// Most metrics that an instance defines, one twice included.
const MOST_METERS: usize = 256;

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut cx: Cx<'_>, key: u32, key_size: u32, at: u32, size_at: u32, number_at: u32| {
            hand(&mut cx, (at, size_at), |memory, host, out| {
                let number = host.common.data.get(part(memory, key, key_size)?, out).ok_or(Status::NotFound)?;
                put(memory, number_at, &number.to_le_bytes())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut cx: Cx<'_>, key: u32, key_size: u32, at: u32, size: u32, number: u32| -> Answered {
            let status = with(&mut cx, |memory, host| {
                let key = part(memory, key, key_size.min(LONGEST_KEY))?;
                host.common.data.set(key, part(memory, at, size)?, number)
            });
            match status {
                Status::Internal => bail!("its shared data has no room for more"),
                other => Ok(other as i32),
            }
        },
    )?;
    metrics(linker)
}

fn metrics(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap("env", "proxy_define_metric", |mut cx: Cx<'_>, kind: u32, name: u32, size: u32, at: u32| -> Answered {
        let status = with(&mut cx, |memory, host| {
            let meter = host.common.meters.define(kind, part(memory, name, size)?).filter(|_| host.meters.len() < MOST_METERS);
            host.meters.push(meter.ok_or(Status::Internal)?);
            put(memory, at, &u32::try_from(host.meters.len()).unwrap_or(u32::MAX).to_le_bytes())
        });
        match status {
            Status::Internal => bail!("it defined a metric of no known kind, without a name of printable characters, or one too many"),
            other => Ok(other as i32),
        }
    })?;
    linker.func_wrap("env", "proxy_increment_metric", |mut cx: Cx<'_>, id: u32, by: i64| {
        answer(&mut cx, |_, host| host.meter(id)?.increment(by))
    })?;
    linker.func_wrap("env", "proxy_record_metric", |mut cx: Cx<'_>, id: u32, value: u64| {
        answer(&mut cx, |_, host| host.meter(id).map(|meter| meter.record(value)))
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut cx: Cx<'_>, id: u32, at: u32| {
        answer(&mut cx, |memory, host| put(memory, at, &host.meter(id)?.get()?.to_le_bytes()))
    })?;
    Ok(())
}

impl Host {
    /// By the number that the guest was given: from 1.
    fn meter(&self, id: u32) -> std::result::Result<&Meter, Status> {
        (id as usize).checked_sub(1).and_then(|at| self.meters.get(at)).ok_or(Status::NotFound)
    }
}
