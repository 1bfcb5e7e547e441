use super::*;

const NOW: Said = Said { published: None, heard: 10 };

fn find(blocks: &Blocks, client: &str) -> Option<BlockKind> {
    let place = Place::new("Pets", "/pets/v1", "1", "/a", "GET");
    let caller =
        Caller { user: "alice".into(), owner: "bob".into(), application_name: "App".into(), ..Caller::anonymous(client.parse().unwrap()) };
    blocks.find(&place, &caller)
}

fn addresses(first: &str, last: &str, invert: bool) -> BlockedAddresses {
    BlockedAddresses { tenant: "carbon.super".into(), addresses: Addresses::new(first, last, invert).unwrap() }
}

#[test]
fn a_name_is_blocked_as_what_it_is_and_as_nothing_else() {
    for (kind, name) in [(BlockKind::Api, "/pets/v1"), (BlockKind::Application, "bob:App"), (BlockKind::User, "alice")] {
        let blocks = Blocks::default();
        for other in [BlockKind::Api, BlockKind::Application, BlockKind::User] {
            blocks.told(other, "something else", true, NOW).unwrap();
            if other != kind {
                blocks.told(other, name, true, NOW).unwrap();
            }
        }
        assert_eq!(find(&blocks, "192.0.2.7"), None, "{name}");
        blocks.told(kind, name, true, NOW).unwrap();
        assert_eq!(find(&blocks, "192.0.2.7"), Some(kind));
        blocks.told(kind, name, false, NOW).unwrap();
        assert_eq!(find(&blocks, "192.0.2.7"), None);
    }
}

#[test]
fn addresses_are_blocked_alone_in_ranges_and_all_but_some() {
    for (block, inside, outside) in [
        (addresses("192.0.2.7", "192.0.2.7", false), "192.0.2.7", "192.0.2.8"),
        (addresses("192.0.2.7", "192.0.2.7", false), "::ffff:192.0.2.7", "::1"),
        (addresses("192.0.2.0", "192.0.2.255", false), "192.0.2.255", "192.0.3.0"),
        (addresses("192.0.2.0", "192.0.2.255", true), "192.0.3.0", "192.0.2.0"),
        (addresses("2001:db8::", "2001:db8::ffff", false), "2001:db8::7", "2001:db8::1:0"),
        (addresses("192.0.2.7", "192.0.2.7", true), "192.0.2.8", "192.0.2.7"),
    ] {
        let blocks = Blocks::default();
        blocks.told_addresses(7, Some(block.clone()), NOW).unwrap();
        assert_eq!([find(&blocks, inside), find(&blocks, outside)], [Some(BlockKind::Address), None], "{block:?}");
        blocks.told_addresses(8, None, NOW).unwrap();
        assert_eq!(find(&blocks, inside), Some(BlockKind::Address), "another number is another block");
        blocks.told_addresses(7, None, NOW).unwrap();
        assert_eq!(find(&blocks, inside), None);
        blocks.told_addresses(7, Some(BlockedAddresses { tenant: "x.org".into(), ..block }), NOW).unwrap();
        assert_eq!(find(&blocks, inside), None, "of another tenant");
    }
}

#[test]
fn a_list_takes_the_place_of_what_was_known_when_it_was_asked_for() {
    let blocks = Blocks::default();
    let said = |heard| Said { published: None, heard };
    blocks.told(BlockKind::User, "alice", true, said(5)).unwrap();
    blocks.told(BlockKind::Api, "/pets/v1", false, said(20)).unwrap();
    blocks.told_addresses(7, Some(addresses("192.0.2.7", "192.0.2.7", false)), said(5)).unwrap();
    blocks.told_addresses(8, None, said(20)).unwrap();
    let names = [(BlockKind::Api, "/pets/v1".to_owned()), (BlockKind::Application, "bob:App".to_owned())];
    let list = vec![(8, addresses("192.0.2.8", "192.0.2.8", false)), (9, addresses("192.0.2.9", "192.0.2.9", false))];
    assert_eq!(blocks.listed(&names, list, 10), 0);
    assert_eq!(find(&blocks, "192.0.2.7"), Some(BlockKind::Application), "alice is no longer blocked, and the API was let go since");
    blocks.told(BlockKind::Application, "bob:App", false, said(20)).unwrap();
    assert_eq!(["192.0.2.7", "192.0.2.8", "192.0.2.9"].map(|client| find(&blocks, client)), [None, None, Some(BlockKind::Address)]);
}

#[test]
fn an_older_message_does_not_overrule_a_newer_one() {
    let blocks = Blocks::default();
    let said = |published| Said { published: Some(published), heard: 10 };
    blocks.told(BlockKind::User, "alice", false, said(7)).unwrap();
    blocks.told(BlockKind::User, "alice", true, said(6)).unwrap();
    blocks.told_addresses(1, None, said(7)).unwrap();
    blocks.told_addresses(1, Some(addresses("192.0.2.7", "192.0.2.7", false)), said(6)).unwrap();
    assert_eq!(find(&blocks, "192.0.2.7"), None);
    blocks.told(BlockKind::User, "alice", true, said(8)).unwrap();
    assert_eq!(find(&blocks, "192.0.2.7"), Some(BlockKind::User));
}

#[test]
fn there_is_room_for_so_many_ranges_and_a_block_without_room_changes_nothing() {
    let blocks = Blocks::default();
    let range = |at: u32| addresses("192.0.2.0", &at.to_string(), false);
    let last = u32::from(std::net::Ipv4Addr::new(192, 0, 2, 255));
    let list = (0..MOST_RANGES as i64 + 7).map(|id| (id, range(last))).collect();
    assert_eq!((blocks.listed(&[], list, 10), blocks.len()), (7, MOST_RANGES));
    assert!(blocks.told_addresses(-1, Some(range(last)), NOW).is_err());
    assert_eq!(blocks.len(), MOST_RANGES);
    blocks.told_addresses(0, Some(range(last + 1)), NOW).unwrap();
    assert_eq!(find(&blocks, "192.0.3.0"), Some(BlockKind::Address));
    blocks.told_addresses(-1, Some(addresses("192.0.9.9", "192.0.9.9", false)), NOW).unwrap();
    assert_eq!(find(&blocks, "192.0.9.9"), Some(BlockKind::Address));
}

#[test]
fn what_a_list_no_longer_has_makes_room_for_what_it_has_now() {
    let blocks = Blocks::default();
    let names = |of: &str| -> Vec<_> { (0..MOST_ENTRIES).map(|number| (BlockKind::User, format!("{of} {number}"))).collect() };
    assert_eq!((blocks.listed(&names("old"), Vec::new(), 10), blocks.len()), (0, MOST_ENTRIES));
    assert!(blocks.told(BlockKind::User, "alice", true, NOW).is_err());
    assert_eq!((blocks.listed(&names("new"), Vec::new(), 20), blocks.len()), (0, MOST_ENTRIES));
}

#[test]
fn what_was_let_go_is_forgotten() {
    let blocks = Blocks::default();
    blocks.told(BlockKind::User, "alice", false, NOW).unwrap();
    blocks.told(BlockKind::User, "bob", true, NOW).unwrap();
    blocks.told_addresses(7, None, NOW).unwrap();
    (0..TURNS).for_each(|_| blocks.tick(NOW.heard + crate::bounds::REMEMBERED));
    assert_eq!(blocks.len(), 1);
}
