//! What came in by the operator's port, and what a broker was told was heard, in a file: known again after a restart, and synced
//! to the disk before anyone is told that it is in force.
//!
//! One process writes; it holds a lock on `PATH.lock`. Others, such as the next process of a hand-over, read along until they
//! get the lock. A torn end, as a crash leaves it, is cut off: nobody was told that it is in force. Damage before the end is a
//! problem, because something that was acknowledged would be lost. When more than half of the records are dead the file is
//! written anew and put in place by a rename.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    entry::{Entry, Seed},
    record::{Header, RECORD, Record},
};

/// Fewer records than this are not worth a new file.
const WORTHWHILE: u64 = 1024;

/// What is wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk is full; nothing was acknowledged.
    #[error("no space is left for the journal")]
    Full,
    /// It was written under a larger `max_entries`.
    #[error("the journal holds more than the list may, which has {0} entries: raise `stores.revocations.max_entries`")]
    TooMuch(usize),
    /// Another process writes it.
    #[error("another process holds the journal")]
    Held,
    /// An earlier failure left it in a state that nobody knows.
    #[error("the journal failed earlier and takes nothing more until a restart")]
    Failed,
    /// It is none.
    #[error("{} is no revocation journal", .0.display())]
    Foreign(PathBuf),
    /// A record in the middle is damaged: an acknowledged revocation would be lost.
    #[error("record {record} of {} is damaged, and {after} good ones follow", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        record: u64,
        /// Good ones that follow.
        after: u64,
    },
    /// It has another key than the list, so it was replaced while it was read along.
    #[error("{} was replaced by another journal", .0.display())]
    Replaced(PathBuf),
    /// The file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn failed(path: &Path, source: io::Error) -> JournalError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => JournalError::Full,
        _ => JournalError::Io { path: path.to_owned(), source },
    }
}

/// How far a journal is this process's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalState {
    /// This process writes it.
    Writing,
    /// Another one does; this one reads along.
    Reading,
    /// It failed and takes nothing more.
    Failed,
}

/// What a file holds.
struct Content {
    header: Header,
    records: Vec<Record>,
    /// Length up to the last whole record.
    length: u64,
}

impl Content {
    fn next(&self) -> u64 {
        self.records.last().map_or(0, |last| last.sequence + 1).max(self.header.next)
    }
}

/// Tells one state of the file from another.
type Stamp = (u64, u64);

/// The journal of a gateway.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    seed: Seed,
    next: u64,
    length: u64,
    stamp: Option<Stamp>,
    /// Open for writing as long as the lock is held.
    file: Option<File>,
    lock: Option<File>,
    broken: bool,
    /// It was left to another process.
    left: bool,
}

