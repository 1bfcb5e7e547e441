//! Settings that cannot be enforced do not start.

use super::*;

#[test]
fn what_cannot_protect_does_not_start() {
    let keys = Keys::new();
    std::fs::write(keys.0.join("short"), "0123456789abcdef0123456789abcde").unwrap();
    let wrong = [
        ("{}".to_owned(), "/keys"),
        (format!("{{ keys: ['{}'] }}", keys.key("short")), "/keys"),
        (format!("{{ keys: ['{}', '{}'] }}", keys.key("a"), keys.key("short")), "/keys"),
        (format!("{{ fixed_session: '{}', issue: true }}", keys.key("a")), "/keys"),
        ("{ keys: [a-literal-key-that-is-long-enough-for-it] }".to_owned(), "/keys/0"),
        (format!("{{ keys: ['{}'], name: session }}", keys.key("a")), "/name"),
        (format!("{{ keys: ['{}'], name: __Host- }}", keys.key("a")), "/name"),
        (format!("{{ keys: ['{}'], name: '__Host-a b' }}", keys.key("a")), "/name"),
        (format!("{{ keys: ['{}'], csrf_cookie: csrf }}", keys.key("a")), "/csrf_cookie"),
        (format!("{{ keys: ['{}'], csrf_cookie: __Host-session }}", keys.key("a")), "/csrf_cookie"),
        (format!("{{ keys: ['{}'], csrf_header: Authorization }}", keys.key("a")), "/csrf_header"),
        (format!("{{ keys: ['{}'], csrf_header: 'a b' }}", keys.key("a")), "/csrf_header"),
        (format!("{{ keys: ['{}'], csrf_header: X-Token, header: x-token }}", keys.key("a")), "/csrf_header"),
        (format!("{{ keys: ['{}'], csrf_header: AUTHORIZATION, header: x-token }}", keys.key("a")), "/csrf_header"),
        (format!("{{ keys: ['{}'], header: '' }}", keys.key("a")), "/header"),
        (format!("{{ keys: ['{}'], max_age: 0s }}", keys.key("a")), "/max_age"),
        (format!("{{ keys: ['{}'], origins: ['https://a.example/'] }}", keys.key("a")), "/origins"),
        (format!("{{ keys: ['{}'], origins: ['*'] }}", keys.key("a")), "/origins"),
        (format!("{{ keys: ['{}'], issue: true, clear: true }}", keys.key("a")), "/clear"),
    ];
    for (settings, pointer) in wrong {
        assert_eq!(Harness::<Cookie>::problem(&settings).pointer, pointer, "{settings}");
    }
}
