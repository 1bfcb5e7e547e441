//! How many files the process may have open, and how many connections that allows.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are open without any client: listeners, logs, the admin port, DNS, stores.
const OWN: u64 = 64;

/// Raises the limit of open files as far as the system allows, and returns how many client connections that is enough for. Each may
/// need another one to an upstream; without files the gateway can neither accept nor answer.
pub fn most_connections(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    // The soft limit is low for programs that use select(), which this one does not.
    let files = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    let most = carried(files);
    if most < wanted {
        log::warn!(
            "`limits.connections` is {wanted}, but {files} open files carry only {most}: no more are accepted; raise the limit \
             (`LimitNOFILE`, `ulimit -Hn`) to {}",
            wanted as u64 * 2 + OWN
        );
    }
    most
}

/// The limit of open files; 0 when it is unknown.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

fn carried(files: u64) -> usize {
    usize::try_from((files.saturating_sub(OWN) / 2).max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_may_need_two_files_and_some_are_kept() {
        assert_eq!((carried(1064), carried(64), carried(0)), (500, 1, 1));
        assert!(carried(u64::MAX) > 1_000_000);
    }
}
