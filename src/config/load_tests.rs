use std::path::Path;

use tollgate_filter_api::Problems;
use tollgate_filters::FILTERS;

use super::Config;

const LISTENERS: &str = "listeners:\n  - address: 127.0.0.1:9090\n";

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse("gateway.yaml", text.as_bytes(), Path::new("/etc/tollgate"), FILTERS)
}

/// Code, line and pointer of each problem of a configuration that must not load.
fn wrong(text: &str) -> Vec<(&'static str, u32, String)> {
    let problems = parse(text).expect_err("it must not load");
    assert!(problems.0.iter().all(|problem| problem.file == "gateway.yaml"), "{problems}");
    problems.0.into_iter().map(|problem| (problem.code, problem.line, problem.pointer)).collect()
}

fn at(code: &'static str, line: u32, pointer: &str) -> Vec<(&'static str, u32, String)> {
    vec![(code, line, pointer.to_owned())]
}

#[test]
fn a_listener_is_all_that_must_be_said() {
    let config = parse(LISTENERS).unwrap();
    assert_eq!(config.gateway.limits, crate::config::Limits::default());
    assert_eq!(config.chain.filters().count(), FILTERS.iter().filter(|kind| kind.by_default).count());
}

#[test]
fn a_gateway_without_a_listener_is_refused() {
    assert_eq!(wrong("errors: wso2\nlisteners: []\n"), at("config.listeners", 2, "/listeners"));
}

#[test]
fn the_admin_port_stays_on_loopback_unless_it_is_called_public() {
    let text = format!("{LISTENERS}admin:\n  address: 0.0.0.0:9901\n");
    assert_eq!(wrong(&text), at("config.admin", 4, "/admin/address"));
    assert!(parse(&format!("{text}  public: true\n")).is_ok());
}

#[test]
fn h2c_and_tls_exclude_each_other() {
    let text = "listeners:\n  - address: 127.0.0.1:1\n  - address: 127.0.0.1:9090\n    h2c: true\n    tls: { certificate: a, key: b }\n";
    assert_eq!(wrong(text), at("config.listener", 3, "/listeners/1"));
}

#[test]
fn an_address_is_used_once() {
    let text = format!("{LISTENERS}  - address: 127.0.0.1:9090\n");
    assert_eq!(wrong(&text), at("config.listener", 3, "/listeners/1/address"));
    let text = format!("{LISTENERS}admin: {{ address: '127.0.0.1:9090' }}\n");
    assert_eq!(wrong(&text), at("config.listener", 2, "/listeners/0/address"));
}

#[test]
fn every_proxy_that_is_no_network_is_named() {
    let text = format!("{LISTENERS}trusted_proxies:\n  - 10.0.0.0/8\n  - 10.0.0.0/33\n  - proxy.example\n");
    let both = [at("config.trusted_proxies", 5, "/trusted_proxies/1"), at("config.trusted_proxies", 6, "/trusted_proxies/2")].concat();
    assert_eq!(wrong(&text), both);
}

