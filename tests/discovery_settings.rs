//! Discovery, as it is set: by `gateway.yaml`, by the reference product's names, and by its own definition.

use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{
    Folder, Gateway, Project, Settings,
    certificates::Authority,
    dns::{A, DnsServer, Said},
    parts::{Etcd, PASSWORD, USER},
    project::{artifact, everything, open_api, operation},
    shared_cases, until,
};

use crate::discovery::{PREFIX, at, gateway, key, named, pets, reaches, who};
use crate::discovery_faults::Load;

/// Puts another `gateway.yaml` in place of the running one.
fn reload_with(gateway: &Gateway, change: impl Fn(&mut Value)) {
    let config = gateway.folder.join("gateway.yaml");
    let mut next: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    change(&mut next);
    std::fs::write(&config, next.to_string()).unwrap();
    let answer = gateway.reload();
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[test]
fn keys_of_etcd_without_an_etcd_are_refused_where_they_are_written() {
    let (folder, upstream) = (Folder::new(), named("default"));
    let artifact = artifact(&folder, &open_api("/a", &upstream.url(), everything()));
    let refused = |endpoints: Value, expected: &str| {
        let config = json!({ "listeners": [{ "address": "127.0.0.1:1" }], "endpoints": endpoints });
        let config = folder.write("gateway.yaml", serde_json::to_string_pretty(&config).unwrap());
        let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "-t".as_ref(), "-c".as_ref(), config.as_os_str()]);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    };
    let etcd = json!({ "discovery": { "production": { "etcd": PREFIX } } });
    refused(json!({ "a": etcd }), "/endpoints/a/discovery/production/etcd");
    refused(json!({ "*": etcd }), "/endpoints/*/discovery");
    refused(json!({ "a:1": { "discovery": { "sandbox": { "dns": { "name": "a" } } } } }), "/endpoints/a:1/discovery/sandbox");
    refused(
        json!({ "a:1": { "discovery": { "production": { "etcd": PREFIX, "dns": { "name": "a" } } } } }),
        "/endpoints/a:1/discovery/production",
    );
    refused(json!({ "a": { "discovery": { "production": {} } } }), "/endpoints/a/discovery/production");
}

#[test]
fn the_reference_products_names_count_from_the_environment_and_as_arguments_in_both_spellings() {
    let etcd = Etcd::start();
    let [default, one, two] = ["default", "one", "two"].map(named);
    let definition = pets(&format!("etcd(pets,{})", default.url()));
    let url = format!("http://127.0.0.1:{}", etcd.port);
    etcd.put("pets", &one.url());
    etcd.put("others", &two.url());
    let told = |arguments: &[&str], variables: &[(&str, &str)]| Gateway::told(&definition, Settings::default(), arguments, variables);

    reaches(&told(&[], &[]), "default");
    reaches(&told(&[], &[("etcdurl", &url)]), "one");
    reaches(&told(&["--set", &format!("etcdurl={url}")], &[("pets_prod_0_etcdKey", "others")]), "two");
    reaches(&told(&[&format!("--etcdurl={url}"), "--pets_prod_0_etcdKey=pets"], &[("pets_prod_0_etcdKey", "others")]), "one");
    reaches(&told(&[&format!("--pets_prod_endpoint_0={}", two.url())], &[]), "two");
}

