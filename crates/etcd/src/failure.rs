//! Why a connection ended.

use std::{error::Error, io, time::Duration};

use tollgate_filter_api::Problem;
use tollgate_outbound::quoted;
use tonic::{Code, Status};

use crate::{
    answer::Unfit,
    channel::MOST,
    keys::Range,
    mirror::{Full, Refused},
};

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
    Http(String),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("expected an answer of etcd, found one that cannot be used: {0}")]
    Answer(String),
    #[error("expected an answer of etcd, found {0}")]
    Broken(&'static str),
    #[error("an answer is longer than {0} bytes")]
    TooLarge(usize),
    #[error("etcd refused the credentials: {0}")]
    Credentials(String),
    #[error("etcd says: {}, about `{}`", .0.why, .0.keys.beginning())]
    Denied(Refused),
    #[error("what was refused is asked for again")]
    Again,
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
    /// What was said of a range.
    pub(crate) fn about(self, range: &Range) -> Self {
        match self {
            // Answers have no more than a text to tell this from what another member would not say.
            Self::Unfit(Unfit::Refused(why)) if why.contains("permission denied") => {
                Self::Denied(Refused { keys: range.keys().clone(), why })
            }
            other => other,
        }
    }

    /// Whether only a new listing of everything helps.
    pub(crate) fn asks_for_all(&self) -> bool {
        // A watch is refused, too, when a range has come to be denied: the listing says which.
        matches!(self, Self::Compacted(_) | Self::Replaced | Self::Full(_) | Self::Denied(_) | Self::Again | Self::Unfit(Unfit::Refused(_)))
    }
}

impl From<hyper::Error> for Lost {
    fn from(error: hyper::Error) -> Self {
        Self::Http(causes(&error))
    }
}

impl From<&Status> for Lost {
    /// What etcd said, and what broke, is the source of the status; what tonic does not like has none.
    fn from(status: &Status) -> Self {
        match status.source() {
            Some(source) => source.downcast_ref::<Unfit>().map_or_else(|| Self::Http(causes(source)), |unfit| unfit.clone().into()),
            None if status.code() == Code::OutOfRange => Self::TooLarge(MOST),
            None => Self::Answer(quoted(status.message())),
        }
    }
}

/// An error and what it came from, in one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    quoted(&text)
}
