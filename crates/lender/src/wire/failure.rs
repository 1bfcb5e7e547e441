//! Why a server is of no use now.

use std::{io, time::Duration};

use redis::{ErrorKind, RedisError, ServerError, ServerErrorKind};
use tollgate_filter_api::Problem;
use tollgate_outbound::quoted;

use crate::answer::Unsound;

/// Why there is no answer.
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
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the credentials were refused: {0}")]
    Credentials(String),
    /// The server's own words.
    #[error("an error was answered: {text}")]
    Refused { kind: Option<ServerErrorKind>, text: String },
    #[error("this server is a {0}, not a master")]
    NoMaster(String),
    #[error("no sentinel knows a master of the name `{0}`")]
    UnknownMaster(String),
    #[error("expected what the script answers, found {0}")]
    Unsound(#[from] Unsound),
}

impl Lost {
    /// Whether the server does not know our scripts.
    pub(crate) fn lacks_script(&self) -> bool {
        matches!(self, Self::Refused { kind: Some(ServerErrorKind::NoScript), .. })
    }

    /// Whether the keys are, or are about to be, with another master of the cluster, while this one is well.
    pub(crate) fn is_elsewhere(&self) -> bool {
        use ServerErrorKind::{Ask, Moved, TryAgain};
        matches!(self, Self::Refused { kind: Some(Moved | Ask | TryAgain), .. })
    }

    /// Whether the server may have a command, or an answer, and does not want to give it to this user.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { kind: Some(ServerErrorKind::NoPerm | ServerErrorKind::ResponseError), .. })
    }

    /// Whether the server said what it should not have been able to say.
    pub(crate) fn is_unsound(&self) -> bool {
        matches!(self, Self::Unsound(_))
    }
}

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        let text = quoted(&error.to_string());
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::Credentials(text),
            // No answer of Redis at all.
            ErrorKind::Parse => Self::Unsound(Unsound::Form),
            _ => Self::Broken(text),
        }
    }
}

impl From<ServerError> for Lost {
    fn from(error: ServerError) -> Self {
        Self::Refused { kind: error.kind(), text: quoted(&error.to_string()) }
    }
}
