//! The operator's list and the Plan's demands, made into one checked chain for each operation.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value, json};
use tollgate_filter_api::{BodyUse, DynFilter, Fact, Kind, Peer, Principal, Problem, Problems};
use tollgate_plan::{Alternative, Api, Operation, Source, Target};

use super::{
    alternatives::{Wanted, enforced, grouped},
    inputs::Inputs,
    opened,
    steps::{AnyOf, Chain, Part, Step},
};
use crate::config::{FilterSpec, StepSpec, gives_principal};

/// One chain for each operation, in the Plan's order.
///
/// # Errors
/// All that cannot be enforced, each problem once.
pub fn build(inputs: &Inputs<'_>) -> Result<Vec<Arc<Chain>>, Problems> {
    let mut builder = Builder { inputs, built: HashMap::new(), problems: Problems::default() };
    let mut chains = Vec::new();
    for api in &inputs.plan.apis {
        for operation in &api.operations {
            chains.push(Arc::new(builder.operation(api, operation)));
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
    /// Operations with the same settings share one filter; a problem is reported once.
    built: HashMap<(String, String), Built>,
    problems: Problems,
}

impl<'a> Builder<'a> {
    fn operation(&mut self, api: &Api, operation: &Operation) -> Chain {
        let Inputs { requirements, waivers, .. } = self.inputs;
        let alternatives = enforced(&operation.security, *requirements, *waivers);
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
                    self.authenticate(api, operation, &alternatives, &known, &mut chain);
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
        for demand in &operation.demands {
            let offered = self.inputs.spec.filters().any(|spec| spec.id == demand.filter);
            if !offered && !self.inputs.waivers.has(&demand.filter) {
                self.not_enforced(operation, &demand.filter, &demand.source);
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
        let document = self.inputs.plan.documents.get(source.document as usize);
        problem.at(document.map_or("", |document| document.path.as_str()), source.line, source.pointer.as_str())
    }

    fn nobody_authenticates(&mut self, operation: &Operation, alternatives: &[Alternative]) {
        for credential in alternatives.iter().flat_map(|alternative| &alternative.credentials) {
            self.not_enforced(operation, &credential.filter, &credential.source);
        }
    }

    /// A filter that checks no credential. Each demand is one step, where the filter is listed first.
    fn plain(&mut self, operation: &Operation, spec: &FilterSpec, known: &mut Vec<&'static str>, chain: &mut Chain) {
        let under = merge(&spec.settings, &told(operation, &spec.id, chain));
        let first = self.inputs.spec.filters().find(|listed| listed.id == spec.id).is_some_and(|first| std::ptr::eq(first, spec));
        let mut demands = operation.demands.iter().filter(|demand| first && demand.filter == spec.id).peekable();
        if demands.peek().is_none() {
            self.step(operation, spec, under.clone(), By { source: &operation.source, demanded: false }, known, chain);
        }
        for demand in demands {
            let settings = merge(&under, &demand.settings);
            self.step(operation, spec, settings, By { source: &demand.source, demanded: true }, known, chain);
        }
    }

    fn step(
        &mut self,
        operation: &Operation,
        spec: &FilterSpec,
        settings: Value,
        by: By<'_>,
        known: &mut Vec<&'static str>,
        chain: &mut Chain,
    ) {
        let Ok(Some(filter)) = self.filter(spec, settings, by) else { return };
        let Some(kind) = self.kind(&spec.id) else { return };
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
        chain.push(filter, self.asked_by(operation, spec, by), kind.credentials_only);
    }

    /// The line that asked for a filter: the definition's, or the operator's; none when nobody wrote one.
    fn asked_by(&self, operation: &Operation, spec: &FilterSpec, by: By<'_>) -> Option<String> {
        match () {
            () if by.demanded => Some(self.inputs.plan.written(by.source)),
            () if spec.id == AUTHORIZE => Some(self.inputs.plan.written(&operation.security.source)),
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
    fn authenticate(&mut self, api: &Api, operation: &Operation, alternatives: &[Alternative], known: &[&str], chain: &mut Chain) {
        let anonymous = alternatives.iter().any(|alternative| alternative.credentials.is_empty());
        let (since, mut branches, mut needs) = (chain.filters.len(), Vec::new(), Vec::new());
        for wanted in grouped(alternatives) {
            for combination in self.combinations(operation, &wanted) {
                needs.extend(self.scopes(operation, &combination));
                let mut branch = Vec::new();
                for (spec, credential) in combination {
                    self.needs_are_known(operation, &spec, known);
                    let Some(filter) = self.credential(api, operation, &spec, &credential) else { continue };
                    branch.push(chain.shared_part(filter, since, Some(self.places(&credential))));
                }
                branches.push(branch);
            }
        }
        chain.scopes = needs;
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

    /// What `authorize` is told of one way to be let in: an alternative for each list of scopes that is enough.
    fn scopes(&mut self, operation: &Operation, combination: &[(FilterSpec, Wanted)]) -> Vec<Value> {
        let demanded = combination.iter().find(|(_, wanted)| wanted.asks_for_scopes());
        if let Some((_, wanted)) = demanded
            && !self.authorizes()
            && !self.inputs.waivers.has(AUTHORIZE)
        {
            self.not_enforced(operation, AUTHORIZE, &wanted.source());
        }
        let lists = combination.iter().map(|(_, wanted)| wanted.asks.len()).max().unwrap_or(0);
        let need = |spec: &FilterSpec, wanted: &Wanted, list: usize| {
            let ask = wanted.asks.get(list)?;
            Some(json!({"filter": spec.id, "scopes": ask.scopes, "source": self.inputs.plan.written(&ask.source)}))
        };
        (0..lists).map(|list| combination.iter().filter_map(|(spec, wanted)| need(spec, wanted, list)).collect()).collect()
    }

    fn authorizes(&self) -> bool {
        self.inputs.spec.filters().any(|spec| spec.id == AUTHORIZE)
    }

    /// The filter that checks a credential. One that finds nothing to do would let everybody pass.
    fn credential(&mut self, api: &Api, operation: &Operation, spec: &FilterSpec, credential: &Wanted) -> Option<Arc<dyn DynFilter>> {
        let demands = operation.demands.iter().filter(|demand| demand.filter == spec.id);
        let settings = demands.fold(spec.settings.clone(), |under, demand| merge(&under, &demand.settings));
        let settings = merge(&settings, &credential.settings(api));
        let source = credential.source();
        let by = By { source: &source, demanded: false };
        let built = self.filter(spec, settings, by).ok()?;
        if built.is_none() {
            let message = format!("`{}` demands `{}`, which checks nothing with these settings", operation.id, spec.id);
            let problem = Problem::error("chain.not_enforced", message);
            self.problems.push(self.at(problem, &source));
        }
        built
    }

    fn no_body_in(&mut self, branches: &[Vec<Part>], chain: &Chain, operation: &Operation) {
        for index in branches.iter().flatten().map(|part| part.filter) {
            if chain.filters[index].body() != BodyUse::None {
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

    fn filter(&mut self, spec: &FilterSpec, settings: Value, by: By<'_>) -> Built {
        let key = (spec.id.clone(), settings.to_string());
        if let Some(built) = self.built.get(&key) {
            return built.clone();
        }
        // The list knows the catalogue's filters only.
        let Some(kind) = self.kind(&spec.id) else { return Err(Reported) };
        let built = (kind.build)(&settings, self.inputs.env).map_err(|problem| {
            self.problems.push(self.place(problem, &settings, spec, by));
            Reported
        });
        self.built.insert(key, built.clone());
        built
    }

    /// A problem of the settings stands where the setting was written: in the operator's file, or in the definition that
    /// demanded it.
    fn place(&self, problem: Problem, settings: &Value, spec: &FilterSpec, by: By<'_>) -> Problem {
        let unset = spec.settings.as_object().is_none_or(Map::is_empty);
        // What nobody wrote, a default for instance, stands with what is written around it.
        let written = deepest(settings, &problem.pointer);
        let elsewhere = !written.is_empty() && spec.settings.pointer(written).is_none();
        if spec.pointer.is_empty() || elsewhere || (by.demanded && unset) {
            return self.at(problem, by.source);
        }
        let pointer = format!("{}{}", spec.pointer, problem.pointer);
        problem.at(self.inputs.spec.file.as_str(), 0, pointer)
    }
}

/// The longest beginning of a pointer that settings have.
fn deepest<'p>(settings: &Value, pointer: &'p str) -> &'p str {
    let mut written = pointer;
    while settings.pointer(written).is_none() {
        written = written.rfind('/').map_or("", |end| &written[..end]);
    }
    written
}

/// Whether a step of the list checks credentials.
fn is_credential(step: &StepSpec, kinds: &[Kind]) -> bool {
    match step {
        StepSpec::Filter(spec) => kinds.iter().any(|kind| kind.id == spec.id && gives_principal(kind)),
        StepSpec::AnyOf(_) => true,
    }
}

/// The filter that compares scopes.
const AUTHORIZE: &str = "authorize";

/// The filter that compares media types.
const MEDIA_TYPES: &str = "media_types";

/// What a filter is told of the operation, besides its settings.
fn told(operation: &Operation, filter: &str, chain: &Chain) -> Value {
    let declared = &operation.media_types;
    let told = match filter {
        AUTHORIZE => vec![("alternatives", json!(chain.scopes))],
        MEDIA_TYPES => vec![("consumes", json!(declared.consumes)), ("produces", json!(declared.produces))],
        _ => Vec::new(),
    };
    let is_said = |(_, list): &(&str, Value)| list.as_array().is_some_and(|list| !list.is_empty());
    Value::Object(told.into_iter().filter(is_said).map(|(name, list)| (name.to_owned(), list)).collect())
}

/// The operation's settings over the operator's, key by key; maps are merged, everything else is replaced.
fn merge(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let mut merged = under.clone();
            for (key, value) in over {
                let value = merged.get(key).map_or_else(|| value.clone(), |below| merge(below, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (_, over) => over.clone(),
    }
}
