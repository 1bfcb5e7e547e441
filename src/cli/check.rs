//! `tollgate check`: definitions by themselves.

use std::path::{Path, PathBuf};

use tollgate_compiler::{Options, Project, compile};
use tollgate_filter_api::{Problem, Problems};

use super::{
    Format,
    project::placed,
    report::{Failure, print, print_json, print_problems, summary},
};

/// Judge definitions by themselves.
///
/// Says everything that is wrong with the documents, and nothing about what
/// the gateway can enforce: that is for `build`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Project folders, OpenAPI files and .proto files.
    #[arg(value_name = "DIR|FILE", required = true)]
    inputs: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let mut problems = Problems::default();
    let mut definitions = 0;
    for input in &args.inputs {
        match project(input) {
            Ok(project) => {
                definitions += project.definitions.len();
                let found = compile(&project, &Options::default()).problems;
                let found = if input.is_dir() { placed(found, input) } else { found };
                problems.0.extend(found.0);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let problems = problems.sorted();
    if problems.has_errors() {
        return Err(problems.into());
    }
    print_problems(&problems);
    match format {
        Format::Text => print(&format!("{definitions} definition{} checked", if definitions == 1 { "" } else { "s" })),
        Format::Json => {
            let mut data = summary(&problems);
            data["definitions"] = definitions.into();
            print_json(&data)
        }
    }
}

fn project(input: &Path) -> Result<Project, Problem> {
    if input.is_dir() {
        return Project::open(input);
    }
    let name = input.to_string_lossy();
    std::fs::metadata(input).map_err(|error| {
        let message = format!("cannot read the definition: {error}");
        Problem::error("definition.unreadable", message).at(name.clone(), 0, "")
    })?;
    Ok(Project::loose(&name))
}
