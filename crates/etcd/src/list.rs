//! Everything in the ranges, in pages at one revision.

use etcd_client::{GetOptions, ResponseHeader};
use futures_util::future::try_join_all;

use crate::{
    channel::Channel,
    failure::Lost,
    keys::{Range, Scope},
    mirror::Mirror,
};

/// Keys of a page. etcd counts all keys for each.
const PAGE: i64 = 10_000;
/// Ranges that are asked for at the same time.
const TOGETHER: usize = 32;
/// When a page is too long, the next has so many times fewer keys.
const SHRINK: i64 = 8;

/// What was seen of which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) cluster: u64,
    pub(crate) revision: i64,
}

impl Position {
    fn of(header: Option<&ResponseHeader>) -> Result<Self, Lost> {
        let header = header.ok_or(Lost::Broken("an answer without a header"))?;
        Ok(Self { cluster: header.cluster_id(), revision: header.revision() })
    }
}

/// Where the cluster is now; the read goes through its leader, so that a member that was cut off cannot answer.
pub(crate) async fn head(channel: &Channel, ranges: &[Range]) -> Result<Position, Lost> {
    let range = ranges.first().ok_or(Lost::Broken("nothing to ask for"))?;
    let options = options(range).with_limit(1).with_keys_only();
    Position::of(channel.get(range.begin(), options).await?.header())
}

fn options(range: &Range) -> GetOptions {
    GetOptions::new().with_range(range.end())
}

/// Tells the mirror everything, and says of when that is.
pub(crate) async fn list(channel: &Channel, scope: &Scope, mirror: &dyn Mirror) -> Result<Position, Lost> {
    mirror.without(&scope.refused);
    mirror.begin();
    let (first, others) = scope.ranges.split_first().ok_or(Lost::Broken("nothing to ask for"))?;
    let position = pages(channel, first, mirror, None).await?;
    for some in others.chunks(TOGETHER) {
        try_join_all(some.iter().map(|range| pages(channel, range, mirror, Some(position)))).await?;
    }
    Ok(position)
}

/// Tells the mirror one range, as it was at the position, or as it is.
async fn pages(channel: &Channel, range: &Range, mirror: &dyn Mirror, mut first: Option<Position>) -> Result<Position, Lost> {
    let (mut key, mut limit) = (range.begin(), PAGE);
    loop {
        let revision = first.map_or(0, |first| first.revision);
        let options = options(range).with_limit(limit).with_revision(revision);
        let page = match channel.get(key.clone(), options).await {
            Err(Lost::TooLarge(_)) if limit > 1 => {
                limit = (limit / SHRINK).max(1);
                continue;
            }
            answer => answer.map_err(|lost| lost.about(range))?,
        };
        let here = Position::of(page.header())?;
        let first = *first.get_or_insert(here);
        if first.cluster != here.cluster || first.revision <= 0 {
            return Err(Lost::Replaced);
        }
        for pair in page.kvs() {
            if pair.key() < &key[..] {
                return Err(Lost::Broken("keys out of order"));
            }
            mirror.listed(range.own(pair.key())?, pair.value());
        }
        match page.kvs().last() {
            Some(last) if page.more() => {
                key = last.key().to_vec();
                key.push(0);
            }
            None if page.more() => return Err(Lost::Broken("a page without keys before the end")),
            _ => return Ok(first),
        }
    }
}
