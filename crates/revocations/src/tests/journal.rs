use tollgate_testkit::Folder;

use super::*;
use crate::entry::{Input, Kind, NEVER};

const NOW: u32 = 1_800_000_000;

fn entry(journal: &Journal, name: &str, expires: u32) -> Entry {
    Entry::new(journal.seed().digest(Kind::TokenId, name), Kind::TokenId as u8, Input::Admin, expires, 0)
}

fn opened(folder: &Folder) -> (Journal, Vec<Entry>) {
    let mut journal = Journal::open(&folder.join("journal")).unwrap();
    let entries = journal.follow(NOW).unwrap().unwrap();
    (journal, entries)
}

#[test]
fn what_was_written_is_there_after_a_restart_and_numbers_go_on() {
    let folder = Folder::new();
    let (mut journal, none) = opened(&folder);
    assert_eq!((none.len(), journal.state(), journal.sequence()), (0, JournalState::Writing, 0));
    let timed = Entry::new(journal.seed().digest(Kind::Subject, "b"), Kind::Subject as u8, Input::Admin, NOW + 9, NOW - 7);
    let written = [entry(&journal, "a", NEVER), timed];
    assert_eq!(journal.append(&written, NOW, || ()).unwrap(), 2);
    drop(journal);
    let (mut journal, entries) = opened(&folder);
    assert_eq!(entries, written);
    let third = entry(&journal, "c", NEVER);
    assert_eq!(journal.append(&[third], NOW, || ()).unwrap(), 3);
}

#[test]
fn a_torn_end_is_cut_off_wherever_the_crash_was() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let written = [entry(&journal, "a", NEVER), entry(&journal, "b", NEVER)];
    journal.append(&written, NOW, || ()).unwrap();
    drop(journal);
    let whole = fs::read(folder.join("journal")).unwrap();
    for length in 2 * RECORD + 1..3 * RECORD {
        fs::write(folder.join("journal"), &whole[..length]).unwrap();
        let (mut journal, entries) = opened(&folder);
        assert_eq!(entries, written[..1], "{length}");
        assert_eq!(journal.append(&written[1..], NOW, || ()).unwrap(), 2, "{length}");
        drop(journal);
        assert_eq!(opened(&folder).1, written, "{length}");
    }
}

#[test]
fn nothing_of_a_torn_end_stays_behind_what_is_written_next() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    journal.append(&[entry(&journal, "a", NEVER)], NOW, || ()).unwrap();
    drop(journal);
    let torn = [fs::read(folder.join("journal")).unwrap(), vec![7; 3 * RECORD + 5]].concat();
    fs::write(folder.join("journal"), torn).unwrap();
    let (mut journal, _) = opened(&folder);
    journal.append(&[entry(&journal, "b", NEVER)], NOW, || ()).unwrap();
    assert_eq!(fs::metadata(folder.join("journal")).unwrap().len(), 3 * RECORD as u64);
}

#[test]
fn what_was_said_twice_is_after_a_restart_what_it_was_before() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let of = |journal: &Journal, kind: Kind, expires| Entry::new(journal.seed().digest(kind, "a"), kind as u8, Input::Admin, expires, 0);
    let said = [of(&journal, Kind::TokenId, NOW + 9), of(&journal, Kind::Signature, NEVER), of(&journal, Kind::TokenId, NOW + 5)];
    journal.append(&said, NOW, || ()).unwrap();
    drop(journal);
    let (_, entries) = opened(&folder);
    assert_eq!(entries.iter().map(|entry| (entry.kinds(), entry.expires)).collect::<Vec<_>>(), [(3, NEVER)]);
}

#[test]
fn a_journal_that_was_put_in_its_place_is_not_taken_for_it() {
    let (folder, other) = (Folder::new(), Folder::new());
    let (_first, _) = opened(&folder);
    let (mut second, _) = opened(&folder);
    let (mut foreign, _) = opened(&other);
    foreign.append(&[entry(&foreign, "a", NEVER)], NOW, || ()).unwrap();
    fs::rename(other.join("journal"), folder.join("journal")).unwrap();
    assert!(matches!(second.follow(NOW), Err(JournalError::Replaced(_))));
}

#[test]
fn who_left_the_journal_reads_along_and_never_writes_again() {
    let folder = Folder::new();
    let ((mut first, _), (mut second, _)) = (opened(&folder), opened(&folder));
    let one = entry(&first, "a", NEVER);
    first.leave();
    assert!(first.follow(NOW).unwrap().is_none());
    assert_eq!(first.state(), JournalState::Reading);
    assert!(matches!(first.append(&[one], NOW, || ()), Err(JournalError::Held)));
    second.follow(NOW).unwrap();
    assert_eq!(second.append(&[one], NOW, || ()).unwrap(), 1);
    assert_eq!(first.follow(NOW).unwrap(), Some(vec![one]));
    drop(second);
    first.follow(NOW).unwrap();
    assert_eq!(first.state(), JournalState::Reading);
}

