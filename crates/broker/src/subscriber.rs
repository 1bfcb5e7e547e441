//! One subscription, for as long as somebody wants it: connect, listen, and when that ends, again.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc};

use tokio::time::{Instant, sleep, timeout};
use tollgate_filter_api::Problem;
use tollgate_outbound::Backoff;

use crate::{
    amqp10, amqp091,
    endpoint::{Endpoint, Protocol},
    failure::Lost,
    listener::Listener,
    peer::Peer,
    settings::{Settings, check},
    stomp,
    wire::{PATIENCE, Wire},
};

/// Listens until `shutdown` ends; connects again for ever, after 0.2 s at first and 10 s at most, less up to half of it
/// at random. One task: dropping the future ends the connection and everything else. Messages are heard one by one; while
/// the listener is busy nothing is read.
///
/// # Errors
/// At once, when [`check`] finds something wrong.
pub async fn run(settings: Settings, listener: Arc<dyn Listener>, shutdown: impl Future<Output = ()>) -> Result<(), Problem> {
    check(&settings)?;
    let endpoint = Endpoint::parse(&settings.url)?;
    let mut shutdown = pin!(shutdown);
    let mut backoff = Backoff::default();
    loop {
        let mut attempt = Attempt { endpoint: &endpoint, settings: &settings, listener: &*listener, wire: None, confirmed: None };
        let lost = tokio::select! {
            biased;
            () = &mut shutdown => None,
            lost = attempt.run() => Some(lost),
        };
        let Some(lost) = lost else {
            if let Some(mut wire) = attempt.wire {
                wire.farewell().await;
            }
            return Ok(());
        };
        backoff.ended(attempt.confirmed.map(|since| since.elapsed()));
        drop(attempt);
        listener.lost(&lost.to_string());
        tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            () = sleep(backoff.wait()) => {}
        }
    }
}

/// One connection, from its beginning to its end.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    settings: &'a Settings,
    listener: &'a dyn Listener,
    wire: Option<Wire>,
    confirmed: Option<Instant>,
}

impl Attempt<'_> {
    async fn run(&mut self) -> Lost {
        match self.listen().await {
            Ok(never) => match never {},
            Err(lost) => lost,
        }
    }

    async fn listen(&mut self) -> Result<Infallible, Lost> {
        let connect = Wire::connect(self.endpoint, self.settings);
        let wire = self.wire.insert(timeout(PATIENCE, connect).await.map_err(|_| Lost::Late(PATIENCE))??);
        let peer = Peer { wire, endpoint: self.endpoint, settings: self.settings, listener: self.listener };
        match self.endpoint.protocol {
            Protocol::Stomp => {
                let session = confirmed(stomp::open(peer)).await?;
                confirm(self.listener, &mut self.confirmed, true);
                session.listen().await
            }
            Protocol::Amqp10 => {
                let session = confirmed(amqp10::open(peer)).await?;
                confirm(self.listener, &mut self.confirmed, session.is_exact());
                session.listen().await
            }
            Protocol::Amqp091 => {
                let session = confirmed(amqp091::open(peer)).await?;
                confirm(self.listener, &mut self.confirmed, session.is_exact());
                session.listen().await
            }
        }
    }
}

async fn confirmed<S>(opening: impl Future<Output = Result<S, Lost>>) -> Result<S, Lost> {
    timeout(PATIENCE, opening).await.map_err(|_| Lost::Late(PATIENCE))?
}

fn confirm(listener: &dyn Listener, since: &mut Option<Instant>, exact: bool) {
    *since = Some(Instant::now());
    listener.connected(exact);
}
