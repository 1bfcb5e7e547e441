//! Why a connection ended.

use std::{io, time::Duration};

use tollgate_filter_api::Problem;

use crate::listener::NotNow;

/// Why there is no subscription now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("{0}")]
    Trust(Problem),
    #[error("the subscription was not confirmed within {0:?}")]
    Late(Duration),
    #[error("nothing was heard for {0:?}, not even a heartbeat")]
    Silent(Duration),
    #[error("the broker took nothing for {0:?}")]
    Stuck(Duration),
    #[error("the broker closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Io(#[source] io::Error),
    #[error("the broker broke the protocol: {0}")]
    Broken(#[from] Broken),
    #[error("the broker refused the credentials: {0}")]
    Credentials(String),
    #[error("the broker says: {0}")]
    Refused(String),
    #[error("this broker cannot be used: {0}")]
    Unfit(&'static str),
    #[error("a message was left with the broker: {0}")]
    NotNow(#[from] NotNow),
}

/// What the broker sent cannot be read, or is over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) &'static str);