impl Journal {
    /// Opens, or makes, the journal. Its entries come with the first [`follow`](Self::follow).
    ///
    /// # Errors
    /// When there is something else, or the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let header = match read(path)? {
            Some(content) => content.header,
            None => create(path)?,
        };
        Ok(Self {
            path: path.to_owned(),
            seed: header.seed,
            next: header.next,
            length: 0,
            stamp: None,
            file: None,
            lock: None,
            broken: false,
            left: false,
        })
    }

    /// Key of the digests in it.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Number of the last record; 0 when there was none ever.
    pub fn sequence(&self) -> u64 {
        self.next - 1
    }

    /// Whether this process may write.
    pub fn state(&self) -> JournalState {
        match (self.broken, &self.file) {
            (true, _) => JournalState::Failed,
            (_, Some(_)) => JournalState::Writing,
            (_, None) => JournalState::Reading,
        }
    }

    /// Tries to become the one who writes, and says what the file holds when that is new. Nothing is left to do once this
    /// process writes.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub(crate) fn follow(&mut self, now: u32) -> Result<Option<Vec<Entry>>, JournalError> {
        if self.file.is_some() {
            return Ok(None);
        }
        self.try_lock()?;
        if self.lock.is_none() && self.stamp.is_some() && stamp(&self.path) == self.stamp {
            return Ok(None);
        }
        self.stamp = stamp(&self.path);
        let content = read(&self.path)?.ok_or_else(|| failed(&self.path, io::ErrorKind::NotFound.into()))?;
        if content.header.seed != self.seed {
            return Err(JournalError::Replaced(self.path.clone()));
        }
        self.next = content.next();
        self.length = content.length;
        let live = live(&content.records, now);
        if self.lock.is_some() {
            self.take_over(&content, &live)?;
        }
        Ok(Some(live.into_iter().map(|record| record.entry).collect()))
    }

    /// Writes no more, so that another process may; [`follow`](Self::follow) reads along from then on.
    pub(crate) fn leave(&mut self) {
        self.left = true;
        self.stamp = stamp(&self.path);
        self.file = None;
        self.lock = None;
    }

    /// The journal's path with this ending.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        beside(&self.path, ending)
    }

    fn try_lock(&mut self) -> Result<(), JournalError> {
        if self.lock.is_some() || self.left {
            return Ok(());
        }
        let path = beside(&self.path, ".lock");
        let file = options().create(true).truncate(false).open(&path).map_err(|error| failed(&path, error))?;
        match file.try_lock() {
            Ok(()) => self.lock = Some(file),
            Err(fs::TryLockError::WouldBlock) => {}
            Err(fs::TryLockError::Error(error)) => return Err(failed(&path, error)),
        }
        Ok(())
    }

    /// Opens for writing, behind the last whole record, after a compaction when that is worthwhile.
    fn take_over(&mut self, content: &Content, live: &[Record]) -> Result<(), JournalError> {
        let records = content.records.len() as u64;
        if records > WORTHWHILE && live.len() as u64 * 2 < records {
            self.rewrite(live)?;
        }
        let io = |error| failed(&self.path, error);
        let mut file = OpenOptions::new().write(true).open(&self.path).map_err(io)?;
        if file.metadata().map_err(io)?.len() > self.length {
            log::warn!("the journal {} ended in a torn record, which nobody was told to be in force", self.path.display());
            file.set_len(self.length).and_then(|()| file.sync_all()).map_err(io)?;
        }
        file.seek(SeekFrom::Start(self.length)).map_err(io)?;
        self.file = Some(file);
        Ok(())
    }

    fn rewrite(&mut self, live: &[Record]) -> Result<(), JournalError> {
        let mut bytes = Header { seed: self.seed, next: self.next }.write().to_vec();
        live.iter().for_each(|record| bytes.extend_from_slice(&record.write(self.seed)));
        let temporary = self.path.with_extension("next");
        let io = |error| failed(&temporary, error);
        let mut file = options().create(true).truncate(true).open(&temporary).map_err(io)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&temporary, &self.path).map_err(io)?;
        sync_folder(&self.path)?;
        self.length = bytes.len() as u64;
        Ok(())
    }

    /// Writes entries and waits until the disk has them; `written` is called before that wait, when no end of the process loses them
    /// any more, only one of the machine. Says the number of the last.
    ///
    /// # Errors
    /// When the disk does not have them, or this process does not write; the file is then as it was, as far as can be known.
    pub(crate) fn append(&mut self, entries: &[Entry], now: u32, written: impl FnOnce()) -> Result<u64, JournalError> {
        if self.broken {
            return Err(JournalError::Failed);
        }
        let Some(file) = &mut self.file else { return Err(JournalError::Held) };
        let mut bytes = Vec::with_capacity(entries.len() * RECORD);
        for (entry, sequence) in entries.iter().zip(self.next..) {
            bytes.extend_from_slice(&Record { sequence, entry: *entry }.write(self.seed));
        }
        if let Err(error) = file.write_all(&bytes) {
            let back = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::Start(self.length)));
            self.broken = back.is_err();
            return Err(failed(&self.path, error));
        }
        written();
        if let Err(error) = file.sync_data() {
            // What the disk has now is unknown, and asking again would not tell.
            self.broken = true;
            return Err(failed(&self.path, error));
        }
        let before = self.records();
        self.length += bytes.len() as u64;
        self.next += entries.len() as u64;
        // However many records one call brings, none of them leaps over a doubling.
        if self.records().checked_ilog2() != before.checked_ilog2() {
            self.compact(now);
        }
        Ok(self.next - 1)
    }

    fn records(&self) -> u64 {
        (self.length / RECORD as u64).saturating_sub(1)
    }

    /// Called at each doubling of the file: writes it anew when that is worth it; a failure leaves it as it is.
    fn compact(&mut self, now: u32) {
        let records = self.records();
        if records < WORTHWHILE {
            return;
        }
        let done = read(&self.path).and_then(|content| {
            let Some(content) = content else { return Ok(()) };
            let live = live(&content.records, now);
            if live.len() as u64 * 2 >= records { Ok(()) } else { self.take_over(&content, &live) }
        });
        if let Err(error) = done {
            log::warn!("the journal was not written anew: {error}");
        }
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|meta| (meta.ino(), meta.len()))
}

fn sync_folder(path: &Path) -> Result<(), JournalError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, error))
}

/// Makes an empty journal, whole or not at all; when somebody else was faster, theirs counts.
fn create(path: &Path) -> Result<Header, JournalError> {
    let header = Header { seed: Seed::random(), next: 1 };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let mut file = options().create(true).truncate(true).open(&temporary).map_err(|error| failed(path, error))?;
    file.write_all(&header.write()).and_then(|()| file.sync_all()).map_err(|error| failed(path, error))?;
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path).map(|()| header),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.map(|content| content.header).ok_or_else(|| failed(path, io::ErrorKind::NotFound.into()))
        }
        Err(error) => Err(failed(path, error)),
    }
}

/// The whole file; `None` when there is none.
fn read(path: &Path) -> Result<Option<Content>, JournalError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, error)),
    }
    let foreign = || JournalError::Foreign(path.to_owned());
    let (head, rest) = bytes.split_first_chunk::<RECORD>().ok_or_else(foreign)?;
    let header = Header::read(head).ok_or_else(foreign)?;
    let all: Vec<Option<Record>> = rest.chunks(RECORD).map(|chunk| Record::read(header.seed, chunk)).collect();
    let good = all.iter().take_while(|record| record.is_some()).count();
    let after = all[good..].iter().flatten().count() as u64;
    if after > 0 {
        return Err(JournalError::Damaged { path: path.to_owned(), record: good as u64 + 1, after });
    }
    let records = all.into_iter().flatten().collect();
    Ok(Some(Content { header, records, length: (RECORD * (good + 1)) as u64 }))
}

/// What still counts: for each thing the sum of what was said, under the number of the last time.
fn live(records: &[Record], now: u32) -> Vec<Record> {
    let mut latest: HashMap<(u64, u64), Record> = HashMap::with_capacity(records.len());
    for record in records {
        let known = latest.entry(record.entry.identity()).or_insert(*record);
        *known = Record { sequence: record.sequence, entry: known.entry.and(record.entry) };
    }
    let mut live: Vec<Record> = latest.into_values().filter(|record| !record.entry.is_over(now)).collect();
    live.sort_unstable_by_key(|record| record.sequence);
    live
}

#[cfg(test)]
#[path = "tests/journal.rs"]
mod tests;
