//! The clock that guests are stopped by: a thread that counts while guests run, and sleeps while none does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Engine, EngineWeak};

/// Time between two ticks: how exactly a guest is stopped.
pub const TICK: Duration = Duration::from_millis(TICK_MS);
/// The same in milliseconds.
pub const TICK_MS: u64 = 2;
/// Ticks for which it goes on counting after the last call began. No call may take longer.
pub const GRACE: u64 = 1_000;

/// A call has begun since it was looked at last.
const USED: u8 = 0;
/// None has begun since.
const IDLE: u8 = 1;
const ASLEEP: u8 = 2;

/// Counts for one engine.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    state: AtomicU8,
    ticks: AtomicU64,
    ends: AtomicBool,
}

impl Ticker {
    pub fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (counted, engine) = (shared.clone(), engine.weak());
        let handle = thread::Builder::new().name("sandbox-clock".to_owned()).spawn(move || counted.run(&engine))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Has it count from now on. Costs a load when it does.
    pub fn wake(&self) {
        if self.shared.state.load(Ordering::Acquire) != USED && self.shared.state.swap(USED, Ordering::AcqRel) == ASLEEP {
            self.thread.unpark();
        }
    }

    /// Ticks so far.
    pub fn now(&self) -> u64 {
        self.shared.ticks.load(Ordering::Relaxed)
    }

    /// Whether it sleeps.
    #[cfg(test)]
    pub fn is_asleep(&self) -> bool {
        self.shared.state.load(Ordering::Acquire) == ASLEEP
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Shared {
    fn run(&self, engine: &EngineWeak) {
        while !self.ends.load(Ordering::Acquire) {
            for _ in 0..GRACE {
                thread::sleep(TICK);
                self.ticks.fetch_add(1, Ordering::Relaxed);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
            if self.state.compare_exchange(USED, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                continue;
            }
            // Nobody has begun anything for a whole round, so nothing runs that would have to be stopped.
            if self.state.compare_exchange(IDLE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                while self.state.load(Ordering::Acquire) == ASLEEP && !self.ends.load(Ordering::Acquire) {
                    thread::park();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sleeps_when_nothing_runs_and_counts_again_when_something_does() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).expect("a thread can be started");
        while !ticker.is_asleep() {
            thread::sleep(TICK);
        }
        let before = ticker.now();
        ticker.wake();
        while ticker.now() == before {
            thread::sleep(TICK);
        }
    }
}
