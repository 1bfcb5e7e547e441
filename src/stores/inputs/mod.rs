//! Sources that say what was revoked, on their way to the list.
//!
//! They run on a thread of their own: a source waits for the disk before it says that something was heard, and nothing else
//! may wait with it. A task that fails is started again. What it does not protect against: a source that is wrong.

mod broker;
mod etcd;
pub(super) mod listening;
pub(super) mod supervisor;

use std::{io, sync::Arc};

use tokio::sync::watch;
use tollgate_filter_api::{Problem, Problems};
use tollgate_revocations::{Book, Input};

use crate::config::{Config, Missed, Stores};

/// Settings that a problem's code may name.
pub(super) const BROKER: &[&str] = &["url", "topic", "subscription", "username", "password", "heartbeat", "ca", "client_certificate"];
const ETCD: &[&str] = &["endpoints", "prefix", "username", "password", "relist", "heartbeat", "ca", "client_certificate"];

/// Which sources there are.
pub fn inputs(stores: &Stores) -> Vec<Input> {
    let broker = stores.broker.iter().map(|_| Input::Broker);
    broker.chain(stores.etcd.iter().map(|_| Input::Etcd)).collect()
}

/// Judges what can be judged before a connection is made.
///
/// # Errors
/// What is wrong, where the configuration says it.
pub fn check(config: &Config) -> Result<(), Problems> {
    let stores = &config.gateway.stores;
    let mut problems = Problems::default();
    if let Some(broker) = &stores.broker
        && let Err(problem) = tollgate_broker::check(&listening::settings(broker))
    {
        problems.push(blame(problem, config, "/stores/broker", BROKER));
    }
    if stores.etcd.is_none() && stores.broker.as_ref().is_some_and(|broker| broker.missed == Missed::Etcd) {
        let message = "expected `stores.etcd` beside `missed: etcd`, found none";
        problems.push(Problem::error("stores.broker.missed", message).at(config.file(), 0, "/stores/broker/missed"));
    }
    if let Some(etcd) = &stores.etcd
        && let Err(problem) = tollgate_etcd::check(&etcd::settings(etcd))
    {
        problems.push(blame(problem, config, "/stores/etcd", ETCD));
    }
    config.locate(&mut problems);
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

/// The place is where the configuration names it, by the last word of the code.
pub(super) fn blame(problem: Problem, config: &Config, section: &str, fields: &[&str]) -> Problem {
    let field = problem.code.rsplit('.').next().filter(|field| fields.contains(field));
    let pointer = field.map_or_else(|| section.to_owned(), |field| format!("{section}/{field}"));
    let message = if problem.file.is_empty() { problem.message } else { format!("{}: {}", problem.file, problem.message) };
    Problem::error(problem.code, message).at(config.file(), 0, pointer).hint(problem.hint)
}

/// Listens to all sources, on a new thread, until the process ends. Takes new settings as they come. When `handed_over` turns
/// true, another process listens instead: the subscription and the journal are left to it.
///
/// # Errors
/// When there can be no thread.
pub fn start(book: Arc<Book>, stores: watch::Receiver<Stores>, handed_over: watch::Receiver<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        let leave = async |mut handed_over: watch::Receiver<bool>| {
            if handed_over.wait_for(|over| *over).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let subscribed = async {
            broker::keep(book.clone(), stores.clone(), leave(handed_over.clone())).await;
            leave(handed_over).await;
            book.hand_over();
        };
        // What still runs here goes on being judged by what etcd says.
        tokio::join!(subscribed, etcd::keep(book.clone(), stores.clone()));
    };
    std::thread::Builder::new().name("revocations".to_owned()).spawn(move || runtime.block_on(work))?;
    Ok(())
}
