//! Why a connection ended.

use std::{io, time::Duration};

use tollgate_filter_api::Problem;

use crate::mirror::Full;

/// Why nothing is mirrored now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("{0}")]
    Trust(Problem),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("nothing was heard for {0:?}, although progress was asked for")]
    Silent(Duration),
    #[error("the connection broke: {0}")]
    Http(#[from] h2::Error),
    #[error("expected an answer of etcd, found {0}")]
    Broken(&'static str),
    #[error("expected an answer of etcd, found HTTP status {0}")]
    Status(u16),
    #[error("an answer is longer than {0} bytes")]
    TooLarge(usize),
    #[error("etcd refused the credentials: {0}")]
    Credentials(String),
    #[error("etcd says: {0}")]
    Told(String),
    #[error("etcd closed the watch")]
    Closed,
    #[error("what changed meanwhile was compacted, up to revision {0}")]
    Compacted(i64),
    #[error("this is another cluster, or it was restored from a backup")]
    Replaced,
    #[error(transparent)]
    Full(#[from] Full),
}

impl Lost {
    /// Whether only a new listing of everything helps.
    pub(crate) fn asks_for_all(&self) -> bool {
        matches!(self, Self::Compacted(_) | Self::Replaced | Self::Full(_))
    }
}
