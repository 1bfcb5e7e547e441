//! No other reading of a path that is let through has other rules.

use tollgate_plan::{Alternative, Credential, Plan, Source};

use super::{
    Random, asked,
    routing::{api, ask_by, plan},
    scale::naive,
};
use crate::{
    config::{Keep, Paths},
    routes::{Route, Router, normal::normalize, tree::STEPS},
};

/// All four settings.
const RULES: [Paths; 4] = [
    Paths { encoded_slash: Keep::Refuse, semicolon: Keep::Refuse },
    Paths { encoded_slash: Keep::Keep, semicolon: Keep::Refuse },
    Paths { encoded_slash: Keep::Refuse, semicolon: Keep::Keep },
    Paths { encoded_slash: Keep::Keep, semicolon: Keep::Keep },
];
const LENIENT: Paths = RULES[3];

/// Closes operations: each names the scope that it asks for.
fn closed(mut plan: Plan, operations: &[(&str, &str)]) -> Plan {
    for operation in plan.apis.iter_mut().flat_map(|api| &mut api.operations) {
        let scopes = operations.iter().filter(|(template, _)| *template == operation.template).map(|(_, scope)| (*scope).to_owned());
        let scopes: Vec<String> = scopes.collect();
        if !scopes.is_empty() {
            let source = Source { line: operation.template.len() as u32, ..Source::default() };
            let credential =
                Credential { filter: "jwt".into(), scheme: String::new(), scopes, declared: Default::default(), source: source.clone() };
            operation.security.source = source;
            operation.security.alternatives.push(Alternative { credentials: vec![credential] });
        }
    }
    plan
}

#[test]
fn a_path_that_others_read_as_another_operations_needs_the_same_rules() {
    let templates = ["/admin/*", "/{page}", "/files/{name}", "/files/{name}/raw", "/files/{name}/acl", "/mine", "/{page}/x"];
    let operations: Vec<_> = templates.iter().map(|template| ("GET", *template)).chain([("PUT", "/{page}/y")]).collect();
    let plan = closed(plan(vec![api("/", &operations)]), &[("/admin/*", "a"), ("/files/{name}/acl", "a"), ("/mine", "b")]);
    for (path, expected) in [
        ("/files/a%2Fb", "/ /files/{name}"),
        ("/files/a%2Fraw", "/ /files/{name}"),
        ("/files/a%2Facl", "ambiguous"),
        ("/files/a%2F%2Facl", "ambiguous"),
        ("/files/a%2Facl%2F", "ambiguous"),
        ("/files/a%2Fb/acl", "/ /files/{name}/acl"),
        ("/admin%2Fx", "ambiguous"),
        ("/%2Fadmin", "ambiguous"),
        ("/admin;x", "ambiguous"),
        ("/admin%3Bx", "ambiguous"),
        ("/admin%3bx%2fy", "ambiguous"),
        ("/mine;x%2Fy", "ambiguous"),
        ("/mine%3Fx", "ambiguous"),
        ("/mine%23", "ambiguous"),
        ("/admin%3F", "ambiguous"),
        ("/news%3F", "/ /{page}"),
        ("/news;v=1", "/ /{page}"),
        ("/news%2Fx", "/ /{page}"),
        // The path is known to others, the method is not.
        ("/news%2Fy", "ambiguous"),
        ("/p;v%2Fx/x", "/ /{page}/x"),
        // Nobody's to others, below an operation with other rules or with the same ones.
        ("/mine%2Fx%2Fy", "ambiguous"),
        ("/news%2Fx%2Fz", "/ /{page}"),
        ("/files/x%2Fy/raw", "/ /files/{name}/raw"),
        ("/files%2Fx%2Facl%2Fz", "ambiguous"),
        ("/files/p%2Facl;x%2Fy", "ambiguous"),
        ("/admin/x%2Fy;z", "/ /admin/*"),
        ("/minee", "/ /{page}"),
        ("/mine%20x", "/ /{page}"),
    ] {
        assert_eq!(ask_by(&plan, path, "GET", &LENIENT), expected, "{path}");
    }
}

#[test]
fn rules_are_the_same_wherever_they_are_written_and_never_those_of_another_api() {
    let all = [("GET", "/{a}"), ("GET", "/{a}/{b}")];
    let one = |scopes: &[(&str, &str)]| closed(plan(vec![api("/", &all)]), scopes);
    let ask = |plan: &Plan| ask_by(plan, "/x%2Fy", "GET", &LENIENT);
    assert_eq!(ask(&one(&[("/{a}", "s"), ("/{a}/{b}", "s")])), "/ /{a}");
    assert_eq!(ask(&one(&[("/{a}", "s"), ("/{a}/{b}", "t")])), "ambiguous");
    assert_eq!(ask(&one(&[("/{a}", "s")])), "ambiguous");
    assert_eq!(ask(&one(&[])), "/ /{a}");
    for other in ["/{b}", "/b"] {
        let two = plan(vec![api("/", &[("GET", "/{a}")]), api("/x", &[("GET", other)])]);
        assert_eq!(ask(&two), "ambiguous", "{other}");
    }
}

#[test]
fn what_the_upstream_reads_below_the_base_path_is_judged_whatever_the_base_path_is_to_others() {
    let mut all = plan(vec![api("/v;1", &[("GET", "/{a}"), ("GET", "/x/{b}")])]);
    let ask = |plan: &Plan| ask_by(plan, "/v;1/x%2Fy", "GET", &LENIENT);
    assert_eq!(ask(&all), "/v;1 /{a}");
    all.apis[0].operations[1].demands.push(tollgate_plan::Demand { filter: "f".into(), settings: 1.into(), source: Source::default() });
    assert_eq!(ask(&all), "ambiguous");
}

