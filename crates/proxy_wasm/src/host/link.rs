//! The names under which a guest finds its host's functions.

use tollgate_sandbox::{
    Guest,
    wasmtime::{Engine, Linker, Result},
};

use super::{Host, buffers, calls, common, logs, maps, properties, start, stream, wasi};

/// Everything that a guest may import.
pub fn linker(engine: &Engine) -> Result<Linker<Guest<Host>>> {
    let mut linker = Linker::new(engine);
    logs::link(&mut linker)?;
    maps::link(&mut linker)?;
    buffers::link(&mut linker)?;
    stream::link(&mut linker)?;
    calls::link(&mut linker)?;
    properties::link(&mut linker)?;
    common::link(&mut linker)?;
    start::link(&mut linker)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}
