//! Every command, run as a user runs it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Settings, Upstream,
    command::{binary, run},
    project::{open_api, operation},
    token::Issuer,
    tollgate, until,
};

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// Runs with a folder as the last argument.
fn with(command: &str, path: &Path) -> tollgate_tests::Ran {
    tollgate(words(command).into_iter().map(AsRef::as_ref).chain([path.as_os_str()]))
}

#[test]
fn a_fresh_project_checks_builds_and_is_served() {
    let folder = Folder::new();
    let project = folder.join("shop");
    with("init", &project).ok();
    for part in ["api_definitions", "conf", "interceptors", "extensions", "policies.yaml"] {
        assert!(project.join(part).exists(), "{part} is missing");
    }
    with("check", &project).ok();
    with("build", &project).ok();
    let artifact = project.join("target/shop.toll");
    let gateway = Gateway::start(
        &artifact,
        Settings::of(json!({ "chain": [{ "jwt": { "issuers": [{
        "issuer": "tests", "any_audience": true, "keys": { "pem": project.join("conf/dev-issuer.pem") } }] } }, "authorize", "cors"] })),
    );
    let plan: Value = serde_json::from_slice(&gateway.admin("/plan").body).unwrap();
    let base = plan["apis"][0]["base_path"].as_str().unwrap();
    assert_eq!(gateway.get(&format!("{base}/no-such-thing")).status(), 404);
}

#[test]
fn init_takes_a_definition_and_never_overwrites_unless_told_so() {
    let folder = Folder::new();
    let definition =
        folder.write("mine.json", open_api("/mine", "http://127.0.0.1:1", json!({ "/a": { "get": operation() } })).to_string());
    let project = folder.join("p");
    let init = |force: &[&str]| {
        let fixed = ["init".as_ref(), project.as_os_str(), "-a".as_ref(), definition.as_os_str()];
        tollgate(fixed.into_iter().chain(force.iter().map(AsRef::as_ref)))
    };
    init(&[]).ok();
    std::fs::write(project.join("precious"), "x").unwrap();
    assert_ne!(init(&[]).code, 0);
    assert!(project.join("precious").exists());
    init(&["-f"]).ok();
    assert!(!project.join("precious").exists());
    with("build", &project).ok();
}

#[test]
fn the_same_inputs_give_the_same_bytes_in_any_folder_order_and_time_zone() {
    let definition = |name: &str| {
        open_api(&format!("/{name}"), "http://127.0.0.1:1", json!({ "/a": { "get": operation(), "put": operation() } })).to_string()
    };
    let names = ["zebra.json", "ant.json", "moth.json", "bee.json"];
    let build = |order: &[&str], zone: &str| {
        let folder = Folder::new();
        for name in order {
            folder.write(format!("same/api_definitions/{name}"), definition(name.trim_end_matches(".json")));
        }
        let output = folder.join("out.toll");
        let ran = run(Command::new(binary())
            .env("TZ", zone)
            .env("LC_ALL", "C")
            .current_dir(folder.path())
            .arg("build")
            .arg(folder.join("same"))
            .arg("-o")
            .arg(&output));
        ran.ok();
        std::fs::read(output).unwrap()
    };
    let one = build(&names, "UTC");
    let mut reversed = names;
    reversed.reverse();
    assert!(one == build(&reversed, "Pacific/Kiritimati"), "the artifacts differ");
}

#[test]
fn all_problems_come_at_once_with_file_line_and_pointer_and_nothing_is_built() {
    let broken = r##"{
  "openapi": "3.0.3",
  "info": { "title": "a", "version": "1" },
  "x-wso2-basePath": "/a",
  "x-wso2-production-endpoints": { "urls": ["not a url"] },
  "paths": { "/a": { "get": { "responses": { "200": { "$ref": "#/nowhere" } } } } }
}"##;
    let project = Project::new().definition("broken.json", broken);
    let (ran, artifact) = project.try_build(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("api_definitions/broken.json:5: error["), "{}", ran.stderr);
    assert!(ran.stderr.contains("api_definitions/broken.json:6: error["), "{}", ran.stderr);
    assert!(ran.stderr.contains("(at /x-wso2-production-endpoints/urls/0)"), "{}", ran.stderr);
    assert!(!artifact.exists());
}

#[test]
fn what_nobody_enforces_is_an_error_unless_it_is_waived_by_name_and_the_waiver_shows() {
    let upstream = Upstream::start();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-response-cache"] = json!({ "enabled": true });
    let project = Project::new().definition("a.json", definition.to_string());
    let (refused, _) = project.try_build(&[]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("demand.unenforced") && refused.stderr.contains("response_cache"), "{}", refused.stderr);
    let artifact = project.build(&["--waive", "response_cache"]);
    let plan = with("plan", &artifact).ok();
    assert!(plan.stdout.contains("response_cache"), "{}", plan.stdout);
    let gateway = Gateway::start(&artifact, Settings::default());
    gateway.metric_reaches("tollgate_waived_info{demand=\"response_cache\"}", 1.0);
    assert!(gateway.stderr().contains("response_cache"), "{}", gateway.stderr());
}