#[test]
fn damage_before_the_end_is_a_problem_and_not_a_loss() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let written = [entry(&journal, "a", NEVER), entry(&journal, "b", NEVER)];
    journal.append(&written, NOW, || ()).unwrap();
    drop(journal);
    let mut bytes = fs::read(folder.join("journal")).unwrap();
    bytes[RECORD + 3] ^= 1;
    fs::write(folder.join("journal"), &bytes).unwrap();
    assert!(matches!(Journal::open(&folder.join("journal")), Err(JournalError::Damaged { record: 1, after: 1, .. })));
    for at in 0..RECORD {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(folder.join("journal"), &damaged).unwrap();
        assert!(matches!(Journal::open(&folder.join("journal")), Err(JournalError::Foreign(_))), "byte {at} of the header");
    }
    for foreign in [&b""[..], b"TGREVOC1", &[0; 200]] {
        fs::write(folder.join("journal"), foreign).unwrap();
        assert!(matches!(Journal::open(&folder.join("journal")), Err(JournalError::Foreign(_))));
    }
}

#[test]
fn a_second_process_reads_along_and_takes_over() {
    let folder = Folder::new();
    let (mut first, _) = opened(&folder);
    let (mut second, none) = opened(&folder);
    assert_eq!((second.state(), none.len()), (JournalState::Reading, 0));
    let one = entry(&first, "a", NEVER);
    assert!(matches!(second.append(&[one], NOW, || ()), Err(JournalError::Held)));
    assert!(second.follow(NOW).unwrap().is_none());
    first.append(&[one], NOW, || ()).unwrap();
    assert_eq!(second.follow(NOW).unwrap(), Some(vec![one]));
    drop(first);
    assert!(second.follow(NOW).unwrap().is_some());
    assert_eq!((second.state(), second.append(&[one], NOW, || ()).unwrap()), (JournalState::Writing, 2));
}

#[test]
fn a_file_of_dead_records_is_written_anew_and_numbers_go_on() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let all: Vec<Entry> = (0..1100).map(|n| entry(&journal, &format!("t{n}"), if n % 4 == 0 { NEVER } else { NOW + 1 })).collect();
    journal.append(&all, NOW, || ()).unwrap();
    drop(journal);
    let mut journal = Journal::open(&folder.join("journal")).unwrap();
    assert_eq!(journal.follow(NOW + 2).unwrap().unwrap().len(), 275);
    assert_eq!(fs::metadata(folder.join("journal")).unwrap().len(), 276 * RECORD as u64);
    let one = entry(&journal, "next", NEVER);
    assert_eq!(journal.append(&[one], NOW, || ()).unwrap(), 1101);
    drop(journal);
    let living = all.into_iter().filter(|entry| entry.expires == NEVER).chain([one]);
    assert_eq!(opened(&folder).1, living.collect::<Vec<_>>());
}

#[test]
fn a_journal_that_grows_by_many_at_a_time_is_written_anew_too() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    for batch in 0..20 {
        let over = (0..300).map(|n| entry(&journal, &format!("{batch}-{n}"), NOW + batch)).collect::<Vec<_>>();
        journal.append(&over, NOW + batch, || ()).unwrap();
    }
    let records = fs::metadata(folder.join("journal")).unwrap().len() / RECORD as u64;
    assert!(records < 3000, "{records} records for 300 that count");
}

#[test]
fn a_full_disk_acknowledges_nothing() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let one = entry(&journal, "a", NEVER);
    journal.file = Some(OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert!(matches!(journal.append(&[one], NOW, || ()), Err(JournalError::Full)));
    // Where that file ends now nobody knows.
    assert_eq!(journal.state(), JournalState::Failed);
    assert!(matches!(journal.append(&[one], NOW, || ()), Err(JournalError::Failed)));
    drop(journal);
    assert_eq!(opened(&folder).1.len(), 0);
}

#[test]
fn what_counts_before_the_disk_has_it_is_in_the_file_by_then() {
    let folder = Folder::new();
    let (mut journal, _) = opened(&folder);
    let (one, path) = (entry(&journal, "a", NEVER), folder.join("journal"));
    let mut seen = 0;
    journal.append(&[one], NOW, || seen = fs::metadata(&path).unwrap().len()).unwrap();
    assert_eq!(seen, 2 * RECORD as u64);
}
