//! Callers and APIs that are blocked: by the settings, and by a list that may change while the gateway runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tollgate_filter_api::{
    Answer, Cause, CauseKind, Counter, Document, DocumentPolicy, Env, Fault, Interval, Location, Problem, Rule, View, Views,
};

use crate::{
    condition::Network,
    config,
    part::{self, Seen},
    reasons::BLOCKED,
    tiers,
};

const MAX_BYTES: usize = 1 << 20;

/// What is blocked on an operation.
pub(crate) struct Blocks {
    written: Vec<Block>,
    listed: Option<View<Arc<Listed>>>,
}

/// Requests that are refused whatever they have left.
#[derive(Debug)]
struct Block {
    api: Option<Box<str>>,
    application: Option<Box<str>>,
    user: Option<Box<str>>,
    client: Vec<Network>,
}

/// The blocks of a file.
struct Listed {
    location: Location,
    source: Arc<dyn Document>,
    unreadable: Counter,
    read: ArcSwap<Read>,
}

struct Read {
    number: u64,
    blocks: Arc<[Block]>,
}

impl Blocks {
    /// Those of the settings.
    ///
    /// # Errors
    /// When one cannot be read, or the file.
    pub(crate) fn new(config: &config::Config, env: &Env) -> Result<Self, Problem> {
        let written = config.blocks.iter().enumerate().map(|(at, block)| Block::new(block, &format!("/blocks/{at}")));
        let listed = config.blocks_file.as_ref().map(|path| {
            let location = Location::File(path.clone());
            env.shared.get_or_make(&format!("throttle.blocks {location}"), || Listed::new(location, env))
        });
        let listed = listed.transpose()?.map(|listed| View::new("throttle.blocks", listed));
        Ok(Self { written: written.collect::<Result<_, _>>()?, listed })
    }

    /// The refusal of a request that is blocked.
    ///
    /// # Errors
    /// When nobody knows.
    pub(crate) fn refuse(&self, seen: Seen<'_>, views: &mut Views) -> Result<Option<Answer>, Fault> {
        if let Some(at) = find(&self.written, seen) {
            return Ok(Some(refusal(Rule::nth_setting("/blocks/*", at), at)));
        }
        let Some(listed) = &self.listed else { return Ok(None) };
        let found: Option<usize> = views.ask(listed, "whether the request is blocked", |listed| listed.find(seen))?;
        Ok(found.map(|at| refusal(Rule::setting("/blocks_file"), at)))
    }
}

fn refusal(rule: Rule, at: usize) -> Answer {
    let cause = Cause::new(CauseKind::NotAllowed, "caller or API", rule).detail(format!("it is block {} of its list", at + 1));
    BLOCKED.because(cause).detail("You have been blocked from accessing the resource")
}

fn find(blocks: &[Block], seen: Seen<'_>) -> Option<usize> {
    blocks.iter().position(|block| block.covers(seen))
}

impl Block {
    fn new(written: &config::Block, place: &str) -> Result<Self, Problem> {
        let config::Block { api, application, user, client } = written;
        if api.is_none() && application.is_none() && user.is_none() && client.is_empty() {
            return Err(Problem::setting(place, "a block has at least one of `api`, `application`, `user` and `client`"));
        }
        let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
        let networks = client.iter().enumerate().map(|(nth, one)| Network::new(one, &format!("{place}/client/{nth}")));
        let api = api.as_deref().map(|path| path.trim_end_matches('/').into());
        Ok(Self { api, application: boxed(application), user: boxed(user), client: networks.collect::<Result<_, _>>()? })
    }

    /// Whether all that it names is the request's.
    fn covers(&self, seen: Seen<'_>) -> bool {
        let api = || seen.call.operation.base_path.trim_end_matches('/');
        let is_user = |user: &str| seen.credentials.iter().any(|credential| credential.subject.as_deref() == Some(user));
        self.api.as_deref().is_none_or(|path| path == api())
            && self.user.as_deref().is_none_or(is_user)
            && self.application.as_deref().is_none_or(|id| is_application(id, seen))
            && (self.client.is_empty() || self.client.iter().any(|network| network.contains(seen.call.client)))
    }
}

fn is_application(id: &str, seen: Seen<'_>) -> bool {
    match tiers::application(seen.credentials, "id") {
        Some(value) => *part::text(value) == *id.as_bytes(),
        None => seen.credentials.iter().any(|credential| credential.client.as_deref() == Some(id)),
    }
}

impl Listed {
    fn new(location: Location, env: &Env) -> Result<Self, Problem> {
        let policy = DocumentPolicy {
            refresh: Interval::seconds(5).0,
            least_gap: Interval::seconds(1).0,
            timeout: Interval::seconds(5).0,
            max_bytes: MAX_BYTES,
        };
        let wrong = |why: &str| Problem::setting("/blocks_file", format!("`{location}`: {why}"));
        let source = env.world.document(&location, policy).map_err(|mut problem| {
            problem.pointer = "/blocks_file".to_owned();
            problem
        })?;
        let version = source.version().ok_or_else(|| wrong("it is empty; write `[]` for no blocks"))?;
        let read = Read { number: version.number, blocks: blocks(&version.bytes).map_err(|why| wrong(&why))? };
        let unreadable = env.metrics.counter("throttle_blocks_unreadable_total", None);
        Ok(Self { location, source, unreadable, read: ArcSwap::from_pointee(read) })
    }

    /// The first block that covers a request. A new version that cannot be read leaves the old one in force.
    fn find(&self, seen: Seen<'_>) -> Option<usize> {
        let read = self.read.load();
        if read.number == self.source.number() {
            return find(&read.blocks, seen);
        }
        if let Some(version) = self.source.version() {
            let blocks = blocks(&version.bytes).unwrap_or_else(|why| {
                self.unreadable.inc();
                log::warn!("`{}`: {why}; the blocks that it had stay in force", self.location);
                read.blocks.clone()
            });
            self.read.store(Arc::new(Read { number: version.number, blocks }));
        }
        find(&self.read.load().blocks, seen)
    }
}

/// Reads a JSON array of blocks.
fn blocks(bytes: &[u8]) -> Result<Arc<[Block]>, String> {
    let written: Vec<config::Block> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let read = written.iter().enumerate().map(|(at, block)| Block::new(block, &format!("/{at}")));
    read.collect::<Result<_, _>>().map_err(|problem| format!("{} (at {})", problem.message, problem.pointer))
}
