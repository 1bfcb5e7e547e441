//! What is asked of a server first: whether it is a master, whether it is the one we knew, and whether it may forget.

use std::time::Instant;

use futures_util::future::try_join_all;
use redis::{Cmd, Value, cmd};

use crate::{
    answer::{self, Answer},
    script::{FLEET, Scripts, Tag},
    settings::{NODES, Settings},
    wire::{
        endpoint::Endpoint,
        failure::Lost,
        link::Link,
        place::{Place, demand_master},
    },
};

/// For so long a gateway that was not heard again counts as there, in ms.
const PRESENT_MS: u64 = 3_000;
/// What answers about the server may hold.
const ANSWER: usize = 64 << 10;

/// A server that answers.
pub(crate) struct Opened {
    pub(crate) link: Link,
    /// What the server's process is called, if we may know.
    pub(crate) process: Option<String>,
    /// When its keys came to life, and its time, with a moment before and one after it was read.
    pub(crate) lives: Vec<(Tag, u64)>,
    pub(crate) time: (Instant, Instant, u64),
    /// How many gateways there are, if this server counts them.
    pub(crate) gateways: Option<u32>,
    /// What is wrong with its settings.
    pub(crate) advice: Option<String>,
}

/// Connects to a master and gets to know it.
pub(crate) async fn open(place: &Place, settings: &Settings, scripts: &Scripts, tags: &[Tag], id: &str) -> Result<Opened, Lost> {
    let (endpoint, link) = place.open(settings).await?;
    demand_master(&link).await?;
    let process = process(&link).await?;
    let advice = advice(&link, &endpoint).await?;
    try_join_all(scripts.load().iter().map(|load| link.ask(load, ANSWER))).await?;
    let (sent, calls) = (Instant::now(), tags.iter().map(|tag| scripts.lease(*tag, 1, &[])).collect::<Vec<_>>());
    let answers = try_join_all(calls.iter().map(|call| link.ask(call, reply(0)))).await?;
    let received = Instant::now();
    let (mut lives, mut time) = (Vec::with_capacity(tags.len()), None);
    for (tag, answer) in tags.iter().zip(answers) {
        let Answer { now, life, .. } = answer::read(answer, &[])?;
        time = Some((sent, received, now));
        lives.push((*tag, life));
    }
    let Some(time) = time else { return Err(Lost::Broken("it holds none of our keys".to_owned())) };
    let gateways = if tags.contains(&FLEET) { Some(count(&link, scripts, id).await?) } else { None };
    Ok(Opened { link, process, lives, time, gateways, advice })
}

/// How long an answer to so many questions may be: numbers of up to 20 characters, or an error in the server's words.
pub(crate) fn reply(questions: usize) -> usize {
    1024 + questions * 4 * 24
}

/// Says that this gateway is there, and how many are.
pub(crate) async fn count(link: &Link, scripts: &Scripts, id: &str) -> Result<u32, Lost> {
    let value = known(link, scripts, &scripts.fleet(id, PRESENT_MS), reply(0)).await?;
    Ok(answer::gateways(&value, NODES)?)
}

/// Runs a script, after making it known if it is not. All of it within the time limit.
pub(crate) async fn known(link: &Link, scripts: &Scripts, call: &Cmd, most: usize) -> Result<Value, Lost> {
    link.within(async {
        match link.ask_patiently(call, most).await {
            Err(lost) if lost.lacks_script() => {
                for load in scripts.load() {
                    link.ask_patiently(&load, ANSWER).await?;
                }
                link.ask_patiently(call, most).await
            }
            answered => answered,
        }
    })
    .await
}

/// A name that changes with each start of the server.
async fn process(link: &Link) -> Result<Option<String>, Lost> {
    let Some(Value::BulkString(text)) = permitted(link, cmd("INFO").arg("server")).await? else { return Ok(None) };
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().find_map(|line| line.strip_prefix("run_id:")).map(str::to_owned))
}

/// What to say to who runs the server.
async fn advice(link: &Link, endpoint: &Endpoint) -> Result<Option<String>, Lost> {
    let mut found = [None, None];
    for (name, found) in ["maxmemory-policy", "maxmemory"].into_iter().zip(&mut found) {
        let Some(Value::Array(values)) = permitted(link, cmd("CONFIG").arg("GET").arg(name)).await? else { continue };
        *found = match values.get(1) {
            Some(Value::BulkString(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
    }
    let [policy, most] = &found;
    Ok(match (policy.as_deref(), most.as_deref()) {
        (Some("noeviction"), _) | (Some(_), Some("0")) => None,
        (Some(policy), _) => Some(format!(
            "{endpoint} evicts keys when its memory is full ({}): a quota that is evicted is granted anew, up to the limit once more in its window; \
             set maxmemory-policy to noeviction",
            tollgate_outbound::quoted(policy)
        )),
        (None, _) => Some(format!(
            "{endpoint} does not let this user read its settings, so nobody knows whether it evicts keys when its memory is full; a quota that is \
             evicted is granted anew, up to the limit once more in its window; allow CONFIG GET, or set maxmemory-policy to noeviction"
        )),
    })
}

/// Asks what a user may not be allowed to ask.
async fn permitted(link: &Link, command: &Cmd) -> Result<Option<Value>, Lost> {
    match link.ask(command, ANSWER).await {
        Err(lost) if lost.is_forbidden() => Ok(None),
        answered => answered.map(Some),
    }
}
