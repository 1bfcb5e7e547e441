//! Projects on disk.

use std::fs;
use std::path::Path;

use tollgate_compiler::{Options, Project, compile};
use tollgate_testkit::Folder;

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (path, text) in files {
        folder.write(Path::new("project").join(path), text);
    }
    folder
}

const A: &str =
    "openapi: 3.1.0\ninfo: {title: A, version: '1'}\nservers: [{url: 'https://a.example/a'}]\npaths: {/p: {$ref: '../other/x.yaml#/p'}}\n";
const B: &str = "{\"openapi\": \"3.1.0\", \"info\": {\"title\": \"B\", \"version\": \"1\"}, \"paths\": {}, \"x-wso2-basePath\": \"/b\"}";

#[test]
fn both_folders_of_definitions_are_read_and_their_references_followed() {
    let files = [("api_definitions/a.yaml", A), ("gen/api_definitions/sub/b.json", B), ("other/x.yaml", "p: {get: {}}\n")];
    let folder = folder(&files);
    let project = Project::open(&folder.join("project")).expect("it is a project");
    assert_eq!(project.name, "project");
    let outcome = compile(&project, &Options::default());
    let plan = outcome.plan.unwrap_or_else(|| panic!("{}", outcome.problems));
    let documents: Vec<&str> = plan.documents.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(documents, ["api_definitions/a.yaml", "gen/api_definitions/sub/b.json", "other/x.yaml"]);
    assert_eq!(outcome.texts.len(), 3);
    assert_eq!(plan.apis.iter().map(|a| a.base_path.as_str()).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(plan.documents[2].sha256.len(), 64);
}

#[test]
fn a_link_does_not_lead_out_of_the_project() {
    let folder = folder(&[("api_definitions/a.yaml", A), ("other/keep", "")]);
    let secret = folder.join("secret.yaml");
    fs::write(&secret, "p: {get: {}}\n").expect("the file can be written");
    std::os::unix::fs::symlink(&secret, folder.join("project/other/x.yaml")).expect("the link can be made");
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options::default());
    assert!(outcome.problems.0.iter().any(|p| p.code == "ref.unknown_file"), "{}", outcome.problems);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = folder(&[("api_definitions/a.yaml", A), ("other/keep", "")]);
    let pipe = folder.join("project/other/x.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options::default());
    assert!(outcome.problems.0.iter().any(|p| p.message.contains("not a regular file")), "{}", outcome.problems);
}

#[test]
fn a_folder_without_definitions_is_no_project() {
    let folder = folder(&[("policies.yaml", "")]);
    let problem = Project::open(&folder.join("project")).err().expect("there is nothing to build");
    assert_eq!(problem.code, "project.empty");
    let missing = Project::open(&folder.join("nowhere")).err().expect("there is no folder");
    assert_eq!(missing.code, "project.unreadable");
}

#[test]
fn policies_that_are_there_and_cannot_be_read_are_not_taken_for_absent() {
    let text = A.replace("{$ref: '../other/x.yaml#/p'}", "{get: {}}");
    let folder = folder(&[("api_definitions/a.yaml", text.as_str()), ("policies.yaml/keep", "")]);
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options::default());
    let found = outcome.problems.0.iter().any(|p| p.code == "file.unreadable" && p.file == "policies.yaml");
    assert!(found, "{}", outcome.problems);
}

#[test]
fn without_policies_no_tier_is_known() {
    let text = A.replace("paths:", "x-wso2-throttling-tier: Gold\npaths:").replace("{$ref: '../other/x.yaml#/p'}", "{get: {}}");
    let folder = folder(&[("api_definitions/a.yaml", text.as_str())]);
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options::default());
    assert!(outcome.problems.0.iter().any(|p| p.code == "policy.unknown"), "{}", outcome.problems);
}

#[test]
fn a_definition_that_leads_nowhere_is_named() {
    let folder = folder(&[("api_definitions/b.json", B)]);
    std::os::unix::fs::symlink("gone.yaml", folder.join("project/api_definitions/a.yaml")).expect("the link can be made");
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options::default());
    let problem = &outcome.problems.0[0];
    assert_eq!((problem.code, problem.file.as_str()), ("file.unreadable", "api_definitions/a.yaml"), "{}", outcome.problems);
    assert!(problem.message.contains("no such file"), "{problem}");
}

#[test]
fn services_are_read_from_below_their_folder_and_a_link_does_not_lead_out_of_the_project() {
    let order = "syntax = \"proto3\";\npackage a;\nmessage Order {}\n";
    let service =
        |import: &str| format!("syntax = \"proto3\";\npackage a;\nimport \"{import}\";\nservice S {{ rpc Get(Order) returns (Order); }}\n");
    let (good, bad) = (service("deep/order.proto"), service("out.proto"));
    let files =
        [("grpc_definitions/a/deep/order.proto", order), ("grpc_definitions/a/s.proto", &good), ("grpc_definitions/b/s.proto", &bad)];
    let folder = folder(&files);
    let project = Project::open(&folder.join("project")).expect("services alone are a project");
    assert_eq!(project.definitions.len(), 3);
    let secret = folder.join("order.proto");
    fs::write(&secret, order).expect("the file can be written");
    std::os::unix::fs::symlink(&secret, folder.join("project/grpc_definitions/b/out.proto")).expect("the link can be made");
    let outcome = compile(&project, &Options::default());
    let errors: Vec<String> =
        outcome.problems.0.iter().map(|problem| format!("{}:{} {}", problem.file, problem.line, problem.code)).collect();
    assert!(errors.contains(&"grpc_definitions/b/s.proto:3 grpc.import".to_owned()), "{errors:?}");
    assert!(
        errors.iter().all(|error| !error.starts_with("grpc_definitions/a/") || error.ends_with("grpc.open") || error.ends_with("missing"))
    );
}

#[test]
fn a_proto_file_by_itself_imports_its_neighbours() {
    let service = "syntax = \"proto3\";\nimport \"wso2_options.proto\";\nimport \"deep/order.proto\";\nservice S {\n  option (wso2.security) = JWT;\n  option (wso2.production_endpoints) = { url: \"http://a:1\" };\n  rpc Get(Order) returns (Order);\n}\n";
    let folder = folder(&[("deep/order.proto", "syntax = \"proto3\";\nmessage Order {}\n"), ("s.proto", service)]);
    let outcome = compile(&Project::loose(&folder.join("project/s.proto").display().to_string()), &Options::default());
    assert!(outcome.problems.0.is_empty(), "{}", outcome.problems);
    let plan = outcome.plan.expect("nothing is wrong");
    assert_eq!((plan.documents.len(), plan.apis[0].base_path.as_str()), (1, "/S"));
}
