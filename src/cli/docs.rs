//! `tollgate docs`: the reference pages that come out of the code.

use std::path::PathBuf;

use clap::CommandFactory;

use super::{
    Cli,
    report::{Failure, print},
    schema,
};

mod forwarding;
mod settings;

/// Write the reference pages of the command line, gateway.yaml and forwarding.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the pages.
    #[arg(long, value_name = "DIR", default_value = "docs/reference")]
    out: PathBuf,
    /// Write nothing; say which pages differ.
    #[arg(long)]
    check: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut stale = Vec::new();
    for (name, text) in pages() {
        let path = args.out.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        if args.check {
            stale.push(path.display().to_string());
            continue;
        }
        std::fs::create_dir_all(&args.out).map_err(|error| Failure::io(args.out.display(), &error))?;
        std::fs::write(&path, text).map_err(|error| Failure::io(path.display(), &error))?;
        print(&path.display().to_string())?;
    }
    if stale.is_empty() {
        return Ok(());
    }
    let message = format!("{} differ from the code", stale.join(", "));
    let hint = "run `cargo run -- docs` and commit what it writes";
    Err(tollgate_filter_api::Problem::error("docs.stale", message).hint(hint).into())
}

/// Name and text of every page.
pub(super) fn pages() -> [(&'static str, String); 4] {
    let schema = schema::schema();
    let text = format!("{schema:#}\n");
    let gateway = settings::page(&schema);
    [("cli.md", commands()), ("gateway.md", gateway), ("gateway.schema.json", text), ("forwarding.md", forwarding::page())]
}

const GENERATED: &str = "<!-- Written by `cargo run -- docs`. Change the code, not this page. -->";

fn commands() -> String {
    let mut root = Cli::command();
    root.build();
    let mut page = format!("# The command line\n\n{GENERATED}\n\n```text\n{}\n```\n", help(&mut root));
    for command in root.get_subcommands_mut().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        let name = command.get_name().to_owned();
        page.push_str(&format!("\n## `tollgate {name}`\n\n```text\n{}\n```\n", help(command)));
    }
    page
}

/// The help text, without blanks at the ends of its lines.
pub(super) fn help(command: &mut clap::Command) -> String {
    let text = command.render_long_help().to_string();
    text.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
