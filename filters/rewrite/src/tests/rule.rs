use super::*;

fn rule(yaml: (&str, &str, &str)) -> Result<Rule, Problem> {
    let (kind, pattern, to) = yaml;
    let of = |name: &str| (kind == name).then(|| pattern.to_owned());
    let rule = config::Rule { prefix: of("prefix"), path: of("path"), regex: of("regex"), to: to.to_owned(), drop_query: false };
    Rule::parse(&rule, "/rules/0")
}

fn made(yaml: (&str, &str, &str), path: &str, query: Option<&str>) -> Option<String> {
    let rule = rule(yaml).unwrap_or_else(|problem| panic!("{yaml:?}: {problem}"));
    let rewritten = rule.apply(path, query)?;
    let query = rewritten.query.unwrap_or(query.map(str::to_owned));
    Some(query.map_or_else(|| rewritten.path.clone(), |query| format!("{}?{query}", rewritten.path)))
}

#[test]
fn a_path_is_matched_as_a_whole() {
    for (path, to, asked, becomes) in [
        ("/x/{a}", "/y/{a}", "/x/1", Some("/y/1")),
        ("/x/{a}", "/y/{a}", "/x/1/", None),
        ("/x/{a}", "/y/{a}", "/x/", None),
        ("/x/{a}", "/y/{a}", "/x", None),
        ("/{a}/{b}", "/{b}/{a}", "/1/2", Some("/2/1")),
        ("/x/*", "/y/*", "/x/1/2", Some("/y/1/2")),
        ("/x/*", "/y/*", "/x", Some("/y/")),
        ("/x/*", "/y", "/x/1", Some("/y")),
        ("/*", "/all/*", "/a/b", Some("/all/a/b")),
        ("/", "/home", "/", Some("/home")),
        ("/x/{a}", "/y?a={a}", "/x/1&b%26", Some("/y?a=1%26b%26")),
    ] {
        assert_eq!(made(("path", path, to), asked, None).as_deref(), becomes, "{path} {to} {asked}");
    }
}

#[test]
fn an_expression_replaces_the_whole_path() {
    for (regex, to, asked, becomes) in [
        ("^/item/([0-9]+)$", "/items/$1", "/item/7", Some("/items/7")),
        ("^/item/([0-9]+)$", "/items/$1", "/item/x", None),
        ("/b/", "/new", "/a/b/c", Some("/new")),
        ("^/(?<year>\\d{4})/(.*)", "/archive/${year}-$2", "/2024/a/b", Some("/archive/2024-a/b")),
        ("^/(a)?(.*)$", "/$1$2$0", "/b", Some("/b/b")),
        ("^/(.*)$", "/$$/$1?q=$1", "/b", Some("/$/b?q=b")),
        ("(?i)^/A$", "/b", "/a", Some("/b")),
    ] {
        assert_eq!(made(("regex", regex, to), asked, None).as_deref(), becomes, "{regex} {to} {asked}");
    }
}

#[test]
fn the_clients_query_stays_behind_that_of_the_rule() {
    let with = |to: &str, drop_query: bool, query: Option<&str>| {
        let rule = config::Rule { prefix: None, path: Some("/a".into()), regex: None, to: to.into(), drop_query };
        Rule::parse(&rule, "").expect("it is a rule").apply("/a", query).expect("it matches").query
    };
    let query = |text: &str| Some(Some(text.to_owned()));
    assert_eq!(with("/b", false, Some("x")), None);
    assert_eq!(with("/b", true, Some("x")), Some(None));
    assert_eq!(with("/b?y=1", false, Some("x")), query("y=1&x"));
    assert_eq!(with("/b?y=1", true, Some("x")), query("y=1"));
    assert_eq!(with("/b?y=1", false, None), query("y=1"));
    assert_eq!(with("/b?", false, Some("x")), query("x"));
}

#[test]
fn what_is_no_rule_is_refused_where_it_stands() {
    for (kind, pattern, to, pointer) in [
        ("prefix", "old", "/new", "/rules/0/prefix"),
        ("prefix", "/old", "new", "/rules/0/to"),
        ("prefix", "/old", "/new?a", "/rules/0/to"),
        ("path", "x", "/y", "/rules/0/path"),
        ("path", "/{}", "/y", "/rules/0/path"),
        ("path", "/x{a}", "/y", "/rules/0/path"),
        ("path", "/{a}/{a}", "/y", "/rules/0/path"),
        ("path", "/*/a", "/y", "/rules/0/path"),
        ("path", "/a b", "/y", "/rules/0/path"),
        ("path", "/x/{a}", "/y/{b}", "/rules/0/to"),
        ("path", "/x/{a}", "/y/{a", "/rules/0/to"),
        ("path", "/x/{a}", "/y/*", "/rules/0/to"),
        ("path", "/x/{a}", "{a}", "/rules/0/to"),
        ("regex", "(", "/y", "/rules/0/regex"),
        ("regex", "(?=a)", "/y", "/rules/0/regex"),
        ("regex", "(a{1000}){1000}", "/y", "/rules/0/regex"),
        ("regex", "a", "/$1", "/rules/0/to"),
        ("regex", "a", "/${name}", "/rules/0/to"),
        ("regex", "a", "/$x", "/rules/0/to"),
        ("regex", "(a)", "$1", "/rules/0/to"),
        ("none", "", "/y", "/rules/0"),
    ] {
        let problem = rule((kind, pattern, to)).expect_err(pattern);
        assert_eq!(problem.pointer, pointer, "{kind} {pattern} {to}: {problem}");
        assert!(!problem.hint.is_empty(), "{kind} {pattern} {to}");
    }
}
