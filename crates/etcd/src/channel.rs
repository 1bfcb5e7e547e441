//! What is asked of a member, by way of etcd-client: each answer has a limit, and each wait an end.

use std::{future::Future, time::Duration};

use etcd_client::{Client, ConnectOptions, Error, GetOptions, GetResponse, WatchOptions, WatchStream, proto::PbWatchResponse};
use tokio::time::timeout;
use tower::util::BoxCloneSyncService;

use crate::{answer::Unfit, connection::Connection, endpoint::Endpoint, failure::Lost, settings::Settings};

/// How long a connection, and each answer, may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a message. etcd holds its clients to 1.5 MiB a request, and a watch's answers to little more. A message of
/// nothing but empty events takes 84 times its size when read, and for a moment half as much again.
pub(crate) const MOST: usize = 4 << 20;

/// A connection to a member. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Channel(Client);

impl Channel {
    /// Connects, and says who we are.
    pub(crate) async fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Self, Lost> {
        let connection = in_time(Connection::open(endpoint, settings)).await?;
        // A member that has no leader ends its watches, instead of telling nothing new for as long as it is cut off.
        let mut options = ConnectOptions::new().with_require_leader(true);
        if let (Some(name), Some(password)) = (&settings.username, &settings.password) {
            options = options.with_user(name, password.expose());
        }
        let channel = etcd_client::Channel::Custom(BoxCloneSyncService::new(connection));
        in_time(Client::from_channel(channel, Some(options))).await.map(Self).map_err(refused)
    }

    /// Takes a new token, where there is a user.
    pub(crate) async fn authenticate(&self) -> Result<(), Lost> {
        in_time(self.0.refresh_token()).await.map_err(refused)
    }

    /// Reads keys.
    pub(crate) async fn get(&self, key: Vec<u8>, options: GetOptions) -> Result<GetResponse, Lost> {
        let mut keys = self.0.kv_client().max_decoding_message_size(MOST);
        in_time(keys.get(key, Some(options))).await
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, key: Vec<u8>, options: WatchOptions) -> Result<Watch, Lost> {
        let mut watches = self.0.watch_client().max_decoding_message_size(MOST);
        Ok(Watch(in_time(watches.watch(key, Some(options))).await?))
    }
}

/// Words both ways.
pub(crate) struct Watch(WatchStream);

impl Watch {
    /// Asks how far the watch is.
    pub(crate) async fn ask_progress(&mut self) -> Result<(), Lost> {
        // A hundred requests wait at most; then this waits for a server that reads none.
        in_time(self.0.request_progress()).await
    }

    /// Watches something else too.
    pub(crate) async fn add(&mut self, key: Vec<u8>, options: WatchOptions) -> Result<(), Lost> {
        in_time(self.0.watch(key, Some(options))).await
    }

    /// The next word; may be dropped while it waits, and called again.
    pub(crate) async fn next(&mut self) -> Result<PbWatchResponse, Lost> {
        Ok(self.0.message().await?.ok_or(Lost::Closed)?.0)
    }
}

async fn in_time<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, Lost>
where
    Lost: From<E>,
{
    Ok(timeout(PATIENCE, work).await.map_err(|_| Lost::Late(PATIENCE))??)
}

/// What went wrong where nothing but a user was named.
fn refused(lost: Lost) -> Lost {
    match lost {
        Lost::Unfit(Unfit::Refused(why)) => Lost::Credentials(why),
        lost => lost,
    }
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        match error {
            Error::GRpcStatus(status) => Self::from(&status),
            Error::InvalidMetadataValue(_) => Self::Broken("a token that no field may hold"),
            Error::WatchError(cause) => Self::Http(cause),
            other => Self::Answer(other.to_string()),
        }
    }
}