#[test]
fn what_is_set_and_changes_nothing_keeps_the_gateway_from_starting() {
    let (folder, upstream) = (Folder::new(), named("default"));
    let artifact = artifact(&folder, &pets(&upstream.url()));
    let config = json!({ "listeners": [{ "address": "127.0.0.1:1" }], "stores": at(1) });
    let config = folder.write("gateway.yaml", config.to_string());
    let refused = |argument: &str, expected: &str| {
        let fixed = ["run".as_ref(), artifact.as_os_str(), "-t".as_ref(), "-c".as_ref(), config.as_os_str(), argument.as_ref()];
        let ran = tollgate_tests::tollgate(fixed);
        assert_eq!(ran.code, 1, "{argument}");
        assert!(ran.stderr.contains("nothing is changed by") && ran.stderr.contains(expected), "{argument}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    };
    refused("--set=pet_prod_endpoint_0=http://hunter2", "did you mean `pets_prod_endpoint_0`?");
    refused("--pets_prod_endpoint_1=http://hunter2", "did you mean `pets_prod_endpoint_0`?");
    // The URL of the definition has no key.
    refused("--pets_prod_0_etcdKey=hunter2", "pets_prod_endpoint_0");
    // `stores.discovery` is there.
    refused("--etcdpassword=hunter2", "known here are");
}

#[test]
fn discovery_begins_changes_and_ends_with_a_reload() {
    let (etcd, other) = (Etcd::start(), Etcd::start());
    let [default, before, one, two, three] = ["default", "before", "one", "two", "three"].map(named);
    etcd.put(&key("1"), &one.url());
    etcd.put("/services/dogs", &two.url());
    other.put("/services/dogs", &three.url());
    let start = json!({ "endpoints": { "pets": { "production": [before.url()] } } });
    let gateway = Gateway::serving(&pets(&default.url()), Settings::of(start));
    assert_eq!(who(&mut gateway.connect()), "before");
    let load = Load::start(gateway.ports.plain);
    let from = |etcd: &str| json!({ "pets": { "discovery": { "production": { "etcd": etcd } } } });
    reload_with(&gateway, |config| {
        config["stores"] = at(etcd.port);
        config["endpoints"] = from(PREFIX);
    });
    reaches(&gateway, "one");
    reload_with(&gateway, |config| config["endpoints"] = from("/services/dogs"));
    reaches(&gateway, "two");
    reload_with(&gateway, |config| config["stores"] = at(other.port));
    reaches(&gateway, "three");
    let asked = load.end();
    let failed: Vec<_> = asked.iter().filter_map(|(_, who)| who.as_ref().err()).collect();
    assert!(failed.is_empty() && asked.len() > 10, "{} of {}: {failed:?}", failed.len(), asked.len());
    assert_eq!(default.count(), 0, "what is looked up was known before it came into force");
    reload_with(&gateway, |config| drop(config.as_object_mut().unwrap().remove("endpoints")));
    assert_eq!(who(&mut gateway.connect()), "default");
    gateway.metric_reaches("tollgate_discovery_connected", 0.0);
}

#[test]
fn etcd_over_tls_with_a_certificate_and_a_user_says_where_endpoints_are() {
    let (authority, folder) = (Authority::new("etcd"), Folder::new());
    let client = authority.issue("root", 3, &[]);
    let mut etcd = Etcd::secure(&authority, &authority.issue("n1", 2, &["127.0.0.1", "localhost"]), &client);
    etcd.demand_users(USER, PASSWORD, PREFIX);
    let [default, found, next] = ["default", "found", "next"].map(named);
    etcd.ctl(&["put", &key("1"), &found.url()]);
    let (certificate, private) = client.write(&folder, "client");
    let password = folder.write("password", PASSWORD);
    let settings = json!({ "discovery": {
        "endpoints": [etcd.url()], "ca": authority.write(&folder, "ca.pem"),
        "client_certificate": { "certificate": certificate, "key": private },
        "username": USER, "password": format!("${{file:{}}}", password.display()),
    } });
    let mut definition = pets(&default.url());
    definition["x-wso2-endpoints"].as_array_mut().unwrap().push(json!({ "dogs": { "urls": [default.url()] } }));
    let mut dogs = operation();
    dogs["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/dogs".into();
    definition["paths"]["/dogs"] = json!({ "get": dogs });
    let production = |etcd: &str| json!({ "discovery": { "production": { "etcd": etcd } } });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "stores": settings, "endpoints": { "pets": production(PREFIX) } })));
    reaches(&gateway, "found");
    // What the user may not read is said, and nothing else is lost by it.
    reload_with(&gateway, |config| config["endpoints"]["dogs"] = production("/secrets/"));
    gateway.metric_reaches("tollgate_discovery_refused", 1.0);
    let said = gateway.stderr();
    assert!(said.contains("`/secrets/`") && said.contains("permission denied") && !said.contains(PASSWORD), "{said}");
    etcd.ctl(&["put", &key("1"), &next.url()]);
    reaches(&gateway, "next");
    assert_eq!(gateway.get("/a/dogs").text(), "default");
}

