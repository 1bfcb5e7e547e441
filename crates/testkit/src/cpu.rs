//! How much work something was, on a machine that has other work too.

use std::{fs, time::Duration};

/// Time that this thread was on a processor.
///
/// # Panics
/// Where the kernel does not say: it must be Linux.
pub fn cpu_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_and_waiting_does_not() {
        let begin = cpu_time();
        std::thread::sleep(Duration::from_millis(30));
        assert!(cpu_time() - begin < Duration::from_millis(20));
        while cpu_time() - begin < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
    }
}
