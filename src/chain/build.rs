//! The operator's list and the Plan's demands, made into one checked chain for each operation.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use tollgate_filter_api::{
    BodyUse, Declared, DynFilter, Env, Fact, Kind, Peer, Principal, Problem, Problems, RequiredScopes, ScopeAlternatives,
};
use tollgate_plan::{Alternative, Declaration, Operation, Source, Target};

use super::{
    alternatives::{Wanted, enforced, grouped},
    inputs::Inputs,
    opened,
    origins::{Declares, Lines, Origins},
    settings::{self, Settings},
    steps::{AnyOf, Chain, Part, Step},
};
use crate::config::{FilterSpec, StepSpec, gives_principal};

/// One chain for each operation, in the Plan's order.
///
/// # Errors
/// All that cannot be enforced, each problem once.
pub fn build(inputs: &Inputs<'_>) -> Result<Vec<Arc<Chain>>, Problems> {
    let mut builder =
        Builder { inputs, environments: HashMap::new(), built: HashMap::new(), origins: HashMap::new(), problems: Problems::default() };
    let mut chains = Vec::new();
    for api in &inputs.plan.apis {
        for operation in &api.operations {
            chains.push(Arc::new(builder.operation(operation)));
        }
    }
    builder.problems.0.extend(opened::problems(inputs));
    if builder.problems.has_errors() { Err(builder.problems.sorted()) } else { Ok(chains) }
}

/// `None` when the settings leave the filter nothing to do.
type Built = Result<Option<Arc<dyn DynFilter>>, Reported>;

/// What is wrong is among the problems already.
#[derive(Clone, Copy)]
struct Reported;

/// Who asked for a filter, and whether with settings of its own.
#[derive(Clone, Copy)]
struct By<'a> {
    source: &'a Source,
    demanded: bool,
}

struct Builder<'a> {
    inputs: &'a Inputs<'a>,
    /// What each filter is given besides settings.
    environments: HashMap<&'static str, Env>,
    /// Operations with the same settings and declaration share one filter; a problem is reported once.
    built: HashMap<(String, String, String), Built>,
    /// Operations to which the same lines say something share their origins.
    origins: HashMap<String, Arc<Origins>>,
    problems: Problems,
}

impl<'a> Builder<'a> {
    fn operation(&mut self, operation: &Operation) -> Chain {
        let Inputs { requirements, waivers, .. } = self.inputs;
        let alternatives = enforced(&operation.security, *requirements, *waivers, self.inputs.kinds);
        let must_answer = operation.target == Target::Endpoints { production: None, sandbox: None };
        let mut chain = Chain { open: alternatives.is_empty(), must_answer, ..Chain::default() };
        let mut known = vec![Peer::NAME];
        if chain.open {
            known.push(Principal::NAME);
        }
        self.demands_are_offered(operation);
        let mut authenticated = chain.open;
        for step in &self.inputs.spec.steps {
            if is_credential(step, self.inputs.kinds) {
                if !authenticated {
                    self.authenticate(operation, &alternatives, &known, &mut chain);
                    known.push(Principal::NAME);
                    authenticated = true;
                }
            } else if let StepSpec::Filter(spec) = step {
                self.plain(operation, spec, &mut known, &mut chain);
            }
        }
        if !authenticated {
            self.nobody_authenticates(operation, &alternatives);
        }
        chain
    }

    fn demands_are_offered(&mut self, operation: &Operation) {
        for (filter, source) in operation.demanded() {
            let offered = self.inputs.spec.filters().any(|spec| spec.id == filter);
            if !offered && !self.inputs.waivers.has(filter) {
                self.not_enforced(operation, filter, source);
            }
        }
    }

    fn not_enforced(&mut self, operation: &Operation, filter: &str, source: &Source) {
        let file = &self.inputs.spec.file;
        let (message, hint) = if self.kind(filter).is_some() {
            (
                format!("`{}` demands `{filter}`, which the chain in {file} does not list", operation.id),
                format!("add `- {filter}` to `chain`, or `waive: [{filter}]`"),
            )
        } else {
            (
                format!("`{}` demands `{filter}`, which no filter of this gateway enforces", operation.id),
                format!("`waive: [{filter}]` in {file} starts without it"),
            )
        };
        let problem = Problem::error("chain.not_enforced", message).hint(hint);
        self.problems.push(self.at(problem, source));
    }