#[test]
fn the_reference_products_own_definition_is_served_as_it_served_it() {
    let Some(folder) = shared_cases("12-wso2") else { return };
    let text = std::fs::read(folder.join("tests/openAPIs/serviceDiscovery/etcd_test.yaml")).unwrap();
    let waived = "jwt,basic_auth,throttle";
    let artifact = Project::new().definition("etcd_test.yaml", text);
    let artifact = artifact.build(&["--waive-to-open", waived]);
    let (mut etcd, [default, found]) = (Etcd::start(), ["default", "found"].map(named));
    let url = format!("http://127.0.0.1:{}", etcd.port);
    let config = json!({ "errors": "wso2", "waive_to_open": waived.split(',').collect::<Vec<_>>() });
    let start = |arguments: &[&str]| {
        let own = format!("--PizzaShackAPI:1.0.0_prod_endpoint_0={}", default.url());
        let all = [&[own.as_str()], arguments].concat();
        Gateway::told_artifact(&artifact, Settings::of(config.clone()), &all, &[])
    };
    let who = |gateway: &Gateway| gateway.get("/pizzashack/1.0.0/noauth").text();
    let reaches = |gateway: &Gateway, name: &str| until(name, || (who(gateway) == name).then_some(()));

    let without = start(&[]);
    assert_eq!(who(&without), "default");
    assert!(without.stderr().contains("their own URLs serve"), "{}", without.stderr());

    let gateway = start(&[&format!("--etcdurl={url}")]);
    assert_eq!(who(&gateway), "default", "the key is missing");
    etcd.put("pizzashackprod", &found.url());
    reaches(&gateway, "found");
    etcd.put("pizzashackprod", "not a URL");
    gateway.metric_reaches("tollgate_discovery_bad_values_total", 1.0);
    assert_eq!(who(&gateway), "found", "the reference product answers 500 here");
    etcd.delete("pizzashackprod");
    reaches(&gateway, "default");
    etcd.kill();
    assert_eq!(who(&gateway), "default");
    assert_eq!(who(&start(&[&format!("--etcdurl={url}")])), "default", "an etcd that is away does not keep it from starting");
    etcd.restart();
    etcd.demand_users(USER, PASSWORD, "pizza");
    etcd.ctl(&["put", "pizzashackprod", &found.url()]);
    let wrong = start(&[&format!("--etcdurl={url}"), &format!("--etcdusername={USER}"), "--etcdpassword=wrong"]);
    assert_eq!(who(&wrong), "default", "nor does a wrong password");
    let right = start(&[&format!("--etcdurl={url}"), &format!("--etcdusername={USER}"), &format!("--etcdpassword={PASSWORD}")]);
    reaches(&right, "found");
}

/// The blocks of a language in a page.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn what_the_guide_shows_works_as_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/discovery.md")).unwrap();
    let (etcd, folder) = (Etcd::start(), Folder::new());
    let [default, one, two] = ["default", "one", "two"].map(named);
    let server = DnsServer::start(|name, kind| match (name, kind) {
        ("pets.internal", A) => Said::Addresses(vec![std::net::Ipv4Addr::LOCALHOST], 60),
        _ => Said::Empty,
    });
    // The machines of the guide stand here.
    let here = |text: &str| {
        let etcd = format!("http://127.0.0.1:{}", etcd.port);
        let text = text.replace("http://pets-1.internal:8080", &one.url()).replace("http://pets-2.internal:8080", &two.url());
        let text = (1..=3).fold(text, |text, number| text.replace(&format!("http://etcd-{number}.internal:2379"), &etcd));
        let file = folder.join("endpoints.json").display().to_string();
        text.replace("/var/lib/tollgate/endpoints.json", &file).replace("port: 8080", &format!("port: {}", two.port))
    };
    let parse = |text: &str| Document::parse("discovery.md", here(text).as_bytes(), &Limits::default()).unwrap().value();
    let [by_etcd, by_dns] = <[&str; 2]>::try_from(blocks(&page, "yaml")).unwrap().map(parse);

    let gateway = gateway(&default.url(), &by_etcd["stores"], &by_etcd["endpoints"]["pets"]["discovery"]["production"]);
    let commands = here(blocks(&page, "sh")[0]);
    for command in commands.lines() {
        let (key, value) = command.strip_prefix("etcdctl put ").unwrap().split_once(' ').unwrap();
        etcd.put(key, value.trim_matches('\''));
    }
    let mut client = gateway.connect();
    until("both endpoints", || {
        let seen: std::collections::BTreeSet<_> = (0..8).map(|_| who(&mut client)).collect();
        (seen.len() == 2 && seen.contains("one") && seen.contains("two")).then_some(())
    });
    reload_with(&gateway, |config| {
        config["stores"] = json!({ "discovery": { "name_servers": [format!("127.0.0.1:{}", server.port)] } });
        config["endpoints"]["pets"] = by_dns["endpoints"]["pets"].clone();
    });
    until("the name to be looked up", || (server.asked("pets.internal", A) > 0).then_some(()));
    until("its address alone", || (0..8).all(|_| who(&mut client) == "two").then_some(()));

    let metrics = gateway.admin("/metrics").text();
    let series = page.lines().filter_map(|line| line.strip_prefix("| `tollgate_discovery_")?.split('`').next());
    let told: Vec<_> = series.filter(|name| *name != "dns_failures_total").collect();
    assert_eq!(told.len(), 8);
    told.iter().for_each(|name| assert!(metrics.contains(&format!("\ntollgate_discovery_{name} ")), "{name}: {metrics}"));
}
