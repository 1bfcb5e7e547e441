//! Where masters are: at a URL, where sentinels say, or where a cluster says.

use redis::{Value, cmd};
use tollgate_outbound::quoted;

use crate::{
    script::Tag,
    settings::{Mode, Settings},
    wire::{
        endpoint::Endpoint,
        failure::Lost,
        link::{Credentials, Link},
    },
};

/// What a sentinel's answer may hold, and a cluster's.
const ANSWER: (usize, usize) = (4 << 10, 1 << 20);

/// How a master is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    At(Endpoint),
    /// Where these sentinels say, each time anew.
    Watched(Vec<Endpoint>),
}

/// The masters of a cluster, and whose keys each holds.
pub(crate) type Layout = Vec<(Endpoint, Vec<Tag>)>;

/// What the store itself wants to hear.
pub(crate) fn credentials(settings: &Settings) -> Credentials<'_> {
    Credentials { username: settings.username.as_deref(), password: settings.password.as_ref() }
}

impl Place {
    /// A connection to the master, and where it is.
    pub(crate) async fn open(&self, settings: &Settings) -> Result<(Endpoint, Link), Lost> {
        let endpoint = match self {
            Self::At(endpoint) => endpoint.clone(),
            Self::Watched(sentinels) => master(sentinels, settings).await?,
        };
        let link = Link::open(&endpoint, settings, credentials(settings)).await?;
        Ok((endpoint, link))
    }
}

/// Asks one sentinel after the other for the master.
async fn master(sentinels: &[Endpoint], settings: &Settings) -> Result<Endpoint, Lost> {
    let Mode::Sentinel { master: name, password } = &settings.mode else { return Err(Lost::UnknownMaster(String::new())) };
    let credentials = Credentials { username: None, password: password.as_ref() };
    let mut last = Lost::UnknownMaster(name.clone());
    for sentinel in sentinels {
        let asked = async {
            let link = Link::open(sentinel, settings, credentials).await?;
            link.ask(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name), ANSWER.0).await
        };
        match asked.await.map(|value| address(&value, sentinel)) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(lost) => last = lost,
        }
    }
    Err(last)
}

/// Host and port as an array begins with them. A cluster that does not know its own name means the one who was asked.
fn address(value: &Value, asked: &Endpoint) -> Option<Endpoint> {
    let Value::Array(values) = value else { return None };
    let [host, port, ..] = values.as_slice() else { return None };
    let host = match host {
        Value::Nil => "",
        host => text(host)?,
    };
    let host = if matches!(host, "" | "?") { asked.host.clone() } else { host.to_owned() };
    let port = match port {
        Value::Int(port) => u16::try_from(*port).ok()?,
        port => text(port)?.parse().ok()?,
    };
    Some(Endpoint { secure: asked.secure, host, port })
}

/// A host or a port.
fn text(value: &Value) -> Option<&str> {
    let text = match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::SimpleString(text) => text,
        _ => return None,
    };
    text.bytes().all(|byte| byte.is_ascii_graphic()).then_some(text)
}

/// Asks one node after the other who holds our keys.
pub(crate) async fn layout(nodes: &[Endpoint], settings: &Settings) -> Result<Layout, Lost> {
    let mut last = Lost::Broken("there is no node to ask".to_owned());
    for node in nodes {
        let asked = async {
            let link = Link::open(node, settings, credentials(settings)).await?;
            link.ask(cmd("CLUSTER").arg("SLOTS"), ANSWER.1).await
        };
        match asked.await.map(|value| read_layout(&value, node)) {
            Ok(Some(layout)) => return Ok(layout),
            Ok(None) => last = Lost::Broken(format!("{node} does not say who holds which slots")),
            Err(lost) => last = lost,
        }
    }
    Err(last)
}

/// `CLUSTER SLOTS`: ranges, each with its master and then its replicas. Slots that nobody holds are left out.
fn read_layout(value: &Value, asked: &Endpoint) -> Option<Layout> {
    let Value::Array(ranges) = value else { return None };
    let mut layout = Layout::new();
    for range in ranges {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), master, ..] = range.as_slice() else { return None };
        let master = address(master, asked)?;
        let tags = Tag::all().filter(|tag| (*first..=*last).contains(&i64::from(tag.slot())));
        match layout.iter_mut().find(|(endpoint, _)| *endpoint == master) {
            Some((_, held)) => held.extend(tags),
            None => layout.push((master, tags.collect())),
        }
    }
    layout.retain(|(_, tags)| !tags.is_empty());
    (!layout.is_empty()).then_some(layout)
}

/// Refuses a server that is a replica, from which old totals would be read. Who may not ask must trust.
pub(crate) async fn demand_master(link: &Link) -> Result<(), Lost> {
    let role = match link.ask(&cmd("ROLE"), ANSWER.1).await {
        Err(lost) if lost.is_forbidden() => return Ok(()),
        role => role?,
    };
    let Value::Array(values) = role else { return Err(Lost::NoMaster("server of an unknown kind".to_owned())) };
    match values.first().and_then(text) {
        Some("master") => Ok(()),
        other => Err(Lost::NoMaster(quoted(other.unwrap_or("server of an unknown kind")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), bulk("id")])
    }

    fn range(first: i64, last: i64, master: Value) -> Value {
        Value::Array(vec![Value::Int(first), Value::Int(last), master, node(bulk("replica"), 9)])
    }

    #[test]
    fn each_tag_is_with_the_master_that_holds_its_slot() {
        let asked = Endpoint::of_redis("rediss://seed").unwrap();
        let slots = Value::Array(vec![
            range(0, 5000, node(bulk("a"), 1)),
            range(5001, 10_000, node(Value::Nil, 2)),
            range(10_001, 16_383, node(bulk("a"), 1)),
        ]);
        let layout = read_layout(&slots, &asked).unwrap();
        let named = layout.iter().map(|(endpoint, tags)| (endpoint.to_string(), tags.len())).collect::<Vec<_>>();
        let middle = Tag::all().filter(|tag| (5001..=10_000).contains(&tag.slot())).count();
        assert_eq!(named, [("rediss://a:1".to_owned(), 64 - middle), ("rediss://seed:2".to_owned(), middle)]);
        assert!((10..40).contains(&middle));
    }

    #[test]
    fn what_is_no_layout_is_refused() {
        let asked = Endpoint::of_redis("redis://seed").unwrap();
        for value in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16_383, node(Value::Int(7), 1))]),
            Value::Array(vec![range(0, 16_383, node(bulk("a"), 70_000))]),
            Value::Array(vec![range(0, 16_383, node(bulk("a\r\nb"), 7))]),
        ] {
            assert_eq!(read_layout(&value, &asked), None, "{value:?}");
        }
    }
}
