//! A subscription to a message broker, kept running.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::sync::{oneshot, watch};
use tollgate_broker::{ClientCertificate, Listener, Settings};

use super::supervisor::supervise;
use crate::config::{self, Broker};

/// How often a listener may look after its own.
const TICK: Duration = Duration::from_millis(250);

/// How long a goodbye to the broker may take.
pub(in crate::stores) const GOODBYE: Duration = Duration::from_secs(1);

/// What the client wants to know.
pub(in crate::stores) fn settings(broker: &Broker) -> Settings {
    let pair = |pair: &config::KeyPair| ClientCertificate { certificate: pair.certificate.clone(), key: pair.key.clone() };
    let mut settings = Settings::new(broker.url.clone(), broker.topic.clone());
    settings.username.clone_from(&broker.username);
    settings.password.clone_from(&broker.password);
    settings.subscription.clone_from(&broker.subscription);
    settings.ca.clone_from(&broker.ca);
    settings.client_certificate = broker.client_certificate.as_ref().map(pair);
    settings.heartbeat = broker.heartbeat.0;
    settings
}

/// A listener that looks after its own meanwhile.
pub(in crate::stores) trait Attentive: Listener {
    /// Called every quarter of a second while it is listened.
    fn tick(&self);
    /// The task that listens failed; it is started again.
    fn failed(&self);
}

/// Listens until `stop` is dropped; a failure of the task is told and survived.
pub(in crate::stores) async fn listen<E: Attentive>(settings: Settings, ear: Arc<E>, stop: oneshot::Receiver<()>) {
    let (ended, _) = watch::channel(false);
    let make = || {
        let (settings, ear, mut ended) = (settings.clone(), ear.clone(), ended.subscribe());
        async move {
            let stop = async move {
                let _ = ended.wait_for(|ended| *ended).await;
            };
            let run = tollgate_broker::run(settings, ear.clone(), stop);
            // What came is heard before it is asked for how long nothing came, be it that we could not listen.
            tokio::select! {
                biased;
                done = run => done,
                never = tick(ear) => match never {},
            }
        }
    };
    let failed = |failure: &str| {
        log::error!("the task that listens to the broker is started again: {failure}");
        ear.failed();
        ear.lost("the task that listens failed");
    };
    let stopping = async {
        let _ = stop.await;
        let _ = ended.send(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = supervise(make, failed) => if let Err(problem) = done {
            // A file that was there when the settings were checked. New settings, or a restart, try again.
            log::error!("the broker is not listened to: {problem}");
            ear.lost(&problem.to_string());
            std::future::pending::<()>().await;
        },
        () = stopping => {}
    }
}

async fn tick(ear: Arc<impl Attentive>) -> Infallible {
    loop {
        tokio::time::sleep(TICK).await;
        ear.tick();
    }
}
