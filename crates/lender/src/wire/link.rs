//! A connection to a server: TCP or TLS as for every other store, and the codec and queue of the crate `redis` over it.
//!
//! It never connects again by itself and never sends a command twice.

use std::{sync::Arc, time::Duration};

use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, Value, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tollgate_filter_api::Secret;
use tollgate_outbound::tls;

use crate::{
    answer::Unsound,
    settings::Settings,
    wire::{
        endpoint::Endpoint,
        failure::Lost,
        stream::{Allowance, Metered},
    },
};

/// How long it may take to connect, with TLS and the credentials. No request waits for it.
const CONNECT: Duration = Duration::from_secs(1);
/// What the answers to the credentials may hold.
const GREETING: usize = 4 << 10;
/// Calls that wait to be written.
const QUEUE: usize = 1024;

/// A connection. It ends when this is dropped.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    allowance: Arc<Allowance>,
    driver: JoinHandle<()>,
    limit: Duration,
}

/// What a server wants to hear first.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a Secret>,
}

impl Link {
    /// Connects.
    pub(crate) async fn open(endpoint: &Endpoint, settings: &Settings, credentials: Credentials<'_>) -> Result<Self, Lost> {
        timeout(CONNECT, Self::connect(endpoint, settings, credentials)).await.unwrap_or(Err(Lost::Late(CONNECT)))
    }

    async fn connect(endpoint: &Endpoint, settings: &Settings, credentials: Credentials<'_>) -> Result<Self, Lost> {
        let tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(Lost::Connect)?;
        tcp.set_nodelay(true).map_err(Lost::Connect)?;
        if !endpoint.secure {
            return Self::over(tcp, settings.call(), credentials).await;
        }
        let stream = tls::handshake(&settings.files(), &endpoint.host, b"", tcp).await.map_err(|failure| match failure {
            tls::Failure::Files(problem) => Lost::Trust(problem),
            tls::Failure::Handshake(cause) => Lost::Tls(cause),
        })?;
        Self::over(stream, settings.call(), credentials).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        limit: Duration,
        credentials: Credentials<'_>,
    ) -> Result<Self, Lost> {
        let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(name) = credentials.username {
            info = info.set_username(name);
        }
        if let Some(password) = credentials.password {
            info = info.set_password(password.expose());
        }
        let allowance = Arc::new(Allowance::new(GREETING));
        // Each call has one time limit, ours.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_pipeline_buffer_size(QUEUE);
        let stream = Metered::new(stream, allowance.clone());
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
        Ok(Self { connection, allowance, driver: tokio::spawn(driver), limit })
    }

    /// Asks once, within the time limit; the answer may hold so many bytes.
    pub(crate) async fn ask(&self, command: &Cmd, most: usize) -> Result<Value, Lost> {
        self.within(self.ask_patiently(command, most)).await
    }

    /// Ends a call at the time limit.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T, Lost>>) -> Result<T, Lost> {
        timeout(self.limit, call).await.unwrap_or(Err(Lost::Late(self.limit)))
    }

    /// Asks once, without an end.
    pub(crate) async fn ask_patiently(&self, command: &Cmd, most: usize) -> Result<Value, Lost> {
        let _allowed = self.allowance.allow(most);
        match self.connection.clone().send_packed_command(command).await {
            Ok(Value::ServerError(error)) => Err(error.into()),
            Ok(value) => Ok(value),
            Err(_) if self.allowance.is_passed() => Err(Unsound::Length.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
