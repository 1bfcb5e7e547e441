//! Whom the configuration, or variables in its place, say to ask.

use std::{net::SocketAddr, path::PathBuf};

use tollgate_etcd::Keys;
use tollgate_filter_api::{Problem, Problems, Secret};

use super::etcd;
use crate::{
    config::{Config, DiscoveryStore, Variables},
    stores::inputs::blame,
};

/// Settings that a problem's code may name.
const FIELDS: &[&str] = &["endpoints", "username", "password", "relist", "heartbeat", "ca", "client_certificate"];

/// Whoever is looked up.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    pub(super) etcd: Option<DiscoveryStore>,
    pub(super) servers: Vec<SocketAddr>,
    pub(super) file: Option<PathBuf>,
}

/// Whoever is looked up, by the configuration or else by variables; all that can be judged before a connection is made is.
///
/// # Errors
/// What is wrong, where the configuration says it.
pub fn lookup(config: &Config, variables: &Variables) -> Result<Lookup, Problems> {
    let mut problems = Problems::default();
    let written = config.gateway.stores.discovery.clone();
    let named = written.clone().filter(DiscoveryStore::names_etcd);
    let servers = written.as_ref().map_or(Ok(Vec::new()), DiscoveryStore::name_servers).unwrap_or_else(|place| {
        let problem = Problem::error("discovery.name_servers", "expected an address, with or without a port");
        problems.push(
            problem.at(config.file(), 0, format!("/stores/discovery/name_servers/{place}")).hint("write 192.0.2.53 or 192.0.2.53:5353"),
        );
        Vec::new()
    });
    let file = written.and_then(|written| written.file);
    let store = named.clone().or_else(|| by_variables(variables)).map(|store| DiscoveryStore { file: file.clone(), ..store });
    match &store {
        // Whether there are keys to read is not known yet.
        Some(store) => match tollgate_etcd::check(&etcd::settings(store, vec![Keys::One("/".to_owned())])) {
            Err(problem) if named.is_none() => problems.push(Problem { message: format!("etcdurl: {}", problem.message), ..problem }),
            Err(problem) => problems.push(blame(problem, config, "/stores/discovery", FIELDS)),
            Ok(()) => {}
        },
        None => {
            for pointer in config.gateway.endpoints.iter().flat_map(|(name, entry)| entry.etcd_places(name)) {
                let problem = Problem::error("discovery.store", "expected `stores.discovery` beside `etcd`, found none");
                problems
                    .push(problem.at(config.file(), 0, pointer).hint("write `stores: { discovery: { endpoints: [http://HOST:2379] } }`"));
            }
        }
    }
    config.locate(&mut problems);
    if problems.has_errors() { Err(problems) } else { Ok(Lookup { etcd: store, servers, file }) }
}

/// The etcd that variables of the reference product name.
fn by_variables(variables: &Variables) -> Option<DiscoveryStore> {
    let urls = variables.get("etcdurl").filter(|urls| !urls.is_empty())?;
    let mut store = DiscoveryStore::at(urls.split(',').map(|url| url.trim().to_owned()).collect());
    store.username = variables.get("etcdusername").filter(|name| !name.is_empty());
    store.password = variables.get("etcdpassword").filter(|password| !password.is_empty()).map(Secret::new);
    Some(store)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn look(stores: &str, set: &[(&str, &str)]) -> Result<Lookup, Problems> {
        let yaml = format!("listeners: [{{ address: '127.0.0.1:1' }}]\nstores: {stores}\n");
        let config = Config::parse("gateway.yaml", yaml.as_bytes(), Path::new("/etc/tollgate"), &[]).unwrap();
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        lookup(&config, &Variables::new(set))
    }

    fn urls(lookup: &Lookup) -> Vec<&str> {
        lookup.etcd.iter().flat_map(|store| store.endpoints.iter().map(String::as_str)).collect()
    }

    #[test]
    fn variables_stand_for_an_etcd_where_the_configuration_names_none() {
        let set = [("etcdurl", "http://a:1, http://b"), ("etcdusername", "gw"), ("etcdpassword", "x")];
        let by_variables = look("{}", &set).unwrap();
        assert_eq!(urls(&by_variables), ["http://a:1", "http://b"]);
        assert!(by_variables.etcd.is_some_and(|store| store.username.as_deref() == Some("gw") && store.password.is_some()));
        let beside_a_file = look("{ discovery: { file: known.json, name_servers: [192.0.2.1, '[::1]:5353'] } }", &set).unwrap();
        assert_eq!(urls(&beside_a_file), ["http://a:1", "http://b"]);
        assert_eq!(beside_a_file.file.as_deref(), Some(Path::new("/etc/tollgate/known.json")));
        assert_eq!(beside_a_file.servers, ["192.0.2.1:53".parse().unwrap(), "[::1]:5353".parse().unwrap()]);
        let written = look("{ discovery: { endpoints: ['http://c'] } }", &set).unwrap();
        assert!(urls(&written) == ["http://c"] && written.etcd.is_some_and(|store| store.username.is_none()));
        assert!(look("{}", &[("etcdurl", "")]).unwrap().etcd.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let wrong = |stores: &str, set: &[(&str, &str)]| look(stores, set).unwrap_err().to_string();
        assert!(wrong("{ discovery: { endpoints: [etcd] } }", &[]).contains("/stores/discovery/endpoints"));
        assert!(wrong("{ discovery: { username: gw } }", &[]).contains("/stores/discovery/endpoints"));
        assert!(wrong("{ discovery: { name_servers: [192.0.2.1, ns.example] } }", &[]).contains("/stores/discovery/name_servers/1"));
        let said = wrong("{}", &[("etcdurl", "http://u:hunter2@a/v3")]);
        assert!(said.contains("etcdurl: ") && !said.contains("hunter2"), "{said}");
        assert!(wrong("{}", &[("etcdurl", "http://a"), ("etcdpassword", "hunter2")]).contains("etcdurl: expected a username"));
    }
}
