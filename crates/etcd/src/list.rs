//! Everything below the prefix, in pages at one revision.

use crate::{
    failure::Lost,
    grpc::Channel,
    mirror::Mirror,
    proto::{RANGE, RangeRequest, RangeResponse, ResponseHeader},
};

/// Keys of a page. etcd counts all keys for each.
const PAGE: i64 = 10_000;
/// When a page is too long, the next has so many times fewer keys.
const SHRINK: i64 = 8;

/// What was seen of which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) cluster: u64,
    pub(crate) revision: i64,
}

impl From<ResponseHeader> for Position {
    fn from(header: ResponseHeader) -> Self {
        Self { cluster: header.cluster_id, revision: header.revision }
    }
}

/// The keys that are meant.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    prefix: Vec<u8>,
    end: Vec<u8>,
}

impl Range {
    pub(crate) fn of(prefix: &str) -> Self {
        // UTF-8 has no byte 0xff, so each byte has a next one.
        let mut end = prefix.as_bytes().to_vec();
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Self { prefix: prefix.as_bytes().to_vec(), end }
    }

    pub(crate) fn begin(&self) -> Vec<u8> {
        self.prefix.clone()
    }

    pub(crate) fn end(&self) -> Vec<u8> {
        self.end.clone()
    }

    /// A key without the prefix.
    pub(crate) fn name<'a>(&self, key: &'a [u8]) -> Result<&'a [u8], Lost> {
        key.strip_prefix(&self.prefix[..]).ok_or(Lost::Broken("a key that was not asked for"))
    }
}

/// Where the cluster is now; the read goes through its leader, so that a member that was cut off cannot answer.
pub(crate) async fn head(channel: &Channel, range: &Range) -> Result<Position, Lost> {
    let question = RangeRequest { key: range.begin(), range_end: range.end(), limit: 1, keys_only: true, ..Default::default() };
    let answer: RangeResponse = channel.ask(RANGE, &question).await?;
    Ok(answer.header.ok_or(Lost::Broken("an answer without a header"))?.into())
}

/// Tells the mirror everything, and says of when that is.
pub(crate) async fn list(channel: &Channel, range: &Range, mirror: &dyn Mirror) -> Result<Position, Lost> {
    mirror.begin();
    let mut question = RangeRequest { key: range.begin(), range_end: range.end(), limit: PAGE, ..Default::default() };
    let mut first: Option<Position> = None;
    loop {
        let page: RangeResponse = match channel.ask(RANGE, &question).await {
            Err(Lost::TooLarge(_)) if question.limit > 1 => {
                question.limit = (question.limit / SHRINK).max(1);
                continue;
            }
            answer => answer?,
        };
        let here: Position = page.header.ok_or(Lost::Broken("an answer without a header"))?.into();
        let first = *first.get_or_insert(here);
        if first.cluster != here.cluster || first.revision <= 0 {
            return Err(Lost::Replaced);
        }
        question.revision = first.revision;
        for pair in &page.kvs {
            if pair.key < question.key {
                return Err(Lost::Broken("keys out of order"));
            }
            mirror.listed(range.name(&pair.key)?, &pair.value);
        }
        match page.kvs.into_iter().last() {
            Some(last) if page.more => {
                question.key = last.key;
                question.key.push(0);
            }
            None if page.more => return Err(Lost::Broken("a page without keys before the end")),
            _ => return Ok(first),
        }
    }
}
