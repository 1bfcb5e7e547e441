//! Sheds load when memory or open files run short, before the system kills the process or nobody can connect.
//!
//! There are three steps. Each adds to the one before:
//!
//! 1. [`Step::Hurry`]: a client that reads nothing of its answer has a tenth of `limits.write_time`.
//! 2. [`Step::Refuse`]: new connections are closed and new HTTP/2 streams refused, so that clients can try another gateway.
//! 3. [`Step::Unavailable`]: every request is answered 503 with `Retry-After`.
//!
//! A request reads one atomic number. Memory that the kernel holds for sockets is not counted.

use std::{
    fs,
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    time::Duration,
};

use crate::telemetry::IntGauge;

/// The step in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Step {
    /// Nothing is short.
    #[default]
    Calm,
    /// Clients must read their answers sooner.
    Hurry,
    /// No new connections or streams.
    Refuse,
    /// No requests are served.
    Unavailable,
}

/// Percentage of a limit at which each step begins.
const BEGINS: [(Step, u64); 3] = [(Step::Unavailable, 95), (Step::Refuse, 90), (Step::Hurry, 80)];

/// How many percentage points lower a step ends, so that it does not flap.
const SLACK: u64 = 5;

/// The divisor of a stalled client's time from [`Step::Hurry`] on.
const HURRY: u32 = 10;

impl Step {
    /// The step at `percent` of a limit, coming from another step.
    fn next(self, used: u64, limit: u64) -> Self {
        let percent = used.saturating_mul(100) / limit.max(1);
        let begins = |step: Self, at: u64| if step <= self { at - SLACK } else { at };
        BEGINS.into_iter().find(|&(step, at)| percent >= begins(step, at)).map_or(Self::Calm, |(step, _)| step)
    }

    fn of(number: u8) -> Self {
        match number {
            0 => Self::Calm,
            1 => Self::Hurry,
            2 => Self::Refuse,
            _ => Self::Unavailable,
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Calm => "everybody is served",
            Self::Hurry => "clients who take nothing of their answers are given a tenth of `limits.write_time`",
            Self::Refuse => "new connections and new streams are refused",
            Self::Unavailable => "requests are answered 503",
        }
    }
}

/// A resource that can run short.
#[derive(Debug)]
struct Resource {
    name: &'static str,
    step: AtomicU8,
    gauge: IntGauge,
}

impl Resource {
    fn step(&self) -> Step {
        Step::of(self.step.load(Relaxed))
    }

    fn uses(&self, used: u64, limit: u64) {
        let (old, new) = (self.step(), self.step().next(used, limit));
        if old == new {
            return;
        }
        self.step.store(new as u8, Relaxed);
        self.gauge.set(new as i64);
        let level = if new > old { log::Level::Warn } else { log::Level::Info };
        log::log!(level, "{}: {used} of {limit} are in use, so {}", self.name, new.says());
    }
}

/// How short memory and open files are, as steps.
#[derive(Debug)]
pub struct Pressure {
    memory: Resource,
    files: Resource,
}

#[cfg(test)]
impl Default for Pressure {
    fn default() -> Self {
        let gauge = |name: &str| IntGauge::new(name, "a test").expect("a legal name");
        Self::new(gauge("memory"), gauge("files"))
    }
}

impl Pressure {
    /// Begins with nothing short. The gauges show the steps.
    pub fn new(memory: IntGauge, files: IntGauge) -> Self {
        let resource = |name, gauge| Resource { name, step: AtomicU8::new(0), gauge };
        Self { memory: resource("memory in bytes", memory), files: resource("open files", files) }
    }

    /// The step in force.
    pub fn step(&self) -> Step {
        self.memory.step().max(self.files.step())
    }

    /// How long a client may read nothing of an answer, given what it has when nothing is short.
    pub fn patience(&self, usual: Duration) -> Duration {
        if self.step() >= Step::Hurry { usual / HURRY } else { usual }
    }

    /// So many of a hundred bytes are in use.
    #[cfg(test)]
    pub fn of_memory(&self, percent: u64) {
        self.memory.uses(percent, 100);
    }

    /// Measures what is in use. A limit of 0 means none.
    pub fn look(&self, memory_limit: u64, files_limit: u64) {
        if memory_limit > 0 {
            self.memory.uses(resident().unwrap_or(0), memory_limit);
        }
        if files_limit > 0 {
            self.files.uses(open_files().unwrap_or(0), files_limit);
        }
    }
}

/// Bytes of memory that the process uses.
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

/// The container's memory limit in bytes (cgroups 2 or 1); 0 without one.
pub fn of_container() -> u64 {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    // Version 1 says no limit by a number near the largest.
    limit.filter(|&bytes| bytes < 1 << 60).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_at_their_share_and_end_a_little_below_it() {
        let course = [(79, Step::Calm), (80, Step::Hurry), (76, Step::Hurry), (74, Step::Calm), (92, Step::Refuse), (86, Step::Refuse)];
        let course = course.into_iter().chain([(84, Step::Hurry), (99, Step::Unavailable), (90, Step::Unavailable), (10, Step::Calm)]);
        let mut step = Step::Calm;
        for (used, expected) in course {
            step = step.next(used, 100);
            assert_eq!(step, expected, "at {used}");
        }
    }

    #[test]
    fn the_worse_of_both_counts_and_clients_are_hurried_from_the_first_step() {
        let pressure = Pressure::default();
        let usual = Duration::from_secs(30);
        assert_eq!((pressure.step(), pressure.patience(usual)), (Step::Calm, usual));
        pressure.files.uses(96, 100);
        pressure.memory.uses(85, 100);
        assert_eq!((pressure.step(), pressure.patience(usual)), (Step::Unavailable, Duration::from_secs(3)));
        assert_eq!((pressure.memory.gauge.get(), pressure.files.gauge.get()), (1, 3));
    }

    #[test]
    fn the_process_knows_what_it_has() {
        assert!(resident().unwrap() > 1 << 20);
        assert!(open_files().unwrap() > 2);
    }
}
