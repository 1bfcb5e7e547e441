//! Endpoints that DNS names: what a name server says is in force when the time to live of the old is over, and whatever it does not say loses
//! no request.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    dns::{A, AAAA, DnsServer, SRV, Said},
    project::{everything, open_api},
    until,
};

const NAME: &str = "pets.example";

fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| Reply::new(200, name))
}

/// A gateway whose only group is looked up at that server.
fn gateway(server: &DnsServer, default: &Upstream, dns: Value, more: Value) -> Gateway {
    let mut discovery = json!({ "dns": dns });
    discovery.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = json!({
        "stores": { "discovery": { "name_servers": [format!("127.0.0.1:{}", server.port)] } },
        "endpoints": { "a:1": { "discovery": { "production": discovery } } },
    });
    Gateway::serving(&open_api("/a", &default.url(), everything()), Settings::of(config))
}

fn who(gateway: &Gateway) -> String {
    let answer = gateway.get("/a/x");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.text()
}

fn reaches(gateway: &Gateway, name: &str) {
    until(&format!("an answer of `{name}`"), || (who(gateway) == name).then_some(()));
}

/// This address, and no other kind.
fn at(address: [u8; 4], ttl: u32) -> impl Fn(&str, u16) -> Said + Send + Sync {
    move |name, kind| if name == NAME && kind == A { Said::Addresses(vec![Ipv4Addr::from(address)], ttl) } else { Said::Empty }
}

fn failures(gateway: &Gateway) -> f64 {
    gateway.metric(&format!("tollgate_discovery_dns_failures_total{{name=\"{NAME}\"}}")).unwrap_or_default()
}

#[test]
fn a_names_addresses_are_endpoints_for_their_time_to_live_and_the_next_answer_moves_requests() {
    // The whole of 127.0.0.0/8 is this machine, but the upstream listens at one address of it.
    let (default, found) = (named("default"), named("found"));
    let server = DnsServer::start(at([127, 0, 0, 1], 1));
    let dns = json!({ "name": NAME, "port": found.port });
    let gateway = gateway(&server, &default, dns, json!({}));
    reaches(&gateway, "found");
    assert!(server.asked(NAME, AAAA) > 0);
    let before = server.asked(NAME, A);
    until("the next look-up", || (server.asked(NAME, A) > before).then_some(()));

    server.says(at([127, 0, 0, 2], 1));
    let answers = || gateway.get("/a/x").status();
    until("the new address, where nobody listens", || (answers() == 502).then_some(()));
    server.says(|name, kind| match (name, kind) {
        (NAME, A) => Said::Addresses(vec![Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST], 60),
        _ => Said::Empty,
    });
    until("both addresses", || (answers() == 200).then_some(()));
    (0..4).for_each(|_| assert_eq!(who(&gateway), "found", "what cannot be connected to is left out"));
}

#[test]
fn services_say_port_priority_and_host() {
    let [default, one, two, spare] = ["default", "one", "two", "spare"].map(named);
    let ports = [one.port, two.port, spare.port];
    let all = move |name: &str, kind| match (name, kind) {
        ("_http._tcp.pets.example", SRV) => {
            let service = |priority, port| (priority, 5, port, "localhost");
            Said::Services(vec![service(10, ports[0]), service(10, ports[1]), service(20, ports[2])], 1)
        }
        _ => Said::Empty,
    };
    let server = DnsServer::start(all);
    let gateway = gateway(&server, &default, json!({ "name": "_http._tcp.pets.example", "type": "srv" }), json!({}));
    until("the services", || (who(&gateway) != "default").then_some(()));
    let seen: std::collections::BTreeSet<_> = (0..12).map(|_| who(&gateway)).collect();
    assert!(seen.contains("one") && seen.contains("two") && !seen.contains("default"), "{seen:?}");

    // The root as target: there is no such service. What was there last serves on.
    server.says(|_, kind| if kind == SRV { Said::Services(vec![(0, 0, 0, ".")], 1) } else { Said::Empty });
    gateway.metric_reaches("tollgate_discovery_held", 1.0);
    assert!(["one", "two"].contains(&who(&gateway).as_str()));
}

#[test]
fn whatever_a_name_server_does_instead_of_an_answer_the_last_good_one_stays_and_it_is_not_asked_all_the_time() {
    let (default, found) = (named("default"), named("found"));
    let server = DnsServer::start(at([127, 0, 0, 1], 1));
    let gateway = gateway(&server, &default, json!({ "name": NAME, "port": found.port }), json!({}));
    reaches(&gateway, "found");
    for bad in [Said::Fails, Said::Garbage, Said::Silence] {
        let (before, said) = (failures(&gateway), bad.clone());
        server.says(move |_, _| said.clone());
        until(&format!("a failure by {bad:?}"), || (failures(&gateway) > before).then_some(()));
        assert_eq!(who(&gateway), "found", "{bad:?}");
        if matches!(bad, Said::Fails) {
            let begun = Instant::now();
            until("two more failures", || (failures(&gateway) >= before + 3.0).then_some(()));
            // Half a second at least after the first, and a second after the next.
            assert!(begun.elapsed() >= Duration::from_millis(1400), "{:?}", begun.elapsed());
        }
        server.says(at([127, 0, 0, 1], 1));
        let (asked, failed) = (server.asked(NAME, A), failures(&gateway));
        until("good answers", || (server.asked(NAME, A) >= asked + 2).then_some(()));
        assert!(failures(&gateway) <= failed + 1.0, "at most the one that was under way");
    }
    for none in [Said::NoName, Said::Empty] {
        let said = none.clone();
        server.says(move |_, _| said.clone());
        gateway.metric_reaches("tollgate_discovery_held", 1.0);
        assert_eq!(who(&gateway), "found", "{none:?}");
        let (asked, begun) = (server.asked(NAME, A), Instant::now());
        until("more look-ups", || (server.asked(NAME, A) >= asked + 2).then_some(()));
        assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
        server.says(at([127, 0, 0, 1], 1));
        until("it to be known again", || (gateway.metric("tollgate_discovery_held") == Some(0.0)).then_some(()));
    }
}

#[test]
fn a_name_that_is_unknown_from_the_start_leaves_the_default_and_one_that_may_be_empty_is_so_when_it_becomes_unknown() {
    let (default, found) = (named("default"), named("found"));
    let server = DnsServer::start(|_, _| Said::NoName);
    let dns = json!({ "name": NAME, "port": found.port });
    let gateway = gateway(&server, &default, dns, json!({ "allow_empty": true }));
    assert_eq!(who(&gateway), "default");
    server.says(at([127, 0, 0, 1], 1));
    reaches(&gateway, "found");
    server.says(|_, _| Said::NoName);
    until("the group to be empty", || (gateway.get("/a/x").status() == 502).then_some(()));
}

#[test]
fn a_start_without_dns_begins_with_the_last_good_endpoints_of_the_file() {
    let (default, found, folder) = (named("default"), named("found"), Folder::new());
    let file = folder.join("endpoints.json");
    let server = DnsServer::start(at([127, 0, 0, 1], 1));
    let config = json!({
        "stores": { "discovery": { "name_servers": [format!("127.0.0.1:{}", server.port)], "file": file } },
        "endpoints": { "a:1": { "discovery": { "production": { "dns": { "name": NAME, "port": found.port } } } } },
    });
    let start = || Gateway::serving(&open_api("/a", &default.url(), everything()), Settings::of(config.clone()));
    let first = start();
    reaches(&first, "found");
    until("the file", || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(NAME)).then_some(()));
    drop(first);
    server.says(|_, _| Said::Fails);
    assert_eq!(who(&start()), "found");
}
