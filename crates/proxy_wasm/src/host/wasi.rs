//! What of WASI preview 1 the standard libraries of guests need: output, time, randomness, and no files, arguments or environment.

use log::Level;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result, bail},
};

use super::{
    Cx, Host,
    memory::{part, put, with},
};
use crate::abi::Status;

const SPACE: &str = "wasi_snapshot_preview1";
/// `EBADF`: there are no files.
const NO_FILE: i32 = 8;
/// `EFAULT`.
const FAULT: i32 = 21;
/// `ENOSYS`.
const NOT_HERE: i32 = 52;
/// Most pieces of one write.
const MOST_PIECES: u32 = 64;
/// Most random bytes of one call.
const MOST_RANDOM: u32 = 64 << 10;

fn errno(status: Status) -> i32 {
    if status == Status::Ok { 0 } else { FAULT }
}

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap(SPACE, "fd_write", |mut cx: Cx<'_>, file: u32, pieces: u32, count: u32, at: u32| {
        if !matches!(file, 1 | 2) {
            return NO_FILE;
        }
        errno(with(&mut cx, |memory, host| write(memory, host, (file, pieces, count.min(MOST_PIECES)), at)))
    })?;
    linker.func_wrap(SPACE, "clock_time_get", |mut cx: Cx<'_>, _: u32, _: u64, at: u32| {
        errno(with(&mut cx, |memory, host| put(memory, at, &host.nanoseconds().to_le_bytes())))
    })?;
    linker.func_wrap(SPACE, "clock_res_get", |mut cx: Cx<'_>, _: u32, at: u32| {
        errno(with(&mut cx, |memory, _| put(memory, at, &1u64.to_le_bytes())))
    })?;
    linker.func_wrap(SPACE, "random_get", |mut cx: Cx<'_>, at: u32, size: u32| {
        errno(with(&mut cx, |memory, _| {
            let size = if size <= MOST_RANDOM { size as usize } else { return Err(Status::Memory) };
            let place = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..size)).ok_or(Status::Memory)?;
            openssl::rand::rand_bytes(place).map_err(|_| Status::Internal)
        }))
    })?;
    linker.func_wrap(SPACE, "proc_exit", |code: u32| -> Result<()> { bail!("it ended itself with code {code}") })?;
    for name in ["environ_sizes_get", "args_sizes_get"] {
        linker.func_wrap(SPACE, name, |mut cx: Cx<'_>, count_at: u32, size_at: u32| {
            errno(with(&mut cx, |memory, _| {
                put(memory, count_at, &[0; 4])?;
                put(memory, size_at, &[0; 4])
            }))
        })?;
    }
    for name in ["environ_get", "args_get"] {
        linker.func_wrap(SPACE, name, |_: u32, _: u32| 0i32)?;
    }
    files(linker)
}

/// Those that need a file, or a system.
fn files(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap(SPACE, "fd_close", |_: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_read", |_: u32, _: u32, _: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_seek", |_: u32, _: u64, _: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_fdstat_get", |_: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_fdstat_set_flags", |_: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_prestat_get", |_: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_prestat_dir_name", |_: u32, _: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "fd_filestat_get", |_: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "path_open", |_: u32, _: u32, _: u32, _: u32, _: u32, _: u64, _: u64, _: u32, _: u32| NO_FILE)?;
    linker.func_wrap(SPACE, "poll_oneoff", |_: u32, _: u32, _: u32, _: u32| NOT_HERE)?;
    linker.func_wrap(SPACE, "sched_yield", || 0i32)?;
    Ok(())
}

/// Output is a line in the log; errors are also what a guest said last.
fn write(memory: &mut [u8], host: &mut Host, (file, pieces, count): (u32, u32, u32), at: u32) -> std::result::Result<(), Status> {
    let mut said = Vec::new();
    for nth in 0..count {
        let piece = part(memory, pieces.wrapping_add(8 * nth), 8)?;
        let number = |at: usize| piece[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        let text = part(memory, number(0), number(4))?;
        said.extend_from_slice(&text[..text.len().min(crate::words::LINE)]);
        let written = put(memory, at, &u32::try_from(said.len()).unwrap_or(u32::MAX).to_le_bytes());
        written?;
    }
    host.log(if file == 2 { Level::Error } else { Level::Info }, &said);
    Ok(())
}
