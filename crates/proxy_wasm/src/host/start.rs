//! Functions that are not offered. A module may import them, as SDKs import everything; it may not call them.

use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result, bail},
};

use super::{Answered, Host};

macro_rules! not_offered {
    ($linker:ident: $($name:literal ($($given:ident)*) $why:literal;)*) => {
        $($linker.func_wrap("env", $name, |$($given: u32),*| -> Answered {
            $(let _ = $given;)*
            bail!(concat!("it called `", $name, "`, which is not offered here: ", $why))
        })?;)*
    };
}

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    not_offered! { linker:
        "proxy_set_tick_period_milliseconds" (a) "guests have no timers";
        "proxy_register_shared_queue" (a b c) "guests have no queues";
        "proxy_resolve_shared_queue" (a b c d e) "guests have no queues";
        "proxy_enqueue_shared_queue" (a b c) "guests have no queues";
        "proxy_dequeue_shared_queue" (a b c) "guests have no queues";
        "proxy_grpc_call" (a b c d e f g h i j k l) "guests make HTTP calls only";
        "proxy_grpc_stream" (a b c d e f g h i) "guests make HTTP calls only";
        "proxy_grpc_send" (a b c d) "guests make HTTP calls only";
        "proxy_grpc_cancel" (a) "guests make HTTP calls only";
        "proxy_grpc_close" (a) "guests make HTTP calls only";
        "proxy_call_foreign_function" (a b c d e f) "there are no functions beyond the ABI";
        "abort" (a b c d) "it aborted";
    }
    // Compilers for C++ announce that memory has grown.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    Ok(())
}
