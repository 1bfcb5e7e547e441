//! The border: a guest's memory. Every pointer is judged, and nothing is borrowed while the guest's allocator runs.

use tollgate_sandbox::wasmtime::{AsContextMut, bail};

use super::{Answered, Cx, Host};
use crate::abi::Status;

/// Most bytes of scratch that an instance keeps for the next call.
const KEPT: usize = 64 << 10;

/// A part of the memory.
pub fn part(memory: &[u8], at: u32, size: u32) -> Result<&[u8], Status> {
    let (at, size) = (at as usize, size as usize);
    memory.get(at..).and_then(|rest| rest.get(..size)).ok_or(Status::Memory)
}

/// Writes into the memory.
pub fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Result<(), Status> {
    let place = memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or(Status::Memory)?;
    place.copy_from_slice(bytes);
    Ok(())
}

/// Runs with the guest's memory and the host's state.
pub fn with(cx: &mut Cx<'_>, run: impl FnOnce(&mut [u8], &mut Host) -> Result<(), Status>) -> Status {
    let Some(memory) = cx.data().data.memory else { return Status::Memory };
    let (memory, guest) = memory.data_and_store_mut(cx.as_context_mut());
    match run(memory, &mut guest.data) {
        Ok(()) => Status::Ok,
        Err(status) => status,
    }
}

/// The same, as an answer.
pub fn answer(cx: &mut Cx<'_>, run: impl FnOnce(&mut [u8], &mut Host) -> Result<(), Status>) -> Answered {
    Ok(with(cx, run) as i32)
}

/// Hands the guest what `fill` writes: its allocator makes room, and pointer and size go to the two places.
pub fn hand(
    cx: &mut Cx<'_>,
    (at, size_at): (u32, u32),
    fill: impl FnOnce(&mut [u8], &mut Host, &mut Vec<u8>) -> Result<(), Status>,
) -> Answered {
    let mut scratch = std::mem::take(&mut cx.data_mut().data.scratch);
    scratch.clear();
    let answered = match with(cx, |memory, host| fill(memory, host, &mut scratch)) {
        Status::Ok => place(cx, (at, size_at), &scratch)?,
        other => other,
    };
    if scratch.capacity() <= KEPT {
        cx.data_mut().data.scratch = scratch;
    }
    Ok(answered as i32)
}

/// Hands the guest these bytes. Nothing is asked of its allocator for none.
pub fn place(cx: &mut Cx<'_>, (at, size_at): (u32, u32), bytes: &[u8]) -> tollgate_sandbox::wasmtime::Result<Status> {
    let Ok(size) = u32::try_from(bytes.len()) else { return Ok(Status::Internal) };
    let pointer = if size == 0 { 0 } else { allocate(cx, size)? };
    let placed = with(cx, |memory, _| {
        put(memory, pointer, bytes)?;
        put(memory, at, &pointer.to_le_bytes())?;
        put(memory, size_at, &size.to_le_bytes())
    });
    Ok(placed)
}

fn allocate(cx: &mut Cx<'_>, size: u32) -> tollgate_sandbox::wasmtime::Result<u32> {
    let Some(allocate) = cx.data_mut().data.allocate.take() else {
        bail!("its allocator asked its host for what has to be allocated, or it exports none");
    };
    let pointer = allocate.call(&mut *cx, size);
    cx.data_mut().data.allocate = Some(allocate);
    let pointer = pointer?;
    if pointer == 0 {
        bail!("its allocator had no room for {size} bytes");
    }
    Ok(pointer)
}
