//! One connection, one policy: what server name, host and a resumed session cannot change.

use serde_json::json;

use super::world::world;

#[test]
fn t09_a_host_that_is_not_the_name_of_the_handshake_is_misdirected() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let mut client = world.connect(Some(&shop), None);
    assert_eq!(client.ask("GET", "/a/x", &["Host: other.example"], b"").unwrap().status(), 421);
    assert_eq!(world.ask_h2(Some(&shop), "other.example")["status"], 421);
    assert_eq!(world.upstream.count(), 0);
}
