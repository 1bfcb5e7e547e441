//! Test material that lies beside the checkout, and may be absent.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    thread,
};

/// Names the file to which tests that were left out are written, a line each: test and what it lacks. `tests/run` sets it and counts them.
const LEFT_OUT: &str = "TOLLGATE_TESTS_LEFT_OUT";

/// A file or folder of `shared/cases`. `None` when it is absent: the test that asks is then left out, and that is written down.
pub fn shared_case(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases").join(path);
    if found.exists() {
        return found.canonicalize().ok();
    }
    let left_out = format!("{}: ../shared/cases/{path} is absent", thread::current().name().unwrap_or("a test"));
    println!("{left_out}");
    if let Some(list) = std::env::var_os(LEFT_OUT) {
        let list = OpenOptions::new().create(true).append(true).open(list);
        list.and_then(|mut list| writeln!(list, "{left_out}")).expect("the list of tests that were left out can be written");
    }
    None
}
