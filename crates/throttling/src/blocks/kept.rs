//! Blocks that the operator changes while the gateway runs. They are kept in a file, a JSON array, which may be edited by hand too.

use std::{
    collections::HashSet,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use serde::Deserialize;
use tollgate_counters::replace_file;

use super::{Block, Caller, List};

/// Most blocks.
pub const MAX_BLOCKS: usize = 10_000;

const MAX_BYTES: u64 = 4 << 20;

/// The blocks in force, and their file.
pub struct Kept {
    in_force: ArcSwap<InForce>,
    file: Option<PathBuf>,
    /// Of the file when it was read or written last. Held while the disk is waited for.
    stamp: Mutex<Stamp>,
}

/// Blocks as they are written, and as requests find them.
#[derive(Default)]
struct InForce {
    blocks: Vec<Block>,
    list: List,
}

/// Tells versions of the file apart; `None` for no file.
type Stamp = Option<(u64, SystemTime)>;

/// What is to change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Blocks to add. One that is there stays.
    pub block: Vec<Block>,
    /// Blocks to take away. They are written as they were when they were added.
    pub unblock: Vec<Block>,
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Blocks that came or went.
    pub changed: usize,
    /// Blocks in force.
    pub blocks: usize,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It cannot be understood.
    #[error("{0}")]
    Bad(String),
    /// There would be too many.
    #[error("there can be at most {MAX_BLOCKS} blocks; take some away first, or block a network")]
    Full,
    /// The next process would not read a file of that length.
    #[error("the blocks would take more than 4 MiB in their file; take some away first, or block a network")]
    Long,
    /// A restart would forget it.
    #[error("there is no file to keep blocks in; name one with `stores.blocks`")]
    NoFile,
    /// The file cannot be read or written.
    #[error("`{}`: {}", .0.display(), .1)]
    File(PathBuf, io::Error),
}

impl Kept {
    /// None, and nowhere to keep any.
    pub fn nowhere() -> Self {
        Self { in_force: ArcSwap::default(), file: None, stamp: Mutex::default() }
    }

    /// Those of a file, which need not be there yet.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ChangeError> {
        let kept = Self { file: Some(path.to_owned()), ..Self::nowhere() };
        kept.follow()?;
        Ok(kept)
    }

    /// Whether blocks can change: there is a file.
    pub fn can_change(&self) -> bool {
        self.file.is_some()
    }

    /// The first block that covers a request, by its place.
    pub fn find(&self, caller: &impl Caller) -> Option<usize> {
        self.in_force.load().list.find(caller)
    }

    /// The blocks in force. Never waits.
    pub fn all(&self) -> Vec<Block> {
        self.in_force.load().blocks.clone()
    }

    /// Reads the file again if somebody has changed it. Whether somebody had.
    ///
    /// # Errors
    /// When it cannot be read, or is gone. What it held stays in force.
    pub fn follow(&self) -> Result<bool, ChangeError> {
        match &self.file {
            Some(path) => self.read(path, &mut self.lock()),
            None => Ok(false),
        }
    }

    /// Changes all at once, in the file first. Waits for the disk.
    ///
    /// # Errors
    /// When nothing was changed.
    pub fn change(&self, change: &Change) -> Result<Blocked, ChangeError> {
        let path = self.file.as_ref().ok_or(ChangeError::NoFile)?;
        let mut known = self.lock();
        self.read(path, &mut known)?;
        let before = self.in_force.load();
        let (gone, mut there): (HashSet<&Block>, HashSet<&Block>) = (change.unblock.iter().collect(), HashSet::new());
        let wanted = before.blocks.iter().filter(|block| !gone.contains(block)).chain(&change.block);
        let blocks: Vec<Block> = wanted.filter(|block| there.insert(block)).cloned().collect();
        // Whoever edited the file may have written a block twice.
        let changed = before.blocks.iter().collect::<HashSet<_>>().symmetric_difference(&there).count();
        let done = Blocked { changed, blocks: blocks.len() };
        if changed == 0 {
            return Ok(done);
        }
        let next = InForce::new(blocks)?;
        let failed = |error| ChangeError::File(path.clone(), error);
        let text = serde_json::to_vec_pretty(&next.blocks).map_err(|error| failed(error.into()))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(ChangeError::Long);
        }
        replace_file(path, |mut file| file.write_all(&text)).map_err(failed)?;
        *known = stamp(path).map_err(failed)?;
        self.in_force.store(next.into());
        Ok(done)
    }

    fn read(&self, path: &Path, known: &mut Stamp) -> Result<bool, ChangeError> {
        let failed = |error| ChangeError::File(path.to_owned(), error);
        let stamp = stamp(path).map_err(failed)?;
        if stamp == *known {
            return Ok(false);
        }
        let blocks: Vec<Block> = match stamp {
            // Whoever took it away has unblocked nobody.
            None => return Err(failed(io::ErrorKind::NotFound.into())),
            Some((bytes, _)) if bytes > MAX_BYTES => return Err(failed(io::Error::other("it is longer than 4 MiB"))),
            Some(_) => serde_json::from_slice(&fs::read(path).map_err(failed)?).map_err(|error| failed(error.into()))?,
        };
        self.in_force.store(InForce::new(blocks)?.into());
        *known = stamp;
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Stamp> {
        self.stamp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn new(blocks: Vec<Block>) -> Result<Self, ChangeError> {
        if blocks.len() > MAX_BLOCKS {
            return Err(ChangeError::Full);
        }
        match List::new(&blocks, "") {
            Ok(list) => Ok(Self { blocks, list }),
            Err(problem) => Err(ChangeError::Bad(format!("{} (at `{}`)", problem.message, problem.pointer))),
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some((file.len(), file.modified()?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
