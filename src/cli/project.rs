//! Projects and artifacts as sources of a Plan.

use std::path::{Path, PathBuf};

use tollgate_compiler::{Options, Outcome, Project, compile};
use tollgate_filter_api::{Problem, Problems};
use tollgate_filters::FILTERS;
use tollgate_pem::File;
use tollgate_plan::{Artifact, ArtifactError, Plan, VerifyingKey};

use super::{
    code,
    report::{Failure, print_problems},
};
use crate::{
    config::Config,
    source::{Loaded, PlanSource},
};

/// What a project is compiled with, besides its own settings.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct BuildOptions {
    /// Build although nobody enforces what these filters would, where another credential is left.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) waive: Vec<String>,
    /// The same, also where nothing else is asked for, which is then open to everybody.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub(super) waive_to_open: Vec<String>,
    /// Upstream for operations that have no endpoint.
    #[arg(long, value_name = "URL")]
    pub(super) endpoint: Option<String>,
}

impl BuildOptions {
    fn options(&self) -> Options {
        Options { waive: self.waive.clone(), waive_to_open: self.waive_to_open.clone(), endpoint: self.endpoint.clone(), ..catalogue() }
    }
}

/// What this gateway's filters can do, for the compiler.
pub(super) fn catalogue() -> Options {
    let accepted = FILTERS.iter().flat_map(|kind| kind.accepts).filter(|name| FILTERS.iter().all(|kind| kind.id != **name));
    let answers = FILTERS.iter().filter(|kind| kind.answers).map(|kind| kind.id).collect();
    let enforceable = FILTERS.iter().map(|kind| kind.id).chain(accepted.copied()).collect();
    Options { enforceable: Some(enforceable), answers, ..Options::default() }
}

/// Compiles a project folder and seals it; the second part are the warnings.
pub(super) fn seal(folder: &Path, options: &BuildOptions) -> Result<(Artifact, Problems), Problems> {
    let project = Project::open(folder)?;
    let Outcome { plan, texts, problems } = compile(&project, &options.options());
    let problems = placed(problems, folder);
    let Some(plan) = plan else { return Err(problems) };
    let documents = plan.documents.iter().map(|document| document.path.clone()).zip(texts).collect();
    let artifact = Artifact::new(plan, documents).map_err(|error| refused(folder, &error))?;
    Ok((artifact, problems))
}

/// A project's files are named from where the command runs.
pub(super) fn placed(mut problems: Problems, folder: &Path) -> Problems {
    for problem in problems.0.iter_mut().filter(|problem| !problem.file.is_empty()) {
        problem.file = folder.join(&problem.file).display().to_string();
    }
    problems
}

/// An artifact's error as a problem of its file.
pub(super) fn refused(path: &Path, error: &ArtifactError) -> Problem {
    let code = if matches!(error, ArtifactError::Io { .. }) { "artifact.unreadable" } else { "artifact.refused" };
    Problem::error(code, error.to_string()).at(path.display().to_string(), 0, "")
}

/// A project folder that is compiled in memory each time it is asked for.
pub(super) struct ProjectDir {
    pub(super) folder: PathBuf,
    pub(super) options: BuildOptions,
}

impl PlanSource for ProjectDir {
    fn load(&self) -> Result<Loaded, Problems> {
        let (artifact, warnings) = seal(&self.folder, &self.options)?;
        print_problems(&warnings);
        let digest = artifact.digest();
        Ok(Loaded { plan: artifact.into_plan(), digest, signers: Vec::new(), code: Vec::new() })
    }
}

/// Nothing but the routes of a configuration, which must have some. `None`: they are known to be there.
pub(super) struct RoutesAlone(pub(super) Option<PathBuf>);

impl PlanSource for RoutesAlone {
    fn load(&self) -> Result<Loaded, Problems> {
        if let Some(path) = &self.0
            && Config::load(path, FILTERS)?.gateway.routes.is_empty()
        {
            let problem = Problem::error("config.routes", "there are no routes and no artifact, so that nothing would be served");
            return Err(problem
                .at(path.display().to_string(), 0, "")
                .hint("write `routes:`, or name an artifact: `tollgate run shop.toll --config FILE`")
                .into());
        }
        let digest = hex::encode(openssl::sha::sha256(b""));
        Ok(Loaded { plan: Plan::default(), digest, signers: Vec::new(), code: Vec::new() })
    }
}

/// An artifact file, and the configuration that says whose artifacts are accepted.
pub(super) struct ArtifactFile {
    pub(super) path: PathBuf,
    pub(super) config: PathBuf,
}

impl PlanSource for ArtifactFile {
    fn load(&self) -> Result<Loaded, Problems> {
        let trusted = Config::load(&self.config, FILTERS)?.gateway.artifact.trusted_keys;
        let keys = trusted.iter().map(|path| read_key(path)).collect::<Result<Vec<_>, _>>()?;
        let refused = |error: ArtifactError| refused(&self.path, &error);
        if keys.is_empty() {
            let artifact = Artifact::read(&self.path).map_err(refused)?;
            let digest = artifact.digest();
            return Ok(Loaded { plan: artifact.into_plan(), digest, signers: Vec::new(), code: Vec::new() });
        }
        let artifact = Artifact::read_with_documents(&self.path).map_err(refused)?;
        let (signers, digest) = (artifact.verify(&keys).map_err(refused)?, artifact.digest());
        let code = code::of(&artifact);
        Ok(Loaded { plan: artifact.into_plan(), digest, signers, code })
    }
}

fn read_key(path: &Path) -> Result<VerifyingKey, Problem> {
    let place = path.display().to_string();
    let wrong = |message: String| Problem::error("artifact.trusted_key", message).at(&place, 0, "");
    let file = File::read(path).map_err(|error| wrong(error.why.to_string()))?;
    VerifyingKey::from_pem(file.content()).map_err(|error| wrong(error.to_string()))
}

/// What the routes of a `gateway.yaml` come to.
fn routes(path: &Path) -> Result<Artifact, Problems> {
    let config = Config::load(path, FILTERS)?;
    let mut plan = Plan::default();
    config.add_routes(&mut plan, FILTERS)?;
    Artifact::new(plan, Vec::new()).map_err(|error| refused(path, &error).into())
}

/// A project folder, an artifact, or a `gateway.yaml` with routes; without judging signatures.
pub(super) fn open(path: &Path, options: &BuildOptions) -> Result<Artifact, Failure> {
    if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
        return Ok(routes(path)?);
    }
    if !path.is_dir() {
        return Artifact::read(path).map_err(|error| refused(path, &error).into());
    }
    let (artifact, warnings) = seal(path, options)?;
    print_problems(&warnings);
    Ok(artifact)
}
