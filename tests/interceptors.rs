//! Interceptors of a project: written by `init`, built, tried by `test`, named in a definition, and served.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Project, Ran, Upstream,
    command::{binary, run},
    project::{open_api, operation},
    until,
};

const LANGUAGES: [&str; 3] = ["rust", "c", "assemblyscript"];

/// A module of `tests/guests/built`.
fn guest(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/built").join(name).with_extension("wasm")).unwrap()
}

/// Runs in the folder of a project.
fn within(project: &Path, command: &str) -> Ran {
    run(Command::new(binary()).args(command.split(' ')).current_dir(project))
}

/// A project with one operation and an interceptor as `init` writes it, not yet built.
fn fresh(language: &str) -> Project {
    let definition = open_api("/a", "http://127.0.0.1:1", json!({ "/b": { "get": operation() } }));
    let project = Project::new().definition("a.json", definition.to_string());
    within(&project.path(), &format!("init --interceptor {language} mark")).ok();
    project
}

fn built(project: &Project, module: &[u8]) -> PathBuf {
    project.folder().write("project/interceptors/mark.wasm", module)
}

#[test]
fn the_cases_of_each_template_pass_with_what_it_is_built_to() {
    for language in LANGUAGES {
        let project = fresh(language);
        let ran = within(&project.path(), "test");
        assert_eq!(ran.code, 1, "nothing is built: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("build it first"), "{}", ran.stdout);
        built(&project, &guest(&format!("template_{language}")));
        let ran = within(&project.path(), "test").ok();
        assert!(ran.stdout.ends_with("3 passed, 0 failed\n"), "{language}: {}", ran.stdout);
    }
}

#[test]
fn a_module_that_does_something_else_fails_its_cases_and_the_difference_is_shown() {
    let project = fresh("rust");
    built(&project, &guest("headers"));
    let ran = within(&project.path(), "test");
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    assert!(ran.stdout.contains("failed  A request is marked") && ran.stdout.ends_with("0 passed, 3 failed\n"), "{}", ran.stdout);
    let ran = within(&project.path(), "--format json test");
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &said["failed"], &said["cases"][0]["ok"]), (1, &json!(3), &json!(false)));
}

#[test]
fn any_filter_of_the_catalogue_can_be_tried_with_case_files() {
    let folder = Folder::new();
    let case = |reason: &str| {
        format!(
            "about: a\nconfig: {{ status: 410 }}\ncases:\n- {{ name: b, request: {{}}, given: {{ principal: anonymous }}, expect: {{ reply: {{ reason: {reason} }} }} }}\n"
        )
    };
    folder.write("right.yaml", case("respond.fixed"));
    folder.write("wrong.yaml", case("respond.other"));
    assert!(within(folder.path(), "test --filter respond right.yaml").ok().stdout.ends_with("1 passed, 0 failed\n"));
    assert_eq!(within(folder.path(), "test --filter respond right.yaml wrong.yaml").code, 1);
    assert_eq!(within(folder.path(), "test --filter respond absent.yaml").code, 1);
    assert_eq!(within(folder.path(), "test --filter no_such_filter right.yaml").code, 2);
    assert_eq!(within(folder.path(), "test").code, 2, "no case was run, which is no success");
}

#[test]
fn the_rust_template_builds_where_its_target_is_installed() {
    let folder = Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip1"]).output();
    let folder = folder.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    if !Path::new(folder.trim()).is_dir() || folder.is_empty() {
        println!("left out: the target wasm32-wasip1 is not installed");
        return;
    }
    let project = fresh("rust");
    let ran = run(Command::new("sh").arg(project.path().join("interceptors/mark/build.sh")));
    ran.ok();
    assert!(within(&project.path(), "test").ok().stdout.ends_with("3 passed, 0 failed\n"));
}

#[test]
fn dev_serves_an_interceptor_and_takes_a_new_build_as_soon_as_it_is_there() {
    let upstream = Upstream::start();
    let definition = open_api("/a", &upstream.url(), json!({ "/b": { "get": operation() } }));
    let mut definition = definition;
    definition["x-wso2-request-interceptor"] = json!("mark");
    let project = Project::new().definition("a.json", definition.to_string());
    built(&project, &guest("template_c"));
    let (port, admin) = (tollgate_tests::ports::free_port(), tollgate_tests::ports::free_port());
    let config = json!({
        "listeners": [{ "address": format!("127.0.0.1:{port}") }],
        "admin": { "address": format!("127.0.0.1:{admin}") },
        "chain": ["wasm"],
    });
    let config = project.folder().write("gateway.yaml", config.to_string());
    let mut dev = Command::new(binary());
    dev.arg("dev").arg(project.path()).arg("--config").arg(&config);
    let mut child = dev.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("dev to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let sent = || {
        upstream.forget();
        let status = Client::connect(port).ask("GET", "/a/b", &[], b"").unwrap().status();
        (status, upstream.requests().pop().map(|request| request.message))
    };
    let (status, message) = sent();
    assert_eq!((status, message.unwrap().field("x-intercepted")), (200, Some("request")));
    // Half of a module is refused, and the one before it stays.
    built(&project, &guest("headers")[..1000]);
    assert_eq!(sent().0, 200);
    built(&project, &guest("headers"));
    until("the new build to be served", || sent().1.and_then(|message| message.field("x-greeting").map(str::to_owned)));
    let _ = child.kill();
    let _ = child.wait();
}
