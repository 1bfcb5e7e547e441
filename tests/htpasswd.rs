//! Users of a file in the form of Apache's `htpasswd`.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    project::{artifact, open_api, operation},
    tollgate, until,
};

/// OpenBSD's hashes of `U*U` and of nothing.
const OF_U: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const OF_NOTHING: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy";

fn definition(endpoint: &str) -> Value {
    let mut definition = open_api("/", endpoint, json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    definition["components"] = json!({ "securitySchemes": { "Users": { "type": "http", "scheme": "basic" } } });
    definition["security"] = json!([{ "Users": [] }]);
    definition
}

#[test]
fn a_user_of_the_file_is_let_in_until_another_version_says_otherwise() {
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let file = folder.write("users", format!("alice:{OF_U}\n"));
    let built = artifact(&folder, &definition(&upstream.url()));
    let settings = Settings::of(json!({ "chain": [{ "basic_auth": { "htpasswd": { "file": file } } }] }));
    let gateway = Gateway::start(&built, settings);
    let status = |credential: &str| {
        let field = format!("Authorization: Basic {}", STANDARD.encode(credential));
        gateway.send("GET", "/x", &[&field], b"").status()
    };
    assert_eq!([status("alice:U*U"), status("alice:"), status("bob:U*U")], [200, 401, 401]);
    folder.write("users", format!("alice:{OF_NOTHING}\nbob:{OF_U}\n"));
    until("the new version of the file", || (status("bob:U*U") == 200).then_some(()));
    assert_eq!([status("alice:U*U"), status("alice:")], [401, 200], "what was remembered is forgotten");
}

#[test]
fn a_hash_that_is_not_accepted_keeps_the_gateway_from_starting_and_the_line_is_named() {
    let folder = Folder::new();
    let file = folder.write("users", format!("alice:{OF_U}\nbob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n"));
    let built = artifact(&folder, &definition("http://127.0.0.1:1"));
    let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": [{ "basic_auth": { "htpasswd": { "file": file } } }] });
    let config = folder.write("gateway.yaml", config.to_string());
    let ran = tollgate(["run".as_ref(), built.as_os_str(), "--config".as_ref(), config.as_os_str()]);
    assert!(ran.code != 0 && ran.stderr.contains("line 2") && ran.stderr.contains("htpasswd -B"), "{ran:?}");
    assert!(!ran.stderr.contains("HqJZ"), "{ran:?}");
}