    fn at(&self, problem: Problem, source: &Source) -> Problem {
        settings::at(problem, self.inputs.plan, source, source.pointer.as_str())
    }

    fn nobody_authenticates(&mut self, operation: &Operation, alternatives: &[Alternative]) {
        for credential in alternatives.iter().flat_map(|alternative| &alternative.credentials) {
            self.not_enforced(operation, &credential.filter, &credential.source);
        }
    }

    /// A filter that checks no credential. What the definition says to it holds where it is listed first, unless what is demanded of it is
    /// waived.
    fn plain(&mut self, operation: &Operation, spec: &FilterSpec, known: &mut Vec<&'static str>, chain: &mut Chain) {
        let Some(kind) = self.kind(&spec.id) else { return };
        let first = self.inputs.spec.filters().find(|listed| listed.id == spec.id).is_some_and(|first| std::ptr::eq(first, spec));
        let demand = operation.demands.iter().find(|demand| first && demand.filter == spec.id);
        let is_waived = self.inputs.waivers.has(&spec.id);
        let own = kind.declared_to == kind.id;
        let holds = |declaration: &&Declaration| {
            (first || !own) && declaration.filter == kind.declared_to && !(own && is_waived && declaration.demanded)
        };
        let declaration = operation.declarations.iter().find(holds);
        let settings = Settings::of_operator(spec, &self.inputs.spec.file);
        let settings = match demand {
            Some(demand) => settings.under(&demand.settings, &demand.source),
            None => settings,
        };
        let declared = match declaration {
            _ if kind.compares_scopes => json!(chain.scopes),
            Some(declaration) => declaration.content.clone(),
            None => Value::Null,
        };
        let by = match (demand, declaration) {
            (Some(demand), _) => By { source: &demand.source, demanded: true },
            (None, Some(declaration)) if own => By { source: &declaration.source, demanded: declaration.demanded },
            (None, _) => By { source: &operation.source, demanded: false },
        };
        let declares = declaration.map_or(&operation.source, |declaration| &declaration.source);
        let built = self.filter(&settings, spec, &declared, (by.source, declares));
        let says = match declaration {
            _ if kind.compares_scopes => Declares::Scopes,
            Some(declaration) => Declares::At(self.inputs.plan.written(&declaration.source)),
            None => Declares::Nothing,
        };
        let lines = Lines { asked_by: self.asked_by(operation, spec, by), origins: self.origins(&settings), declares: says };
        self.step(operation, (spec, kind), built, lines, known, chain);
    }

    fn origins(&mut self, settings: &Settings<'_>) -> Arc<Origins> {
        let origins = settings.origins(self.inputs.plan);
        self.origins.entry(format!("{origins:?}")).or_insert_with(|| Arc::new(origins)).clone()
    }

    fn step(
        &mut self,
        operation: &Operation,
        (spec, kind): (&FilterSpec, &Kind),
        built: Built,
        lines: Lines,
        known: &mut Vec<&'static str>,
        chain: &mut Chain,
    ) {
        let Ok(Some(filter)) = built else { return };
        if chain.open && kind.credentials_only {
            return;
        }
        self.needs_are_known(operation, spec, known);
        for fact in kind.gives {
            if known.contains(fact) {
                let message = format!("operation `{}`: filter `{}` gives `{fact}` a second time", operation.id, spec.id);
                self.chain_problem(message, "list the filter once", spec);
            }
            known.push(fact);
        }
        chain.push(filter, lines, kind.credentials_only);
    }

    /// The line that asked for a filter: the definition's, or the operator's; none when nobody wrote one.
    fn asked_by(&self, operation: &Operation, spec: &FilterSpec, by: By<'_>) -> Option<String> {
        match () {
            () if by.demanded => Some(self.inputs.plan.written(by.source)),
            () if self.kind(&spec.id).is_some_and(|kind| kind.compares_scopes) => {
                Some(self.inputs.plan.written(&operation.security.source))
            }
            () if spec.line > 0 => Some(format!("{}:{}", self.inputs.spec.file, spec.line)),
            () => None,
        }
    }