#[test]
fn what_cannot_pass_and_what_is_no_pseudonym_are_named() {
    let text =
        format!("{LISTENERS}forwarding:\n  pass:\n    - x-forwarded-prefix\n    - x-forwarded-for\n    - x-api-key\n  pseudonym: a b\n");
    let wrongs = [
        ("config.pass", 6, "/forwarding/pass/1"),
        ("config.pass", 7, "/forwarding/pass/2"),
        ("config.pseudonym", 8, "/forwarding/pseudonym"),
    ];
    assert_eq!(wrong(&text), wrongs.map(|(code, line, pointer)| at(code, line, pointer)).concat());
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let text = format!("{LISTENERS}limits:\n  connections: 0\n  body_pace: 0B\n  header_time: 0s\n");
    let both = [at("config.limits", 4, "/limits/connections"), at("config.limits", 6, "/limits/header_time")].concat();
    assert_eq!(wrong(&text), both);
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    assert_eq!(wrong(&format!("{LISTENERS}limits:\n  conections: 9\n")), at("decode.unknown_key", 4, "/limits/conections"));
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let problems = Config::load(Path::new("/nonexistent/gateway.yaml"), FILTERS).expect_err("there is no such file");
    assert_eq!(problems.0.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["config.unreadable"]);
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let text = "listeners:\n  - address: 127.0.0.1:9090\n    tls:\n      certificate: certs/a.pem\n      key: /keys/a.pem\n      \
                client_auth: { mode: required, ca: ca.pem }\nupstream: { ca: up.pem }\naccess_log: { to: log/access }\n\
                artifact: { trusted_keys: [ sign.pem ] }\nendpoints: { '*': { ca: up2.pem } }\n\
                trust: { ca: out.pem }\nprocess: { upgrade_socket: up.sock }\nstores: { revocations: { journal: revoked } }\n";
    let gateway = parse(text).unwrap().gateway;
    let tls = gateway.listeners[0].tls.as_ref().unwrap();
    assert_eq!(tls.certificate, Path::new("/etc/tollgate/certs/a.pem"));
    assert_eq!(tls.key, Path::new("/keys/a.pem"));
    assert_eq!(tls.client_auth.as_ref().unwrap().ca, Path::new("/etc/tollgate/ca.pem"));
    assert_eq!(gateway.upstream.ca.unwrap(), Path::new("/etc/tollgate/up.pem"));
    assert_eq!(gateway.access_log.to, "/etc/tollgate/log/access");
    assert_eq!(gateway.artifact.trusted_keys, [Path::new("/etc/tollgate/sign.pem")]);
    assert_eq!(gateway.endpoints["*"].ca.as_ref().unwrap(), Path::new("/etc/tollgate/up2.pem"));
    assert_eq!(gateway.trust.ca.unwrap(), Path::new("/etc/tollgate/out.pem"));
    assert_eq!(gateway.process.upgrade_socket.unwrap(), Path::new("/etc/tollgate/up.sock"));
    assert_eq!(gateway.stores.revocations.journal.unwrap(), Path::new("/etc/tollgate/revoked"));
}

#[test]
fn a_problem_that_knows_only_its_pointer_gets_its_line() {
    use tollgate_filter_api::Problem;
    let config = parse(&format!("{LISTENERS}upstream:\n  ca: missing.pem\n")).unwrap();
    let mut problems = Problems(vec![
        Problem::error("upstream.ca", "x").at("gateway.yaml", 0, "/upstream/ca"),
        Problem::error("upstream.url", "x").at("pets.yaml", 0, "/upstream/ca"),
    ]);
    config.locate(&mut problems);
    assert_eq!(problems.0.iter().map(|problem| problem.line).collect::<Vec<_>>(), [4, 0]);
}

#[test]
fn times_that_are_over_at_once_and_threads_that_nobody_has_are_refused() {
    for name in ["connect_timeout", "read_timeout", "write_timeout", "response_header_timeout", "dns_refresh"] {
        let text = format!("{LISTENERS}upstream:\n  {name}: 0s\n");
        assert_eq!(wrong(&text), at("config.limits", 4, &format!("/upstream/{name}")));
    }
    for name in ["read_timeout", "response_header_timeout"] {
        let text = format!("{LISTENERS}endpoints:\n  a/b:\n    {name}: 0s\n");
        assert_eq!(wrong(&text), at("config.limits", 5, &format!("/endpoints/a~1b/{name}")));
    }
    assert!(parse(&format!("{LISTENERS}upstream: {{ idle_timeout: 0s, request_timeout: 0s }}\n")).is_ok());
    assert_eq!(wrong(&format!("{LISTENERS}process: {{ threads: 100000 }}\n")), at("config.threads", 3, "/process/threads"));
}

#[test]
fn a_list_is_not_taken_for_settings_in_order() {
    assert_eq!(wrong(&format!("{LISTENERS}limits: [1, 2]\n")), at("decode.value", 3, "/limits"));
}
