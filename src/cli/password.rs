//! `tollgate password`: what is stored of a password.

use std::io::{BufRead, stdin};

use tollgate_filter_api::Problem;

use super::report::{Failure, print};

/// Read a password from standard input, print its hash for `basic_auth`.
///
/// One line; its end does not count. The hash is Argon2id with a fresh salt. A password on the command line would be seen by
/// everybody on the machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run() -> Result<(), Failure> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(|error| Failure::io("standard input", &error))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if let Some(why) = tollgate_password::objection(password) {
        return Err(Problem::error("password.unusable", format!("this is no password: {why}")).hint("write it as one line").into());
    }
    let hash = tollgate_password::hash(password).map_err(|error| Problem::error("password.hash", error.to_string()))?;
    print(&hash)
}
