//! What was counted over a day and longer is known to the next process.

use serde_json::json;
use tollgate_tests::{
    Folder, Gateway, Project, Settings, Upstream,
    project::{everything, open_api},
    tollgate, until,
};

#[test]
fn quotas_of_a_day_and_more_outlive_the_process_that_counted_them_be_it_stopped_or_killed() {
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let definition = open_api("/a", &upstream.url(), everything());
    let file = folder.join("counters");
    let config = json!({
        "stores": { "counters": { "file": file } },
        "chain": [{ "throttle": { "policies": { "four": { "requests": 4, "per": "365d" } }, "limits": [{ "policy": "four", "key": ["api"] }] } }],
    });
    let start = || Gateway::serving(&definition, Settings::of(config.clone()));
    let status = |gateway: &Gateway| gateway.get("/a/x").status();

    let mut gateway = start();
    assert_eq!(status(&gateway), 200);
    gateway.signal("TERM");
    assert_eq!(gateway.wait(), 0);

    let gateway = start();
    assert_eq!(status(&gateway), 200);
    let written = |gateway: &Gateway| gateway.admin("/metrics").text().contains("tollgate_throttle_keys 1").then_some(());
    until("the first look at the counters", || written(&gateway));
    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    until("the counters on the disk", || (std::fs::metadata(&file).unwrap().modified().unwrap() > before).then_some(()));
    drop(gateway);

    let gateway = start();
    assert_eq!([status(&gateway), status(&gateway), status(&gateway)], [200, 200, 429]);
}

#[test]
fn what_cannot_be_kept_or_enforced_does_not_start_and_what_is_forgotten_is_said() {
    let folder = Folder::new();
    let project = Project::new().definition("a.json", open_api("/a", "http://127.0.0.1:1", everything()).to_string());
    let artifact = project.build(&[]);
    let run = |mut config: serde_json::Value| {
        config["listeners"] = json!([{ "address": "127.0.0.1:0" }]);
        let config = folder.write("gateway.yaml", config.to_string());
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    };
    let long =
        json!([{ "throttle": { "policies": { "long": { "requests": 4, "per": "1d" }, "short": { "requests": 4, "per": "23h" } } } }]);
    let shared = json!([{ "throttle": { "policies": { "few": { "requests": 4, "per": "1h", "shared": "share", "stop": false } } } }]);
    let foreign = folder.write("foreign", "hello, this is not what a gateway has written");
    for (stores, place, way_out) in [
        (json!({ "counters": { "file": foreign } }), "/stores/counters/file", "name another file"),
        (json!({ "counters": { "max_keys": 0 } }), "/stores/counters/max_keys", "10 million"),
        (json!({ "blocks": foreign }), "/stores/blocks", "expected"),
    ] {
        let refused = run(json!({ "stores": stores, "chain": long }));
        assert!(refused.code == 1 && refused.stderr.contains(place) && refused.stderr.contains(way_out), "{}", refused.stderr);
    }
    let refused = run(json!({ "stores": { "blocks": folder.join("blocks.json") }, "chain": [] }));
    assert!(refused.code == 1 && refused.stderr.contains("no filter of the chain enforces blocks"), "{}", refused.stderr);

    for (cluster, place) in [(true, "/stores/redis/cluster"), (false, "/stores/redis")] {
        let redis = json!({ "urls": ["redis://127.0.0.1:1"], "cluster": cluster, "sentinel": { "master": "main" } });
        let refused = run(json!({ "stores": { "redis": redis }, "chain": long }));
        assert!(refused.code == 1 && refused.stderr.contains(place) && refused.stderr.contains("leave"), "{}", refused.stderr);
    }
    assert_eq!(run(json!({ "stores": { "redis": { "urls": ["redis://127.0.0.1:1"] } }, "chain": shared })).code, 0);

    let warned = run(json!({ "chain": long }));
    assert!(
        warned.stderr.contains("the policy `long` counts for a day or more") && !warned.stderr.contains("`short`"),
        "{}",
        warned.stderr
    );
    let kept = run(json!({ "stores": { "counters": { "file": folder.join("counters") } }, "chain": long }));
    assert!(kept.code == 0 && !kept.stderr.contains("forgets"), "{}", kept.stderr);

    let policies =
        "resourcePolicies:\n  - Daily: { count: 5, unitTime: 1, timeUnit: day }\n  - Brief: { count: 5, unitTime: 30, timeUnit: sec }\n";
    let built = tollgate(["build".as_ref(), project.file("policies.yaml", policies).folder().join("project").as_os_str()]);
    assert!(built.stderr.contains("policies.yaml:2") && built.stderr.contains("`stores.counters.file`"), "{}", built.stderr);
    assert!(!built.stderr.contains("Brief"), "{}", built.stderr);
}
