//! The published test material, when it lies beside the repository.

use std::path::{Path, PathBuf};

use tollgate_compiler::{Options, Outcome, Project, compile};
use tollgate_filter_api::Severity;
use tollgate_plan::{Operation, Strategy};

fn cases() -> Option<PathBuf> {
    tollgate_testkit::shared_case("")
}

/// Files below a folder whose path has `part` as a folder.
fn files(folder: &Path, part: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("the folder can be listed").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let known = path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
            let inside = part.is_none_or(|part| path.components().any(|c| c.as_os_str() == part));
            if known && inside {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

fn check(file: &str) -> Outcome {
    compile(&Project::loose(file), &Options::default())
}

#[test]
fn valid_documents_load_and_invalid_ones_are_refused_with_a_place() {
    let Some(cases) = cases() else { return };
    let mut wrong = Vec::new();
    for folder in ["02-openapi/mermade", "02-openapi/oai-tests"] {
        for file in files(&cases.join(folder), Some("pass")) {
            let outcome = check(&file);
            if outcome.problems.has_errors() {
                wrong.push(format!("{file} must load\n{}", outcome.problems));
            }
        }
        for file in files(&cases.join(folder), Some("fail")) {
            let outcome = check(&file);
            let placed = outcome.problems.0.iter().any(|p| p.severity == Severity::Error && p.line > 0 && p.file == file);
            if !placed {
                wrong.push(format!("{file} must be refused\n{}", outcome.problems));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn published_descriptions_check_clean_and_build() {
    let Some(cases) = cases() else { return };
    let catalogue = Options {
        enforceable: Some(vec!["jwt", "cors"]),
        waive: ["throttle", "wasm", "response_cache"].map(String::from).into(),
        waive_to_open: ["basic_auth", "api_key"].map(String::from).into(),
        endpoint: Some("https://backend.example".to_owned()),
        ..Options::default()
    };
    let mut operations = 0;
    for folder in ["02-openapi/real", "02-openapi/oai", "08-openbanking", "12-wso2/samples", "12-wso2/tests/openAPIs"] {
        for file in files(&cases.join(folder), None) {
            if file.contains("/manifests/") {
                continue;
            }
            let checked = check(&file);
            assert!(!checked.problems.has_errors(), "{}", checked.problems);
            let built = compile(&Project::loose(&file), &catalogue);
            let plan = built.plan.unwrap_or_else(|| panic!("{}", built.problems));
            operations += plan.apis.iter().map(|api| api.operations.len()).sum::<usize>();
        }
    }
    assert!(operations > 1000, "{operations} operations");
}

#[test]
fn what_the_reference_samples_ask_for_is_in_the_plan() {
    let Some(cases) = cases() else { return };
    let plan = |file: &str| {
        let file = cases.join("12-wso2").join(file).display().to_string();
        let outcome = check(&file);
        outcome.plan.unwrap_or_else(|| panic!("{}", outcome.problems))
    };
    let failover = plan("tests/openAPIs/endpoints/fail_over.yaml");
    assert!(failover.endpoints.iter().any(|g| g.strategy == Strategy::Failover && g.urls.len() > 1));
    let balanced = plan("tests/openAPIs/endpoints/load_balance.yaml");
    assert!(balanced.endpoints.iter().any(|g| g.strategy == Strategy::LoadBalance && g.urls.len() > 1));
    let etcd = plan("tests/openAPIs/serviceDiscovery/etcd_test.yaml");
    let keys: Vec<_> = etcd.endpoints.iter().flat_map(|g| &g.urls).filter_map(|u| u.etcd_key.as_deref()).collect();
    assert!(keys.contains(&"pizzashackprod") && keys.contains(&"pizzashacksand"), "{keys:?}");
    let opened = plan("tests/openAPIs/security/disable_security.yaml");
    let open = |template: &str| {
        let found = opened.apis[0].operations.iter().find(|o| o.template == template && o.method == "GET");
        found.expect("it is there").security.alternatives.is_empty()
    };
    assert!(open("/pet/findByStatus") && !open("/pet/{petId}"));
    let reference = plan("samples/endpoint_by_reference_sample.yaml");
    assert!(reference.endpoints.iter().any(|g| g.name.starts_with("myEndpoint")), "{:?}", reference.endpoints);
    let cors = plan("samples/cors_sample.yaml");
    let asks = |o: &Operation| o.demands.iter().any(|d| d.filter == "cors");
    assert!(cors.apis[0].operations.iter().all(asks));
}

#[test]
fn the_services_of_the_reference_tests_build_without_a_waiver() {
    let Some(cases) = cases() else { return };
    let folder = tollgate_testkit::Folder::new();
    let text = std::fs::read(cases.join("12-wso2/tests/protobuf/mgwProto/basicProto.proto")).expect("the file is there");
    folder.write("project/grpc_definitions/mgwProto/basicProto.proto", text);
    let policies =
        "resourcePolicies:\n- 15PerMin: {count: 15, unitTime: 1, timeUnit: min}\n- 3PerMin: {count: 3, unitTime: 1, timeUnit: min}\n";
    folder.write("project/policies.yaml", policies);
    let project = Project::open(&folder.join("project")).expect("it is a project");
    let outcome = compile(&project, &Options { enforceable: Some(vec!["jwt", "basic_auth", "throttle"]), ..Options::default() });
    let plan = outcome.plan.unwrap_or_else(|| panic!("{}", outcome.problems));
    let paths: Vec<String> =
        plan.apis.iter().flat_map(|api| api.operations.iter().map(|o| format!("{} {}{}", o.method, api.base_path, o.template))).collect();
    let expected = [
        "POST /JwtAuthTestService/testCall",
        "POST /JwtAuthTestService/testCallWithScopes",
        "POST /TestService/testCall",
        "POST /ThrottlingTestService/testCallMethodThrottling",
        "POST /ThrottlingTestService/testCallServiceThrottling",
    ];
    assert_eq!(paths, expected);
    assert!(plan.endpoints.iter().all(|group| group.http2 && group.urls[0].url == "http://localhost:50075"), "{:?}", plan.endpoints);
    let security = &plan.apis[0].operations[1].security.alternatives;
    let asked: Vec<(&str, &[String])> = security.iter().flat_map(|a| &a.credentials).map(|c| (&*c.filter, &*c.scopes)).collect();
    assert_eq!(asked, [("jwt", &["scope_1".to_owned()][..]), ("basic_auth", &["scope_1".to_owned()][..])]);
    assert!(plan.apis[1].operations[0].security.alternatives.is_empty());
}
