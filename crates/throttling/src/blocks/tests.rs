use std::{borrow::Cow, net::IpAddr};

use tollgate_testkit::Folder;

use super::*;

struct Request(&'static str, &'static str);

impl Caller for Request {
    fn api(&self) -> &[u8] {
        b"/pets"
    }

    fn users(&self) -> impl Iterator<Item = &[u8]> {
        Some(self.0.as_bytes()).into_iter()
    }

    fn applications(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        None.into_iter()
    }

    fn address(&self) -> IpAddr {
        self.1.parse().unwrap()
    }
}

fn user(name: &str) -> Block {
    Block { user: Some(name.into()), ..Block::default() }
}

fn block(blocks: &[Block]) -> Change {
    Change { block: blocks.to_vec(), ..Change::default() }
}

fn unblock(blocks: &[Block]) -> Change {
    Change { unblock: blocks.to_vec(), ..Change::default() }
}

const MALLORY: Request = Request("mallory", "192.0.2.1");

#[test]
fn a_block_holds_at_once_and_in_the_next_process_until_it_is_taken_away() {
    let folder = Folder::new();
    let path = folder.join("blocks.json");
    let kept = Kept::open(&path).unwrap();
    let network = Block { client: vec!["198.51.100.0/24".into()], ..Block::default() };
    assert_eq!(kept.find(&MALLORY), None);
    let done = kept.change(&block(&[user("mallory"), network.clone(), user("mallory")])).unwrap();
    assert_eq!(done, Blocked { changed: 2, blocks: 2 });
    assert_eq!((kept.find(&MALLORY), kept.find(&Request("alice", "198.51.100.7"))), (Some(0), Some(1)));
    assert_eq!(kept.change(&block(&[user("mallory")])).unwrap().changed, 0, "it is there");

    let next = Kept::open(&path).unwrap();
    assert_eq!(next.all(), [user("mallory"), network]);
    assert_eq!(next.find(&MALLORY), Some(0));
    assert_eq!(next.change(&unblock(&[user("mallory"), user("nobody")])).unwrap(), Blocked { changed: 1, blocks: 1 });
    assert_eq!(next.find(&MALLORY), None);
    assert_eq!((kept.follow().unwrap(), kept.follow().unwrap()), (true, false), "the first process reads along");
    assert_eq!(kept.find(&MALLORY), None);
}

#[test]
fn a_file_that_cannot_be_read_or_is_gone_unblocks_nobody() {
    let folder = Folder::new();
    let path = folder.join("blocks.json");
    let kept = Kept::open(&path).unwrap();
    kept.change(&block(&[user("mallory")])).unwrap();
    for bad in [&b"[{\"user\": 1}]"[..], b"[{}]", b"[{\"client\": [\"10.0.0.0/33\"]}]", b"{}", b"", &[b'['; 5 << 20]] {
        fs::write(&path, bad).unwrap();
        assert!(kept.follow().is_err(), "{}", String::from_utf8_lossy(&bad[..bad.len().min(40)]));
        assert!(kept.change(&block(&[user("eve")])).is_err(), "what somebody wrote is not overwritten");
        assert_eq!(kept.find(&MALLORY), Some(0));
    }
    fs::remove_file(&path).unwrap();
    assert!(kept.follow().is_err());
    assert_eq!(kept.find(&MALLORY), Some(0));
}

#[test]
fn what_cannot_be_kept_or_understood_changes_nothing() {
    assert!(matches!(Kept::nowhere().change(&block(&[user("mallory")])), Err(ChangeError::NoFile)));
    let folder = Folder::new();
    let kept = Kept::open(&folder.join("blocks.json")).unwrap();
    let two = kept.change(&block(&[user("mallory"), Block::default()])).unwrap_err();
    assert!(two.to_string().contains("`/1`"), "{two}");
    let many: Vec<Block> = (0..=MAX_BLOCKS).map(|number| user(&number.to_string())).collect();
    assert!(matches!(kept.change(&block(&many)), Err(ChangeError::Full)));
    assert_eq!((kept.all(), kept.find(&MALLORY)), (Vec::new(), None));
}

#[test]
fn a_block_that_the_file_has_twice_hides_no_change() {
    let folder = Folder::new();
    let path = folder.join("blocks.json");
    fs::write(&path, r#"[{"user": "eve"}, {"user": "eve"}]"#).unwrap();
    let kept = Kept::open(&path).unwrap();
    assert_eq!(kept.change(&block(&[user("eve")])).unwrap().changed, 0);
    assert_eq!(kept.change(&block(&[user("mallory")])).unwrap(), Blocked { changed: 1, blocks: 2 });
    assert_eq!(kept.find(&MALLORY), Some(1));
}

#[test]
fn what_is_kept_can_be_read_by_the_next_process() {
    let folder = Folder::new();
    let path = folder.join("blocks.json");
    let kept = Kept::open(&path).unwrap();
    kept.change(&block(&[user("mallory")])).unwrap();
    // Short as it is sent, and half as long again as it is written.
    let addresses = (0..300_000_u32).map(|number| std::net::Ipv4Addr::from(number << 8).to_string()).collect();
    let long = Block { client: addresses, ..Block::default() };
    assert!(matches!(kept.change(&block(&[long])), Err(ChangeError::Long)));
    assert_eq!(Kept::open(&path).unwrap().all(), [user("mallory")]);
    assert_eq!(kept.all(), [user("mallory")]);
}

#[test]
fn a_block_that_covers_no_request_is_refused() {
    let list = |api: &str| List::new(&[Block { api: Some(api.into()), ..Block::default() }], "");
    assert!(list("/").is_ok() && list("/pets/").is_ok());
    assert_eq!(list("pets").unwrap_err().pointer, "/0/api");
}
