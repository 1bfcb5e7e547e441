//! The file of the last good endpoints: what a start begins with while those who know are away.
//!
//! It is read whole or not at all, and replaced whole. It can be read by its owner only. Whoever may write it says where requests go.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tollgate_counters::replace_file;

use super::{
    directory::{By, Directory, Key},
    entry::Entry,
};
use crate::config::DnsName;

/// Most bytes of a file.
const MOST: u64 = 256 << 20;
/// What a file is that this version writes.
const VERSION: u32 = 1;

/// A key and its endpoints.
type Said = (Key, Arc<[Entry]>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    version: u32,
    known: Vec<Known>,
}

/// What one key said; exactly one of the two keys is there.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etcd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dns: Option<DnsName>,
    endpoints: Vec<Entry>,
}

/// What is written of a directory.
pub(super) fn text(directory: &Directory) -> Vec<u8> {
    let known = directory.all().into_iter().map(|(key, entries)| {
        let (etcd, dns) = match key {
            Key::Etcd(key) => (Some((*key).to_owned()), None),
            Key::Dns(name) => (None, Some((*name).clone())),
        };
        Known { etcd, dns, endpoints: entries.to_vec() }
    });
    let whole = Whole { version: VERSION, known: known.collect() };
    // What consists of texts and numbers can be written.
    serde_json::to_vec_pretty(&whole).unwrap_or_default()
}

/// Replaces a file.
///
/// # Errors
/// What keeps it from being written.
pub(super) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    replace_file(path, |mut file| file.write_all(text))
}

/// Reads a file into a directory; without a file nothing is known.
///
/// # Errors
/// When it cannot be read, or is none of ours; then nothing of it counts.
pub(super) fn read(path: &Path, directory: &Directory) -> Result<(), String> {
    let mut text = Vec::new();
    match File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut text)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
        Ok(read) if read as u64 > MOST => return Err(format!("it is longer than {MOST} bytes")),
        Ok(_) => {}
    }
    for (key, entries) in parse(&text)? {
        directory.put(key, entries, By::File);
    }
    Ok(())
}

fn parse(text: &[u8]) -> Result<Vec<Said>, String> {
    // Neither repeats what stands there.
    let whole: Whole = serde_json::from_slice(text)
        .map_err(|error| format!("it is no file of endpoints from line {}, column {} on", error.line(), error.column()))?;
    if whole.version != VERSION {
        return Err(format!("expected version {VERSION}, found {}", whole.version));
    }
    whole.known.into_iter().map(Known::checked).collect()
}

impl Known {
    fn checked(self) -> Result<Said, String> {
        let key = match (self.etcd, self.dns) {
            (Some(key), None) => Key::Etcd(key.into()),
            (None, Some(name)) => Key::Dns(Arc::new(name)),
            _ => return Err("expected either `etcd` or `dns` for each of `known`".to_owned()),
        };
        match self.endpoints.iter().find_map(|entry| entry.check().err()) {
            Some(bad) => Err(format!("{key}: {bad}")),
            None => Ok((key, self.endpoints.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_testkit::Folder;

    use super::*;

    fn directory() -> Directory {
        let directory = Directory::default();
        let entry = |url: &str| Entry { url: url.to_owned(), weight: 7, zone: Some("a".to_owned()), priority: 1 };
        directory.put(Key::Etcd("/pets/1".into()), Arc::from([entry("http://a.example"), entry("http://b.example")]), By::Etcd);
        let name = serde_json::from_value(serde_json::json!({ "name": "pets.example", "type": "srv" })).unwrap();
        directory.put(Key::Dns(Arc::new(name)), Arc::from([entry("http://c.example")]), By::Dns);
        directory
    }

    #[test]
    fn what_is_written_is_read_again() {
        let (folder, first, next) = (Folder::new(), directory(), Directory::default());
        let path = folder.join("endpoints");
        assert!(read(&path, &next).is_ok() && next.all().is_empty(), "there is no file yet");
        write(&path, &text(&first)).unwrap();
        read(&path, &next).unwrap();
        assert_eq!(next.all(), first.all());
        assert_eq!(next.all().len(), 2);
    }

    #[test]
    fn a_file_that_was_cut_off_or_changed_is_not_used_at_all() {
        let (folder, whole) = (Folder::new(), String::from_utf8(text(&directory())).unwrap());
        for broken in [
            whole[..whole.len() / 2].to_owned(),
            String::new(),
            whole.replace("\"version\": 1", "\"version\": 2"),
            whole.replace("http://c.example", "hunter2"),
            whole.replace("\"weight\": 7", "\"weight\": 7000"),
            whole.replace("\"etcd\": \"/pets/1\",", ""),
            whole.replace("\"zone\"", "\"hunter2\""),
        ] {
            let (path, directory) = (folder.write("endpoints", &broken), Directory::default());
            let said = read(&path, &directory).unwrap_err();
            assert!(directory.all().is_empty() && !said.contains("hunter2"), "{said}");
        }
    }
}
