//! The command line: one file a command.
//!
//! Data goes to standard output, everything else to standard error; nothing is coloured. A command ends with 0 when it is
//! done, 1 when it found problems, 2 when it could not run. Every problem is printed, not the first one only.

mod build;
mod check;
mod code;
mod coverage;
mod docs;
mod groups;
mod init;
mod key;
mod password;
mod plan;
mod project;
mod report;
mod run;
mod schema;
mod table;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// An OpenAPI-first API gateway.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, term_width = 79, after_help = EXIT_CODES)]
pub struct Cli {
    /// How data is written to standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 problems found, 2 could not run.
Data goes to standard output, everything else to standard error.
TOLLGATE_LOG says how much is logged: off, error, warn, info, debug, trace.";

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Build(build::Args),
    Check(check::Args),
    Plan(plan::Args),
    Run(run::Args),
    Proxy(run::proxy::Args),
    Coverage(coverage::Args),
    Dev(trial::dev::Args),
    Demo(trial::demo::Args),
    Test(trial::test::Args),
    Key(key::Args),
    Password(password::Args),
    Schema(schema::Args),
    #[command(hide = true)]
    Docs(docs::Args),
}

/// Reads the arguments and runs the command.
pub fn main() -> ExitCode {
    let cli = Cli::parse_from(run::set::respelt(std::env::args_os()));
    let format = cli.format;
    let result = match cli.command {
        Command::Init(args) => init::run(&args, format),
        Command::Build(args) => build::run(&args, format),
        Command::Check(args) => check::run(&args, format),
        Command::Plan(args) => plan::run(&args, format),
        Command::Run(args) => run::run(&args, format),
        Command::Proxy(args) => run::proxy::run(&args, format),
        Command::Coverage(args) => coverage::run(&args, format),
        Command::Dev(args) => trial::dev::run(&args, format),
        Command::Demo(args) => trial::demo::run(&args, format),
        Command::Test(args) => trial::test::run(&args, format),
        Command::Key(args) => key::run(&args, format),
        Command::Password(_) => password::run(),
        Command::Schema(_) => schema::run(),
        Command::Docs(args) => docs::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::fail(&failure, format),
    }
}

#[cfg(test)]
#[path = "tests/conf.rs"]
mod conf_tests;
#[cfg(test)]
mod tests;
