//! Many operations: the same answers as a naive search, at the cost of few.

use std::cmp::Reverse;

use tollgate_plan::Plan;

use super::{
    Random, asked,
    routing::{api, plan},
};
use crate::routes::{Route, Router, tree::STEPS};

/// How well one segment of a template fits; greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Rest,
    Parameter,
    Partial(usize),
    Literal,
    End { exact: bool },
}

/// The rules of the router's manual, applied to one template at a time. The generator makes one shape of partial segment:
/// text before, one parameter, text after.
fn fit(template: &str, path: &str) -> Option<Vec<Fit>> {
    let cut = |text: &str| text.trim_matches('/').split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (pattern, segments) = (cut(template), cut(path));
    let mut fits = Vec::new();
    for (i, part) in pattern.iter().enumerate() {
        if part == "*" {
            fits.push(Fit::Rest);
            return Some(fits);
        }
        let segment = segments.get(i)?;
        fits.push(match (part.find('{'), part.find('}')) {
            (Some(0), Some(end)) if end + 1 == part.len() => Fit::Parameter,
            (Some(open), Some(close)) => {
                let (before, after) = (&part[..open], &part[close + 1..]);
                let inner = segment.strip_prefix(before)?.strip_suffix(after)?;
                (!inner.is_empty()).then_some(Fit::Partial(before.len() + after.len()))?
            }
            _ => (part == segment).then_some(Fit::Literal)?,
        });
    }
    let slash = |text: &str| text.ends_with('/');
    (pattern.len() == segments.len()).then(|| fits.push(Fit::End { exact: slash(template) == slash(path) }))?;
    Some(fits)
}

/// Template and methods that the naive search finds in an API.
pub(super) fn naive<'p>(plan: &'p Plan, api: usize, path: &str) -> Option<&'p str> {
    let mut candidates: Vec<(Vec<Fit>, &str)> =
        plan.apis[api].operations.iter().filter_map(|o| Some((fit(&o.template, path)?, o.template.as_str()))).collect();
    candidates.sort_by_key(|(fits, _)| Reverse(fits.clone()));
    candidates.first().map(|(_, template)| *template)
}

fn random_template(random: &mut Random) -> String {
    let parts = ["a", "b", "c", "{p}", "{p}.x", "b{p}", "a{p}.x", "{p}.json"];
    let mut template: String = (0..random.below(4)).map(|_| format!("/{}", random.pick(&parts))).collect();
    template.push_str(random.pick(&["", "", "", "/", "/*"]));
    if template.is_empty() { "/".into() } else { template }
}

fn random_plan(random: &mut Random) -> Plan {
    let mut templates: Vec<String> = (0..12).map(|_| random_template(random)).collect();
    templates.sort();
    templates.dedup();
    let operations: Vec<(&str, &str)> = templates.iter().map(|t| ("GET", t.as_str())).collect();
    plan(vec![api("/v1", &operations)])
}

#[test]
fn on_random_plans_and_paths_the_answers_are_those_of_a_naive_search() {
    let segments = ["a", "b", "c", "d", "q.x", "bq", "aq.x", "b.x", "q.json", "a.x", ".x"];
    let mut random = Random::new(11);
    let mut found = 0;
    for _ in 0..2_000 {
        let plan = random_plan(&mut random);
        let router = Router::build(&plan).unwrap();
        for _ in 0..40 {
            let mut path: String = (0..random.below(5)).map(|_| format!("/{}", random.pick(&segments))).collect();
            path.push_str(random.pick(&["", "/"]));
            let answer = match router.find(&asked(&format!("/v1{path}"), None, "GET", true)) {
                Route::Operation { index, .. } => Some(plan.apis[0].operations[index as usize].template.as_str()),
                Route::NoResource { api: 0 } => None,
                other => panic!("{other:?}"),
            };
            let templates: Vec<_> = plan.apis[0].operations.iter().map(|o| &o.template).collect();
            assert_eq!(answer, naive(&plan, 0, &path), "{path} in {templates:?}");
            found += usize::from(answer.is_some());
        }
    }
    assert!(found > 10_000, "the generator makes too few paths that match: {found}");
}

fn sample(template: &str) -> String {
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path.push('/');
        match (part.find('{'), part.find('}')) {
            (Some(open), Some(close)) => path.extend([&part[..open], "sample", &part[close + 1..]]),
            _ if part == "*" => path.push_str("rest/of/it"),
            _ => path.push_str(part),
        }
    }
    path
}

/// `count` operations over APIs of 60, in the shapes that real definitions have.
fn large_plan(count: usize) -> Plan {
    let mut apis = Vec::new();
    for a in 0..count.div_ceil(60) {
        let mut operations = Vec::new();
        for r in 0..10 {
            for (method, rest) in
                [("GET", ""), ("POST", ""), ("GET", "/{id}"), ("PUT", "/{id}"), ("DELETE", "/{id}"), ("GET", "/{id}/items/{item}.json")]
            {
                operations.push((method, format!("/resource{r}{rest}")));
            }
        }
        operations.truncate(count - a * 60);
        let borrowed: Vec<(&str, &str)> = operations.iter().map(|(m, t)| (*m, t.as_str())).collect();
        apis.push(api(&format!("/service{a}/v1"), &borrowed));
    }
    plan(apis)
}

#[test]
fn every_operation_of_a_large_plan_is_routed_to_itself() {
    let plan = large_plan(6_000);
    let router = Router::build(&plan).unwrap();
    let all = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |o| (api, o)));
    let mut count = 0;
    for (number, (api, operation)) in (0..).zip(all) {
        let path = format!("{}{}", api.base_path, sample(&operation.template));
        assert_eq!(
            router.find(&asked(&path, None, &operation.method, false)),
            Route::Operation { index: number, base_len: api.base_path.len() },
            "{path}"
        );
        count += 1;
    }
    assert_eq!(count, 6_000);
}

/// Most nodes that any one of the plan's own paths visits.
fn most_steps(plan: &Plan) -> u64 {
    let router = Router::build(plan).unwrap();
    let mut most = 0;
    for api in &plan.apis {
        for operation in &api.operations {
            let before = STEPS.get();
            router.find(&asked(&format!("{}{}", api.base_path, sample(&operation.template)), None, &operation.method, true));
            most = most.max(STEPS.get() - before);
        }
    }
    most
}

#[test]
fn six_thousand_operations_take_the_steps_of_six() {
    let (few, many) = (most_steps(&large_plan(6)), most_steps(&large_plan(6_000)));
    assert_eq!(few, many);
    assert!(many <= 8, "{many} nodes for a path of six segments");
}

#[test]
fn a_flat_api_of_six_thousand_literals_takes_the_steps_of_one() {
    let templates: Vec<String> = (0..6_000).map(|i| format!("/r{i}")).collect();
    let operations: Vec<(&str, &str)> = templates.iter().map(|t| ("GET", t.as_str())).collect();
    assert_eq!(most_steps(&plan(vec![api("/", &operations)])), most_steps(&plan(vec![api("/", &operations[..1])])));
}