/// An operation that asks for a key and nothing else, one that takes a token as well, and one that is open to everybody.
fn keyed() -> Project {
    let [mut key, mut either] = [(); 2].map(|()| operation());
    key["security"] = json!([{ "key": [] }]);
    either["security"] = json!([{ "key": [] }, { "token": [] }]);
    let paths = [("/key", key), ("/either", either), ("/open", operation())];
    let paths = paths.map(|(path, operation)| (path.to_owned(), json!({ "get": operation })));
    let mut definition = open_api("/a", "http://127.0.0.1:1", Value::Object(paths.into_iter().collect()));
    definition.as_object_mut().unwrap().remove("x-wso2-disable-security");
    definition["security"] = json!([]);
    definition["components"] = json!({ "securitySchemes": {
        "key": { "type": "http", "scheme": "digest" }, "token": { "type": "http", "scheme": "bearer" },
    } });
    Project::new().definition("a.json", definition.to_string())
}

#[test]
fn a_slip_in_the_name_of_an_extension_opens_no_operation() {
    let definition = |name: &str| {
        let mut definition = open_api("/a", "http://127.0.0.1:1", json!({ "/x": { "get": operation() } }));
        definition[name] = "mandatory".into();
        Project::new().definition("a.json", definition.to_string())
    };
    definition("x-wso2-mutual-ssl").build(&[]);
    for slip in ["x-wso2-mutual-sl", "x-wso2-mutual_ssl", "x-ws02-mutual-ssl", "x-wso2-ssl-mutual"] {
        let project = definition(slip);
        let path = project.path();
        for ran in [project.try_build(&[]).0, with("check", &path)] {
            assert_eq!(ran.code, 1, "{slip}: {ran:?}");
            let said = &ran.stderr;
            assert!(
                said.contains("api_definitions/a.json:1: error[extension.unknown]") && said.contains(&format!("(at /{slip})")),
                "{said}"
            );
            assert!(said.contains("hint: did you mean `x-wso2-mutual-ssl`?"), "{said}");
        }
    }
}