#[test]
fn a_long_path_with_many_readings_costs_a_visit_of_each_node_for_each_reading() {
    let all = plan(vec![api("/", &[("GET", "/{a}"), ("GET", "/{a}/{b}/{c}/{d}"), ("GET", "/a/{b}/{c}/{e}/f")])]);
    let router = Router::build(&all).unwrap();
    let path = format!("/{}", "a;x%2F%3Bb%3F".repeat(600));
    let normal = normalize(path.as_bytes(), &LENIENT).unwrap();
    let before = STEPS.get();
    router.find(&asked(&normal.path, normal.reading.as_ref(), "GET", true));
    let steps = STEPS.get() - before;
    assert!((2..500).contains(&steps), "{steps} nodes were visited");
}

/// Ways in which servers take a path apart, written as they do it.
const READERS: [fn(&str) -> Vec<String>; 8] = [
    // Split, decode.
    |path| path.split('/').map(|segment| text(&decoded(segment))).collect(),
    // Split, cut, decode.
    |path| path.split('/').map(|segment| text(&decoded(cut(segment)))).collect(),
    // Split, decode, cut.
    |path| path.split('/').map(|segment| text(cut(&decoded(segment)))).collect(),
    // Decode, split.
    |path| decoded(path).split('/').map(str::to_owned).collect(),
    // Decode, split, cut.
    |path| decoded(path).split('/').map(|segment| cut(segment).to_owned()).collect(),
    // Decode, take the query off, split, cut.
    |path| decoded(path).split(['?', '#']).next().unwrap().split('/').map(|segment| cut(segment).to_owned()).collect(),
    // Decode, take the query off, split.
    |path| decoded(path).split(['?', '#']).next().unwrap().split('/').map(str::to_owned).collect(),
    // Cut, decode, split.
    |path| decoded(&path.split('/').map(cut).collect::<Vec<_>>().join("/")).split('/').map(str::to_owned).collect(),
];

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend(piece[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

fn cut(segment: &str) -> &str {
    segment.split(';').next().unwrap()
}

/// A slash that is no separator, told from one.
fn text(segment: &str) -> String {
    segment.replace('/', "\u{1}")
}

const TEMPLATES: [(&str, &str); 11] = [
    ("/admin/*", "a"),
    ("/public/*", ""),
    ("/{page}", ""),
    ("/items/{id}", ""),
    ("/items/{id}:purge", "a"),
    ("/odata/$metadata", "b"),
    ("/odata/{set}", ""),
    ("/a/{x}", ""),
    ("/a/{x}/y", "a"),
    ("/a/{x}/z", ""),
    ("/7", "c"),
];

const PARTS: [&str; 46] = [
    "/",
    "/",
    "/",
    "/",
    "admin",
    "public",
    "items",
    "odata",
    "a",
    "7",
    "y",
    "z",
    ":purge",
    "%3Apurge",
    "%3apurge",
    "%253Apurge",
    "$metadata",
    "%24metadata",
    "%61dmin",
    "%2F",
    "%2f",
    "%2F%2f",
    ";",
    "%3B",
    "%3b",
    ";x=1",
    "%3F",
    "%23",
    ".",
    "..",
    "%2e",
    ".%2e",
    "%2E.",
    "%252e%252e",
    "%252F",
    "%5c",
    "\\",
    "%00",
    "..%00/",
    "%c0%ae",
    "%c0%af",
    "%u002e",
    "%20",
    "%25",
    "%EF%BC%8F",
    "..;",
];

fn scope_of(template: &str) -> &'static str {
    TEMPLATES.iter().find(|(known, _)| *known == template).unwrap().1
}

#[test]
fn whoever_decodes_a_path_that_was_let_through_reads_no_dots_and_no_other_rules() {
    let operations: Vec<_> = TEMPLATES.iter().map(|(template, _)| ("GET", *template)).collect();
    let scopes: Vec<_> = TEMPLATES.iter().copied().filter(|(_, scope)| !scope.is_empty()).collect();
    let plan = closed(plan(vec![api("/", &operations)]), &scopes);
    let router = Router::build(&plan).unwrap();
    let mut random = Random::new(23);
    let (mut routed, mut spelled, mut ambiguous) = (0, 0, 0);
    for _ in 0..30_000 {
        let target: String = std::iter::once("/").chain((0..random.below(9)).map(|_| random.pick(&PARTS))).collect();
        for rules in &RULES {
            let Ok(normal) = normalize(target.as_bytes(), rules) else { continue };
            let index = match router.find(&asked(&normal.path, normal.reading.as_ref(), "GET", true)) {
                Route::Operation { index, .. } => index,
                Route::Ambiguous { .. } => {
                    ambiguous += 1;
                    continue;
                }
                _ => continue,
            };
            let own = plan.apis[0].operations[index as usize].template.as_str();
            routed += 1;
            spelled += usize::from(normal.reading.is_some());
            for (number, reader) in READERS.iter().enumerate() {
                let segments = reader(&normal.path);
                assert!(!segments.iter().any(|one| matches!(one.trim_end(), "." | "..")), "{target}: dots to reader {number}");
                let read = format!("/{}", segments.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>().join("/"));
                let other = naive(&plan, 0, &read);
                assert!(number > 0 || other == Some(own), "{target} went to {own}, not to {other:?}");
                let same = other.is_none_or(|other| scope_of(other) == scope_of(own));
                assert!(same, "{target} went to {own}; reader {number} reads {read}, which is {other:?}");
            }
        }
    }
    println!("{routed} routed, {spelled} of them spelled otherwise; {ambiguous} ambiguous");
    assert!(routed > 10_000 && spelled > 5_000 && ambiguous > 200, "too few: {routed}, {spelled}, {ambiguous}");
}