    fn kind(&self, id: &str) -> Option<&'a Kind> {
        self.inputs.kinds.iter().find(|kind| kind.id == id)
    }

    fn needs_are_known(&mut self, operation: &Operation, spec: &FilterSpec, known: &[&str]) {
        for need in self.kind(&spec.id).map_or(&[][..], |kind| kind.needs) {
            if !known.contains(need) {
                let message = format!("operation `{}`: filter `{}` needs `{need}`, but nothing before it gives one", operation.id, spec.id);
                self.chain_problem(message, "move the filter that gives it to the front", spec);
            }
        }
    }

    fn chain_problem(&mut self, message: String, hint: &str, spec: &FilterSpec) {
        let problem = Problem::error("chain.order", message).at(self.inputs.spec.file.as_str(), spec.line, spec.pointer.as_str());
        self.problems.push(problem.hint(hint));
    }

    /// All credential filters of an operation stand where the first of them is listed.
    fn authenticate(&mut self, operation: &Operation, alternatives: &[Alternative], known: &[&str], chain: &mut Chain) {
        let anonymous = alternatives.iter().any(|alternative| alternative.credentials.is_empty());
        let (since, mut branches, mut alternatives_of_scopes) = (chain.filters.len(), Vec::new(), Vec::new());
        for wanted in grouped(alternatives) {
            for combination in self.combinations(operation, &wanted) {
                alternatives_of_scopes.extend(self.scopes(operation, &combination));
                let mut branch = Vec::new();
                for (spec, credential) in combination {
                    self.needs_are_known(operation, &spec, known);
                    let Some((filter, origins)) = self.credential(operation, &spec, &credential) else { continue };
                    let lines = Lines { asked_by: Some(self.places(&credential)), origins, declares: Declares::Nothing };
                    branch.push(chain.shared_part(filter, since, lines));
                }
                branches.push(branch);
            }
        }
        chain.scopes = ScopeAlternatives { alternatives: alternatives_of_scopes };
        match branches.as_mut_slice() {
            [one] if !anonymous && one.len() == 1 => chain.push_credentials(Step::One(one.remove(0))),
            _ => {
                self.no_body_in(&branches, chain, operation);
                let foreign = chain.foreign(&branches);
                chain.push_credentials(Step::AnyOf(AnyOf { branches, foreign, anonymous }));
            }
        }
    }

    /// Every line that asked for a credential.
    fn places(&self, credential: &Wanted) -> String {
        let mut places: Vec<String> = credential.asks.iter().map(|ask| self.inputs.plan.written(&ask.source)).collect();
        places.dedup();
        places.join(", ")
    }

    /// The scopes of one way to be let in: an alternative for each list of them that is enough.
    fn scopes(&mut self, operation: &Operation, combination: &[(FilterSpec, Wanted)]) -> Vec<Vec<RequiredScopes>> {
        let demanded = combination.iter().find(|(_, wanted)| wanted.asks_for_scopes());
        if let Some((_, wanted)) = demanded
            && let Some(filter) = self.missing_comparison()
        {
            self.not_enforced(operation, filter, &wanted.source());
        }
        let lists = combination.iter().map(|(_, wanted)| wanted.asks.len()).max().unwrap_or(0);
        let need = |spec: &FilterSpec, wanted: &Wanted, list: usize| {
            let ask = wanted.asks.get(list)?;
            let (filter, scopes) = (spec.id.clone(), ask.scopes.clone());
            Some(RequiredScopes { filter, scopes, source: self.inputs.plan.written(&ask.source) })
        };
        (0..lists).map(|list| combination.iter().filter_map(|(spec, wanted)| need(spec, wanted, list)).collect()).collect()
    }

    /// The filter that would have to compare scopes, when none is listed and none is waived.
    fn missing_comparison(&self) -> Option<&'a str> {
        let mut kinds = self.inputs.kinds.iter().filter(|kind| kind.compares_scopes).map(|kind| kind.id).peekable();
        let first = kinds.peek().copied().unwrap_or("scopes");
        let compared = kinds.any(|id| self.inputs.waivers.has(id) || self.inputs.spec.filters().any(|spec| spec.id == id));
        (!compared).then_some(first)
    }

    /// The filter that checks a credential. One that finds nothing to do would let everybody pass.
    fn credential(&mut self, operation: &Operation, spec: &FilterSpec, credential: &Wanted) -> Option<(Arc<dyn DynFilter>, Arc<Origins>)> {
        let settings = Settings::of_operator(spec, &self.inputs.spec.file);
        let settings = match operation.demands.iter().find(|demand| demand.filter == spec.id) {
            Some(demand) => settings.under(&demand.settings, &demand.source),
            None => settings,
        };
        let source = credential.source();
        let built = self.filter(&settings, spec, &credential.declared(), (&source, &source)).ok()?;
        if built.is_none() {
            let message = format!("`{}` demands `{}`, which checks nothing with these settings", operation.id, spec.id);
            let problem = Problem::error("chain.not_enforced", message);
            self.problems.push(self.at(problem, &source));
        }
        Some((built?, self.origins(&settings)))
    }

    fn no_body_in(&mut self, branches: &[Vec<Part>], chain: &Chain, operation: &Operation) {
        for index in branches.iter().flatten().map(|part| part.filter) {
            if chain.filters[index].request_body() != BodyUse::None {
                let message = format!("`{}` reads the body and cannot be an alternative", chain.filters[index].id());
                let problem = Problem::error("chain.any_of", message);
                self.problems.push(self.at(problem, &operation.security.source));
            }
        }
    }

    /// Every way to choose one listed filter for each credential: two `jwt` entries make two alternatives, and so do two filters
    /// that both accept it.
    fn combinations(&mut self, operation: &Operation, wanted: &[Wanted]) -> Vec<Vec<(FilterSpec, Wanted)>> {
        let mut all: Vec<Vec<(FilterSpec, Wanted)>> = vec![Vec::new()];
        for credential in wanted {
            let accepts = |spec: &&FilterSpec| self.kind(&spec.id).is_some_and(|kind| kind.accepts.contains(&credential.filter.as_str()));
            let listed: Vec<FilterSpec> = self.inputs.spec.filters().filter(accepts).cloned().collect();
            if listed.is_empty() {
                self.not_enforced(operation, &credential.filter, &credential.source());
            }
            let extend = |(begun, spec): (&Vec<_>, &FilterSpec)| {
                let mut more: Vec<(FilterSpec, Wanted)> = begun.clone();
                more.push((spec.clone(), credential.clone()));
                more
            };
            all = all.iter().flat_map(|begun| listed.iter().map(move |spec| (begun, spec))).map(extend).collect();
        }
        all
    }

    /// Builds it, or takes the one that was built from the same. A problem is placed by the demand for the filter, or by the declaration
    /// that says something to it.
    fn filter(&mut self, settings: &Settings<'_>, spec: &FilterSpec, declared: &Value, (demand, declaration): (&Source, &Source)) -> Built {
        let key = (spec.id.clone(), settings.merged.to_string(), declared.to_string());
        if let Some(built) = self.built.get(&key) {
            return built.clone();
        }
        // The list knows the catalogue's filters only.
        let Some(kind) = self.kind(&spec.id) else { return Err(Reported) };
        let built = (kind.build)(&settings.merged, declared, self.environment(kind)).and_then(readable).map_err(|problem| {
            self.problems.push(match problem.declared {
                true => self.at(problem, declaration),
                false => settings.place(problem, self.inputs.plan, demand),
            });
            Reported
        });
        self.built.insert(key, built.clone());
        built
    }

    fn environment(&mut self, kind: &Kind) -> &Env {
        let Inputs { env, plan, .. } = self.inputs;
        self.environments.entry(kind.id).or_insert_with(|| {
            let declared = plan.declared.get(kind.declared_to).map_or_else(Declared::default, |content| Declared::new(content.clone()));
            Env { declared, ..(*env).clone() }
        })
    }
}

/// Refuses a filter that wants to read answers which have no end.
fn readable(filter: Option<Arc<dyn DynFilter>>) -> Result<Option<Arc<dyn DynFilter>>, Problem> {
    let fault = filter.as_ref().and_then(|filter| Some((filter.id(), filter.answer_body()?.answers.fault()?)));
    match fault {
        None => Ok(filter),
        Some((id, fault)) => {
            let problem = Problem::error("chain.answers", format!("`{id}` wants to read answers whole that it cannot: {fault}"));
            Err(problem.hint("take them out of what it reads"))
        }
    }
}

/// Whether a step of the list checks credentials.
fn is_credential(step: &StepSpec, kinds: &[Kind]) -> bool {
    match step {
        StepSpec::Filter(spec) => kinds.iter().any(|kind| kind.id == spec.id && gives_principal(kind)),
        StepSpec::AnyOf(_) => true,
    }
}
