//! Developer chores: `cargo xtask COMMAND`.
//!
//! Only light crates are needed here, so that a page can be written without building the gateway. What needs the gateway,
//! such as the schema of its configuration, is a command of the gateway; its output is a [`pages::Page`] like any other.

mod filter_page;
mod guests;
mod new_filter;
mod pages;
mod reasons_page;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "cargo xtask COMMAND [--root DIR]

  docs [--check]     write docs/reference from the catalogue; with --check, say what differs and change nothing
  new-filter NAME    copy the template into filters/NAME and list it in the catalogue
  guests [--write]   build the modules of tests again and say which differ; with --write, put them in their place
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = root(&mut arguments).and_then(|root| run(&root, &arguments));
    match outcome {
        Ok(done) => done,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(root: &Path, arguments: &[String]) -> Result<ExitCode, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["docs"] => pages::write(root, &manual()?),
        ["docs", "--check"] => pages::check(root, &manual()?),
        ["new-filter", name] => new_filter::create(root, name),
        ["guests"] => guests::run(root, guests::Mode::Compare),
        ["guests", "--write"] => guests::run(root, guests::Mode::Write),
        _ => Err(format!("usage: {USAGE}")),
    }
}

/// Every page that is generated from the catalogue.
fn manual() -> Result<Vec<pages::Page>, String> {
    let kinds = tollgate_filters::FILTERS;
    let mut manual = kinds.iter().map(filter_page::page).collect::<Result<Vec<_>, _>>()?;
    manual.push(filter_page::index(kinds));
    manual.push(reasons_page::page(kinds));
    Ok(manual)
}

/// The folder of the workspace: what `--root` says, or the one this was built in.
fn root(arguments: &mut Vec<String>) -> Result<PathBuf, String> {
    let Some(at) = arguments.iter().position(|argument| argument == "--root") else {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
        return built_in.parent().map(Path::to_path_buf).ok_or_else(|| "the workspace has no folder".to_owned());
    };
    if at + 1 >= arguments.len() {
        return Err("--root needs a folder".to_owned());
    }
    let root = PathBuf::from(&arguments[at + 1]);
    arguments.drain(at..=at + 1);
    Ok(root)
}
