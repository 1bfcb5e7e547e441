//! Three books of the same requests: the client's, the upstream's, the gateway's.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Upstream;

/// Demands that the upstream received exactly what the gateway logged as forwarded: same methods, same paths, same number.
///
/// # Panics
/// When the books differ.
pub fn compare(log: &[Value], upstream: &Upstream) {
    let mut forwarded: BTreeMap<(String, String), i64> = BTreeMap::new();
    for line in log.iter().filter(|line| line["attempts"].as_u64() > Some(0)) {
        let text = |key: &str| line[key].as_str().unwrap().to_owned();
        *forwarded.entry((text("method"), text("path"))).or_default() += line["attempts"].as_i64().unwrap();
    }
    for received in upstream.requests() {
        let path = received.message.target().split('?').next().unwrap().to_owned();
        *forwarded.entry((received.message.method().to_owned(), path)).or_default() -= 1;
    }
    forwarded.retain(|_, count| *count != 0);
    assert!(forwarded.is_empty(), "the gateway's log and the upstream disagree (log minus upstream): {forwarded:?}");
    assert!(upstream.broken().is_empty(), "the upstream got what is no request: {:?}", upstream.broken());
}