#[test]
fn a_build_does_not_waive_the_last_credential_unless_it_is_told_to_open() {
    let project = keyed();
    let (refused, artifact) = project.try_build(&["--waive", "http_digest"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = &refused.stderr;
    assert!(said.contains("error[demand.opens]: to waive `http_digest` would open 1 operation to everybody: GET /a/key ("), "{said}");
    assert!(said.contains("api_definitions/a.json:1)") && said.contains("`waive_to_open: [http_digest]`"), "{said}");
    assert!(!artifact.exists());
    let artifact = project.build(&["--waive-to-open", "http_digest"]);
    let plan = with("plan", &artifact).ok().stdout;
    assert!(plan.contains("open (waived http_digest)") && plan.contains("open to everybody because of that: GET /a/key\n"), "{plan}");
    let gateway = Gateway::start(
        &artifact,
        Settings::of(json!({ "chain": [{ "jwt": { "issuers": [{
        "issuer": "tests", "any_audience": true, "keys": { "jwks": project.folder().write("issuer.json", Issuer::new("tests").jwks().to_string()) } }] } }] })),
    );
    gateway.metric_reaches("tollgate_waived_open_operations{demand=\"http_digest\"}", 1.0);
    let said = gateway.stderr();
    assert!(said.contains("`http_digest` is waived: nobody enforces it, and 1 operations are open to everybody: GET /a/key ("), "{said}");
}

#[test]
fn an_environment_does_not_waive_the_last_credential_unless_it_is_told_to_open() {
    let paths = json!({ "/x": { "get": operation() } });
    let mut definition = open_api("/a", "http://127.0.0.1:1", paths);
    definition["x-wso2-mutual-ssl"] = "mandatory".into();
    let project = Project::new().definition("a.json", definition.to_string());
    let artifact = project.build(&[]);
    let start = |list: &str| {
        let config = format!("listeners: [{{address: '127.0.0.1:0'}}]\nchain: [mtls]\n{list}: [throttle, mtls]\n");
        let config = project.folder().write("gateway.yaml", config);
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    };
    let refused = start("waive");
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = &refused.stderr;
    assert!(said.contains("gateway.yaml:3: error[chain.opens]: to waive `mtls` would open 1 operation to everybody: GET /a/x ("), "{said}");
    assert!(said.contains("(at /waive/1)") && said.contains("`waive_to_open: [mtls]`"), "{said}");
    let ready = start("waive_to_open").ok().stdout;
    assert!(ready.contains("waived    mtls, throttle") && ready.contains("opened    GET /a/x ("), "{ready}");
}

#[test]
fn plan_says_who_may_reach_every_operation() {
    let [mut open, mut twice, mut scoped] = [(); 3].map(|()| operation());
    open["x-wso2-disable-security"] = true.into();
    twice["security"] = json!([{ "first": [] }, { "second": [] }]);
    scoped["security"] = json!([{ "first": ["read"] }, { "second": [] }]);
    let paths = [("/open", open), ("/closed", operation()), ("/twice", twice), ("/scoped", scoped)];
    let paths = paths.map(|(path, operation)| (path.to_owned(), json!({ "get": operation })));
    let mut definition = open_api("/a", "http://127.0.0.1:1", Value::Object(paths.into_iter().collect()));
    definition["x-wso2-disable-security"] = false.into();
    let bearer = json!({ "type": "http", "scheme": "bearer" });
    definition["components"] = json!({ "securitySchemes": { "first": bearer, "second": bearer } });
    let artifact = Project::new().definition("a.json", definition.to_string());
    let artifact = artifact.build(&[]);
    let plan: Value = serde_json::from_str(&with("plan --format json", &artifact).ok().stdout).unwrap();
    let find = |path: &str| {
        let all = plan["operations"].as_array().unwrap();
        all.iter().find(|o| o["path"] == path && o["method"] == "GET").unwrap()
    };
    let who = ["/a/open", "/a/closed", "/a/twice", "/a/scoped"].map(|path| find(path)["who"].as_str().unwrap());
    assert_eq!(who, ["open", "token", "token", "token (scope read) or token"]);
    let first = json!([{ "filter": "jwt", "scheme": "first", "scopes": ["read"] }]);
    assert_eq!(find("/a/scoped")["alternatives"], json!([first, [{ "filter": "jwt", "scheme": "second", "scopes": [] }]]));
    assert_eq!(find("/a/open")["alternatives"], json!([]));
}

#[test]
fn exit_codes_are_0_done_1_problems_2_could_not_run() {
    let folder = Folder::new();
    let bad = folder.write("bad.yaml", "openapi: [");
    assert_eq!(tollgate(["--help"]).code, 0);
    assert_eq!(with("check", &bad).code, 1);
    assert_eq!(tollgate(["no-such-command"]).code, 2);
    let missing = folder.join("missing.toll");
    let config = folder.join("gateway.yaml");
    let ran = tollgate(["run".as_ref(), missing.as_os_str(), "--config".as_ref(), config.as_os_str()]);
    assert!(matches!(ran.code, 1 | 2), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn a_wrong_configuration_names_file_line_and_key_and_nothing_starts() {
    let project =
        Project::new().definition("a.json", open_api("/a", "http://127.0.0.1:1", json!({ "/x": { "get": operation() } })).to_string());
    let artifact = project.build(&[]);
    let config = project.folder().write("gateway.yaml", "listeners:\n  - address: 127.0.0.1:0\nlimitz:\n  header_bytes: 1KiB\n");
    let ran = tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("gateway.yaml:3") && ran.stderr.contains("limitz"), "{}", ran.stderr);
}

/// The words of a shell line with single and double quotes.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// What `curl` would ask: method, port, target, fields.
fn curl(line: &str) -> (String, u16, String, Vec<String>, String) {
    let words = shell_words(line);
    let (mut method, mut url, mut fields, mut body) = ("GET".to_owned(), String::new(), Vec::new(), String::new());
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-H" | "--header" => fields.push(rest.next().unwrap().clone()),
            "-d" | "--data" => (method, body) = ("POST".to_owned(), rest.next().unwrap().clone()),
            "-X" | "--request" => method = rest.next().unwrap().clone(),
            other if other.starts_with("http://") => url = other.trim_start_matches("http://").to_owned(),
            other => assert!(other.starts_with('-'), "an unknown word in {line}"),
        }
    }
    let (authority, target) = url.split_once('/').unwrap();
    let port = authority.rsplit_once(':').unwrap().1.parse().unwrap();
    (method, port, format!("/{target}"), fields, body)
}

#[test]
fn the_demo_prints_requests_that_pass_or_are_told_why_they_do_not() {
    let mut child = Command::new(binary()).arg("demo").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines: Vec<String> = stdout.lines().map(Result::unwrap).filter(|line| line.starts_with("curl")).take(5).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    let ask = |line: &str| {
        let (method, port, target, fields, body) = curl(line);
        until("the demo to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        Client::connect(port).ask(&method, &target, &fields, body.as_bytes()).unwrap()
    };
    let misfit = ask(&lines[4]);
    assert!(misfit.status() == 400 && misfit.text().contains(r#""pointer":"/grams","rule":"type""#), "{}", misfit.text());
    let answers: Vec<_> = lines[..3].iter().map(|line| ask(line)).collect();
    let often: Vec<_> = (1..=6).map(|n| ask(&lines[3].replace("[1-6]", &n.to_string()))).collect();
    let over = often.iter().find(|answer| answer.status() == 429).expect("one comes too often");
    assert!(over.field("retry-after").is_some() && over.text().contains("throttle.anonymous"), "{}", over.text());
    let _ = Command::new("kill").arg(child.id().to_string()).status();
    let code = until("the demo to end", || child.try_wait().unwrap());
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() >= 400).collect();
    assert_eq!(refused.len(), 1, "{answers:?}");
    assert!(refused[0].text().contains("\"reason\""), "{}", refused[0].text());
    let passed: Vec<String> = answers.iter().filter(|answer| answer.status() == 200).map(|answer| answer.text()).collect();
    assert!(passed.len() == 2 && passed[0] != passed[1], "two endpoints, two answers: {passed:?}");
    assert!(code.success(), "{code:?}");
}

#[test]
fn dev_swaps_on_save_and_keeps_the_last_good_project() {
    let upstream = Upstream::start();
    let folder = Folder::new();
    let definition = |path: &str| open_api("/a", &upstream.url(), json!({ path: { "get": operation() } })).to_string();
    folder.write("p/api_definitions/a.json", definition("/one"));
    let (port, admin) = (tollgate_tests::ports::free_port(), tollgate_tests::ports::free_port());
    // The log lies among what is watched: requests must not look like saves.
    let config = json!({
        "listeners": [{ "address": format!("127.0.0.1:{port}") }],
        "admin": { "address": format!("127.0.0.1:{admin}") },
        "access_log": { "to": "p/access.log" },
    });
    let config = folder.write("gateway.yaml", config.to_string());
    let mut child = Command::new(binary())
        .arg("dev")
        .arg(folder.join("p"))
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = |path: &str| Client::connect(port).ask("GET", path, &[], b"").unwrap().status();
    until("dev to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert_eq!(status("/a/one"), 200);
    folder.write("p/api_definitions/a.json", "{ broken");
    folder.write("p/api_definitions/b.json", definition("/b").replace("/a\"", "/b\""));
    assert_eq!(status("/a/one"), 200);
    std::fs::remove_file(folder.join("p/api_definitions/b.json")).unwrap();
    folder.write("p/api_definitions/a.json", definition("/two-is-longer"));
    until("the saved project to be served", || (status("/a/two-is-longer") == 200).then_some(()));
    assert_eq!(status("/a/one"), 404);
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn a_hostile_file_ends_in_a_problem_soon_and_with_bounded_memory() {
    let folder = Folder::new();
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in b'b'..=b'z' {
        let (before, this) = (char::from(n - 1), char::from(n));
        bomb.push_str(&format!("{this}: &{this} [{}]\n", vec![format!("*{before}"); 9].join(", ")));
    }
    let head = r#"{"openapi":"3.0.3","info":{"title":"a","version":"1"},"paths":{}"#;
    let files = [
        ("alias-bomb.yaml", bomb),
        ("deep.json", format!("{head},\"x-deep\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000))),
        ("large.json", format!("{head},\"x-large\":\"{}\"}}", "x".repeat(50 << 20))),
        (
            "cycle.json",
            r##"{"openapi":"3.0.3","info":{"title":"a","version":"1"},"paths":{"/a":{"$ref":"#/paths/~1b"},"/b":{"$ref":"#/paths/~1a"}}}"##
                .to_owned(),
        ),
        ("not-text.yaml", "\u{0}\u{1}\u{2}".to_owned()),
    ];
    for (name, text) in files {
        let file = folder.write(name, text);
        // The shell's limit is in KiB of address space: what is not bounded dies here instead of ending in a problem.
        let script = format!("ulimit -v 1000000; exec '{}' check '{}'", binary().display(), file.display());
        let begun = std::time::Instant::now();
        let ran = run(Command::new("sh").arg("-c").arg(script));
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert!(ran.stderr.contains("error["), "{name}: {}", ran.stderr);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{name} took {:?}", begun.elapsed());
    }
}

#[test]
fn collisions_between_files_name_both() {
    let one = open_api("/same", "http://127.0.0.1:1", json!({ "/a": { "get": operation() } }));
    let mut two = one.clone();
    two["info"]["title"] = "another".into();
    let (ran, _) = Project::new().definition("one.json", one.to_string()).definition("two.json", two.to_string()).try_build(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("one.json") && ran.stderr.contains("two.json"), "{}", ran.stderr);
}
