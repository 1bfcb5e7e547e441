//! `tollgate test`: case files against interceptors, or against any filter of the catalogue.
//!
//! The filter runs in this process, over a world that is made up: no socket is opened, and time passes only where a case says so.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tollgate_filter_api::Kind;
use tollgate_filter_cases::{CaseFile, Harness, Setup, check};

use crate::cli::{
    Format,
    report::{Failure, print, print_json},
};

/// The filter that runs interceptors.
const WASM: &str = "wasm";
const FOLDER: &str = "interceptors";
/// Bytes of a case file, and of a module.
const MOST: u64 = 16 << 20;

/// Run case files against interceptors.
///
/// Runs interceptors/NAME/cases/*.yaml of a project against the module
/// interceptors/NAME.wasm, and says what differs. The format is that of the
/// cases which the manual shows of each filter. Nothing is sent: no server
/// answers, and time stands still unless a case lets it pass.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Project folders [default: the current one]; with --filter, case files.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run case files against this filter and the settings they have.
    #[arg(long, value_name = "ID", requires = "paths")]
    filter: Option<String>,
}

/// A case file, and the module that it is about.
struct Suite {
    file: PathBuf,
    module: Option<PathBuf>,
}

/// What became of a case.
struct Verdict {
    file: String,
    name: String,
    /// What differs.
    wrong: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let id = args.filter.as_deref().unwrap_or(WASM);
    let kind = tollgate_filters::find(id).ok_or_else(|| Failure::Cannot(format!("this gateway has no filter `{id}`")))?;
    let suites = match &args.filter {
        Some(_) => args.paths.iter().map(|path| Suite { file: path.clone(), module: None }).collect(),
        None if args.paths.is_empty() => of_project(Path::new("."))?,
        None => args.paths.iter().map(|path| of_project(path)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
    };
    if suites.is_empty() {
        let hint = "`tollgate init --interceptor rust NAME` writes some";
        return Err(Failure::Cannot(format!("there are no cases in {FOLDER}/NAME/cases/*.yaml; {hint}")));
    }
    let verdicts: Vec<Verdict> = suites.iter().flat_map(|suite| tried(kind, suite)).collect();
    report(&verdicts, format)
}

/// The case files of a project, sorted, each with its module.
fn of_project(project: &Path) -> Result<Vec<Suite>, Failure> {
    let folder = project.join(FOLDER);
    let mut suites = Vec::new();
    for interceptor in entries(&folder)?.into_iter().filter(|path| path.is_dir()) {
        let Some(name) = interceptor.file_name() else { continue };
        let mut module = folder.join(name).into_os_string();
        module.push(".wasm");
        let cases = interceptor.join("cases");
        if !cases.is_dir() {
            continue;
        }
        let files = entries(&cases)?.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
        suites.extend(files.map(|file| Suite { file, module: Some(PathBuf::from(&module)) }));
    }
    Ok(suites)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = folder.read_dir().map_err(|error| Failure::io(folder.display(), &error))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::io(folder.display(), &error))?;
    paths.sort();
    Ok(paths)
}

/// Runs every case of a file, in order, through one filter.
fn tried(kind: &Kind, suite: &Suite) -> Vec<Verdict> {
    let file = suite.file.display().to_string();
    let failed = |name: &str, wrong: String| Verdict { file: file.clone(), name: name.to_owned(), wrong: Some(wrong) };
    let (cases, harness) = match built(kind, suite) {
        Ok(built) => built,
        Err(wrong) => return vec![failed("its settings", wrong)],
    };
    let one = |case: &tollgate_filter_cases::Case| {
        // A case that no request can be made of, such as one with a wrong path, panics.
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&harness, &cases, case)));
        let wrong = outcome.unwrap_or_else(|panic| Err(said(&*panic))).err();
        Verdict { file: file.clone(), name: case.name.clone(), wrong }
    };
    if cases.cases.is_empty() { vec![failed("its cases", "there are none".to_owned())] } else { cases.cases.iter().map(one).collect() }
}

/// A case file and the filter with its settings.
fn built(kind: &Kind, suite: &Suite) -> Result<(CaseFile, Harness), String> {
    let text = String::from_utf8(read(&suite.file)?).map_err(|_| "it is no UTF-8".to_owned())?;
    let mut cases = CaseFile::parse(&suite.file.display().to_string(), &text)?;
    if let Some(world) = &cases.world {
        return Err(format!("`world: {world}` is for the tests of the catalogue's own filters"));
    }
    let mut setup: Setup = Harness::of(kind).declared(cases.declared.clone()).declared_once(cases.declared_once.clone());
    for (location, text) in &cases.documents {
        setup = setup.document(location, text.clone());
    }
    if let Some(module) = &suite.module {
        let place = module.display().to_string();
        let settings = cases.config.as_object_mut().ok_or("`config` must be a map with settings of the filter `wasm`")?;
        if settings.insert("module".to_owned(), json!(place)).is_some() {
            return Err(format!("`config` must not say `module`: it is {place} here"));
        }
        setup = setup.document(&place, read(module).map_err(|error| format!("{error}; build it first"))?);
    }
    match setup.build(&cases.config) {
        Ok(Some(harness)) => Ok((cases, harness)),
        Ok(None) => Err("they leave the filter nothing to do".to_owned()),
        Err(problem) => Err(problem.to_string()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let place = path.display();
    let size = path.metadata().map_err(|error| format!("{place}: {error}"))?.len();
    if size > MOST {
        return Err(format!("{place} has {size} bytes, and {MOST} are read"));
    }
    fs::read(path).map_err(|error| format!("{place}: {error}"))
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panics without a word").to_owned()
}

fn report(verdicts: &[Verdict], format: Format) -> Result<(), Failure> {
    let failed = verdicts.iter().filter(|verdict| verdict.wrong.is_some()).count();
    let passed = verdicts.len() - failed;
    match format {
        Format::Json => {
            let case = |verdict: &Verdict| json!({ "file": verdict.file, "name": verdict.name, "ok": verdict.wrong.is_none(), "wrong": verdict.wrong });
            let cases: Vec<Value> = verdicts.iter().map(case).collect();
            print_json(&json!({ "passed": passed, "failed": failed, "cases": cases }))?;
        }
        Format::Text => {
            let mut lines = Vec::new();
            let mut file = "";
            for verdict in verdicts {
                if verdict.file != file {
                    file = &verdict.file;
                    lines.push(file.to_owned());
                }
                lines.push(match &verdict.wrong {
                    None => format!("  ok      {}", verdict.name),
                    Some(wrong) => format!("  failed  {}\n          {wrong}", verdict.name),
                });
            }
            lines.push(format!("{passed} passed, {failed} failed"));
            print(&lines.join("\n"))?;
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Found) }
}
