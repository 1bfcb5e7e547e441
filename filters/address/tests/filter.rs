//! The `address` filter from outside.

use filter_address::{Address, KIND};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Address>(&KIND);
}

#[test]
fn the_log_names_the_address_and_the_network_that_decides() {
    let filter = Harness::<Address>::yaml("{ allow: [10.0.0.0/8], deny: [192.0.2.0/24, 10.0.0.7] }");
    let cause = |client: &str| {
        let run = filter.request("GET", "/").client(client.parse().expect("it is an address")).run().assert_denied(403, "address.denied");
        run.answer().cause().expect("a refusal has one").to_string()
    };
    assert!(cause("::ffff:10.0.0.7").contains("10.0.0.7") && cause("10.0.0.7").contains("/deny/1"), "{}", cause("10.0.0.7"));
    assert!(cause("198.51.100.1").contains("/allow"), "{}", cause("198.51.100.1"));
}

#[test]
fn a_network_of_one_family_says_nothing_of_the_other() {
    let passes = |settings: &str, client: &str| {
        let filter = Harness::<Address>::yaml(settings);
        let run = filter.request("GET", "/").client(client.parse().expect("it is an address")).run();
        matches!(run.outcome(), Ok(None))
    };
    for (settings, four, six) in [
        ("{ allow: ['::/0'] }", false, true),
        ("{ allow: [0.0.0.0/0] }", true, false),
        ("{ deny: ['::/0'] }", true, false),
        ("{ deny: [0.0.0.0/0] }", false, true),
        ("{ deny: ['::/0', 0.0.0.0/0] }", false, false),
    ] {
        for (client, expected) in [("192.0.2.1", four), ("::ffff:192.0.2.1", four), ("2001:db8::1", six), ("::1", six)] {
            assert_eq!(passes(settings, client), expected, "{settings} {client}");
        }
    }
}

#[test]
fn what_is_no_network_does_not_start() {
    for (settings, pointer) in [
        ("{ allow: [10.0.0.0/8, a.example] }", "/allow/1"),
        ("{ deny: [10.0.0.1/8] }", "/deny/0"),
        ("{ deny: ['', 10.0.0.0/8] }", "/deny/0"),
        ("{ allow: [10.0.0.0/40] }", "/allow/0"),
    ] {
        let problem = Harness::<Address>::problem(settings);
        assert_eq!(problem.pointer, pointer, "{settings}");
        assert!(!problem.hint.is_empty(), "{settings}");
    }
    assert!(Harness::<Address>::setup().is_idle("{}"));
}
