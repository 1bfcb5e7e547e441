//! Callers and APIs that are blocked: by the settings, and by a list that may change while the gateway runs.

use std::{borrow::Cow, collections::HashMap, net::IpAddr, sync::Arc};

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
    written: List,
    listed: Option<View<Arc<Listed>>>,
}

/// Blocks, so that a request finds the one that covers it without looking at all. Each has its place in what was written.
#[derive(Debug, Default)]
struct List {
    apis: HashMap<Box<[u8]>, usize>,
    applications: HashMap<Box<[u8]>, usize>,
    users: HashMap<Box<[u8]>, usize>,
    addresses: HashMap<IpAddr, usize>,
    /// Networks, and blocks that name several things.
    others: Vec<(usize, Block)>,
}

/// Requests that are refused whatever they have left.
#[derive(Debug, Default)]
struct Block {
    api: Option<Box<[u8]>>,
    application: Option<Box<[u8]>>,
    user: Option<Box<[u8]>>,
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
    blocks: Arc<List>,
}

impl Blocks {
    /// Those of the settings.
    ///
    /// # Errors
    /// When one cannot be read, or the file.
    pub(crate) fn new(config: &config::Config, env: &Env) -> Result<Self, Problem> {
        let written = List::new(&config.blocks, "/blocks")?;
        let listed = config.blocks_file.as_ref().map(|path| {
            let location = Location::File(path.clone());
            env.shared.get_or_make(&format!("throttle.blocks {location}"), || Listed::new(location, env))
        });
        let listed = listed.transpose()?.map(|listed| View::new("throttle.blocks", listed));
        Ok(Self { written, listed })
    }

    /// The refusal of a request that is blocked.
    ///
    /// # Errors
    /// When nobody knows.
    pub(crate) fn refuse(&self, seen: Seen<'_>, views: &mut Views) -> Result<Option<Answer>, Fault> {
        if let Some(at) = self.written.find(seen) {
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

impl List {
    fn new(written: &[config::Block], place: &str) -> Result<Self, Problem> {
        let mut list = Self::default();
        for (at, block) in written.iter().enumerate() {
            list.add(at, Block::new(block, &format!("{place}/{at}"))?);
        }
        Ok(list)
    }

    fn add(&mut self, at: usize, block: Block) {
        let (map, name) = match block {
            Block { api: Some(path), application: None, user: None, client } if client.is_empty() => (&mut self.apis, path),
            Block { api: None, application: Some(id), user: None, client } if client.is_empty() => (&mut self.applications, id),
            Block { api: None, application: None, user: Some(user), client } if client.is_empty() => (&mut self.users, user),
            Block { api: None, application: None, user: None, client } => {
                self.addresses.extend(client.iter().filter_map(|network| Some((network.single()?, at))));
                let client: Vec<Network> = client.into_iter().filter(|network| network.single().is_none()).collect();
                if !client.is_empty() {
                    self.others.push((at, Block { client, ..Block::default() }));
                }
                return;
            }
            several => return self.others.push((at, several)),
        };
        map.insert(name, at);
    }

    /// The place of a block that covers a request.
    fn find(&self, seen: Seen<'_>) -> Option<usize> {
        let user = || users(seen).find_map(|user| self.users.get(user));
        let application = || applications(seen).find_map(|id| self.applications.get(&*id));
        let address = || self.addresses.get(&seen.call.client.to_canonical());
        let found = self.apis.get(api(seen)).or_else(user).or_else(application).or_else(address).copied();
        found.or_else(|| self.others.iter().find(|(_, block)| block.covers(seen)).map(|(at, _)| *at))
    }
}

impl Block {
    fn new(written: &config::Block, place: &str) -> Result<Self, Problem> {
        let config::Block { api, application, user, client } = written;
        if api.is_none() && application.is_none() && user.is_none() && client.is_empty() {
            return Err(Problem::setting(place, "a block has at least one of `api`, `application`, `user` and `client`"));
        }
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().into());
        let networks = client.iter().enumerate().map(|(nth, one)| Network::new(one, &format!("{place}/client/{nth}")));
        let api = api.as_ref().map(|path| path.trim_end_matches('/').as_bytes().into());
        Ok(Self { api, application: bytes(application), user: bytes(user), client: networks.collect::<Result<_, _>>()? })
    }

    /// Whether all that it names is the request's.
    fn covers(&self, seen: Seen<'_>) -> bool {
        self.api.as_deref().is_none_or(|path| path == api(seen))
            && self.user.as_deref().is_none_or(|user| users(seen).any(|one| one == user))
            && self.application.as_deref().is_none_or(|id| applications(seen).any(|one| *one == *id))
            && (self.client.is_empty() || self.client.iter().any(|network| network.contains(seen.call.client)))
    }
}

fn api(seen: Seen<'_>) -> &[u8] {
    seen.call.operation.base_path.trim_end_matches('/').as_bytes()
}

fn users(seen: Seen<'_>) -> impl Iterator<Item = &[u8]> {
    seen.credentials.iter().filter_map(|credential| credential.subject.as_deref()).map(str::as_bytes)
}

/// The application that a credential tells of; if none does, their clients.
fn applications(seen: Seen<'_>) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let told = tiers::application(seen.credentials, "id").map(part::text);
    let is_told = told.is_some();
    let clients = seen.credentials.iter().filter(move |_| !is_told).filter_map(|credential| credential.client.as_deref());
    told.into_iter().chain(clients.map(|client| Cow::Borrowed(client.as_bytes())))
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
            return read.blocks.find(seen);
        }
        if let Some(version) = self.source.version() {
            let blocks = blocks(&version.bytes).unwrap_or_else(|why| {
                self.unreadable.inc();
                log::warn!("`{}`: {why}; the blocks that it had stay in force", self.location);
                read.blocks.clone()
            });
            self.read.store(Arc::new(Read { number: version.number, blocks }));
        }
        self.read.load().blocks.find(seen)
    }
}

/// Reads a JSON array of blocks.
fn blocks(bytes: &[u8]) -> Result<Arc<List>, String> {
    let written: Vec<config::Block> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let list = List::new(&written, "").map_err(|problem| format!("{} (at {})", problem.message, problem.pointer))?;
    Ok(Arc::new(list))
}
