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
    list: ArcSwap<List>,
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

/// What the file held when it was read or written last.
#[derive(Default)]
struct Known {
    blocks: Vec<Block>,
    stamp: Stamp,
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
        Self { list: ArcSwap::default(), file: None, known: Mutex::default() }
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
        self.list.load().find(caller)
    }

    /// The blocks in force.
    pub fn all(&self) -> Vec<Block> {
        self.lock().blocks.clone()
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
        let (gone, mut there): (HashSet<&Block>, HashSet<&Block>) = (change.unblock.iter().collect(), HashSet::new());
        let wanted = known.blocks.iter().filter(|block| !gone.contains(block)).chain(&change.block);
        let blocks: Vec<Block> = wanted.filter(|block| there.insert(block)).cloned().collect();
        let kept = known.blocks.iter().filter(|block| there.contains(block)).count();
        let changed = (known.blocks.len() - kept) + (blocks.len() - kept);
        let done = Blocked { changed, blocks: blocks.len() };
        if changed == 0 {
            return Ok(done);
        }
        let list = list(&blocks)?;
        let failed = |error| ChangeError::File(path.clone(), error);
        replace_file(path, |mut file| file.write_all(&serde_json::to_vec_pretty(&blocks)?)).map_err(failed)?;
        *known = Known { blocks, stamp: stamp(path).map_err(failed)? };
        self.list.store(list.into());
        Ok(done)
    }

    fn read(&self, path: &Path, known: &mut Known) -> Result<bool, ChangeError> {
        let failed = |error| ChangeError::File(path.to_owned(), error);
        let stamp = stamp(path).map_err(failed)?;
        if stamp == known.stamp {
            return Ok(false);
        }
        let blocks: Vec<Block> = match stamp {
            // Whoever took it away has unblocked nobody.
            None => return Err(failed(io::ErrorKind::NotFound.into())),
            Some((bytes, _)) if bytes > MAX_BYTES => return Err(failed(io::Error::other("it is longer than 4 MiB"))),
            Some(_) => serde_json::from_slice(&fs::read(path).map_err(failed)?).map_err(|error| failed(error.into()))?,
        };
        let list = list(&blocks)?;
        *known = Known { blocks, stamp };
        self.list.store(list.into());
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(blocks: &[Block]) -> Result<List, ChangeError> {
    if blocks.len() > MAX_BLOCKS {
        return Err(ChangeError::Full);
    }
    List::new(blocks, "").map_err(|problem| ChangeError::Bad(format!("{} (at `{}`)", problem.message, problem.pointer)))
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
