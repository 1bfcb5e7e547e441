//! Modules become programs when a configuration is loaded. Those that are the same are loaded once.

use std::{path::Path, sync::Arc};

use tollgate_filter_api::{Bytes, DocumentPolicy, Env, Interval, Location, Problem};
use tollgate_proxy_wasm::{Program, Settings};
use tollgate_sandbox::{CodeBook, Limits, LoadError, Module, Sandbox, digest};

use crate::{
    config::{BodyMode, Config, Isolation, text},
    declared::{Declared, Phase, Project},
    guests::Stage,
};

/// Instances of all modules with the same limit of memory.
const INSTANCES: u32 = 2048;
/// The name under which the gateway offers a `CodeBook`.
const CODE: &str = "wasm.code";

/// Every module of an operation, in the order in which they run.
pub fn stages(config: &Config, declared: &Declared, env: &Env) -> Result<Vec<Stage>, Problem> {
    let project = env.declared.get::<Project>()?;
    if let Some(unknown) = config.interceptors.keys().find(|name| !project.modules.contains_key(*name)) {
        let known: Vec<&str> = project.modules.keys().map(String::as_str).collect();
        let problem = Problem::setting(format!("/interceptors/{unknown}"), "the project has no module of that name");
        return Err(problem.hint(format!("it has: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })));
    }
    let mut stages = Vec::new();
    if let Some(path) = &config.module {
        let at = |problem: Problem| Problem { pointer: "/module".to_owned(), code: "wasm.module", ..problem };
        let bytes = file(path, config, env).map_err(at)?;
        let configuration = own(text(&config.configuration), "/configuration")?;
        let name = path.file_stem().map_or_else(|| "module".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let loaded = program(&name, &bytes, configuration, config, env).map_err(at)?;
        let (request_body, response_body) = (config.request_body, config.response_body);
        stages.push(Stage { loaded, requests: true, answers: true, request_body, response_body });
    }
    for interceptor in &declared.interceptors {
        let name = &interceptor.module;
        let missing = || Problem::error("wasm.module", format!("the project has no module `{name}`")).of_declaration();
        let module = project.modules.get(name).ok_or_else(missing)?;
        let settings = config.interceptors.get(name).cloned().unwrap_or_default();
        let configuration = own(text(&settings.configuration), &format!("/interceptors/{name}/configuration"))?;
        let named = |problem: Problem| Problem { message: format!("{}: {}", module.file, problem.message), ..problem.of_declaration() };
        let loaded = program(name, &module.bytes()?, configuration, config, env).map_err(named)?;
        let runs = |phase| interceptor.phases.contains(&phase);
        let (requests, answers) = (runs(Phase::Request), runs(Phase::Response));
        let only = |runs: bool, mode: BodyMode| if runs { mode } else { BodyMode::None };
        let (request_body, response_body) = (only(requests, settings.request_body), only(answers, settings.response_body));
        stages.push(Stage { loaded, requests, answers, request_body, response_body });
    }
    Ok(stages)
}

fn own(configuration: Result<String, &'static str>, pointer: &str) -> Result<String, Problem> {
    configuration.map_err(|why| Problem::setting(pointer, why))
}

fn file(path: &Path, config: &Config, env: &Env) -> Result<Bytes, Problem> {
    let max_bytes = usize::try_from(config.limits.module.0).unwrap_or(usize::MAX);
    let second = Interval::seconds(1).0;
    let policy = DocumentPolicy { refresh: Interval::seconds(3600).0, least_gap: second, timeout: 5 * second, max_bytes };
    let document = env.world.document(&Location::File(path.to_owned()), policy)?;
    let nothing = || Problem::error("wasm.module", format!("{} cannot be read", path.display()));
    document.version().map(|version| version.bytes.clone()).ok_or_else(nothing)
}

/// The program of a module with such settings.
fn program(name: &str, bytes: &Bytes, configuration: String, config: &Config, env: &Env) -> Result<Arc<Loaded>, Problem> {
    let limits = &config.limits;
    let problem = |message: String| Problem::error("wasm.module", message);
    if bytes.len() as u64 > limits.module.0 {
        return Err(problem(format!("the module has {} bytes, and `limits.module` is {}", bytes.len(), limits.module)));
    }
    if configuration.len() as u64 > limits.configuration.0 {
        let (length, limit) = (configuration.len(), limits.configuration);
        return Err(problem(format!("the module's configuration has {length} bytes, and `limits.configuration` is {limit}")));
    }
    let settings = Settings {
        name: name.to_owned(),
        configuration: configuration.into(),
        upstreams: config.calls.keys().cloned().collect(),
        most_body: usize::try_from(limits.body.0).unwrap_or(usize::MAX),
        most_calls: limits.calls,
        instances: limits.instances,
        callback: limits.callback.0,
        request: limits.request.0,
        start: limits.start.0,
        is_pooled: config.isolation == Isolation::Pooled,
    };
    let module = module(bytes, config, env)?;
    let key = format!("{settings:?}");
    let key = format!("wasm.program.{}.{}", hex::encode(module.module.digest()), hex::encode(digest(key.as_bytes())));
    env.shared.get_or_make(&key, || {
        let program = Program::load(module.module.clone(), settings, env.metrics.clone());
        program.map(|program| Loaded { program, _module: module }).map_err(|why| problem(format!("`{name}`: {why}")))
    })
}

/// A program. What filters share lasts only as long as one of them has it, so it keeps what it was made of.
#[derive(Debug)]
pub struct Loaded {
    pub program: Program,
    _module: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    module: Module,
    _sandbox: Arc<Sandbox>,
}

fn module(bytes: &Bytes, config: &Config, env: &Env) -> Result<Arc<Compiled>, Problem> {
    let memory = usize::try_from(config.limits.memory.0).unwrap_or(usize::MAX);
    let key = format!("wasm.module.{memory}.{}", hex::encode(digest(bytes)));
    env.shared.get_or_make(&key, || {
        let sandbox = env.shared.get_or_make(&format!("wasm.sandbox.{memory}"), || {
            Sandbox::new(Limits { memory, instances: INSTANCES }).map_err(|why| Problem::error("wasm.sandbox", why.to_string()))
        })?;
        let module = compiled(&sandbox, bytes, env)?;
        Ok(Compiled { module, _sandbox: sandbox })
    })
}

/// By its machine code, when the gateway has some that is of use here.
fn compiled(sandbox: &Sandbox, bytes: &Bytes, env: &Env) -> Result<Module, Problem> {
    let problem = |why: LoadError| Problem::error("wasm.module", why.to_string());
    let book = env.shared.get_or_make(CODE, || Ok(CodeBook::default()))?;
    match book.of(bytes).map(|code| Module::from_code(sandbox, bytes, code)) {
        Some(Ok(module)) => {
            log::info!("the machine code of module {} is used", module.short_digest());
            return Ok(module);
        }
        Some(Err(why)) => log::warn!("the machine code of a module is not used: {why}"),
        None => {}
    }
    Module::compile(sandbox, bytes).map_err(problem)
}
