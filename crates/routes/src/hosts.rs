//! Which routes each host has.

use std::collections::BTreeMap;

use crate::Route;

/// The routes of some hosts, as indexes; no hosts stand for every host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub hosts: Vec<String>,
    pub routes: Vec<usize>,
}

/// Groups of hosts that have the same routes, in the order of the first host.
pub(crate) fn groups(routes: &[Route]) -> Vec<Group> {
    let mut of_host: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut of_all = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        for host in &route.hosts {
            let known = of_host.entry(host).or_default();
            if known.last() != Some(&index) {
                known.push(index);
            }
        }
        if route.hosts.is_empty() {
            of_all.push(index);
        }
    }
    let mut alike: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for (host, routes) in of_host {
        alike.entry(routes).or_default().push(host.to_owned());
    }
    let mut groups: Vec<Group> = alike.into_iter().map(|(routes, hosts)| Group { hosts, routes }).collect();
    groups.sort_by(|a, b| a.hosts.cmp(&b.hosts));
    if !of_all.is_empty() {
        groups.push(Group { hosts: Vec::new(), routes: of_all });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(hosts: &[&str]) -> Route {
        Route { hosts: hosts.iter().map(|host| (*host).to_owned()).collect(), ..Route::default() }
    }

    #[test]
    fn hosts_with_the_same_routes_are_one_group_and_each_host_is_in_one() {
        let found = groups(&[route(&["b", "a"]), route(&["c", "a"]), route(&[]), route(&["d", "d"]), route(&["e", "d"])]);
        let group = |hosts: &[&str], routes: &[usize]| Group {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            routes: routes.to_vec(),
        };
        let expected = [
            group(&["a"], &[0, 1]),
            group(&["b"], &[0]),
            group(&["c"], &[1]),
            group(&["d"], &[3, 4]),
            group(&["e"], &[4]),
            group(&[], &[2]),
        ];
        assert_eq!(found, expected);
        assert_eq!(groups(&[route(&["a", "b"])]), [group(&["a", "b"], &[0])]);
        assert!(groups(&[]).is_empty());
    }
}
