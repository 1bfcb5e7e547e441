//! One request, from its head to its log line.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tollgate_filter_api::{Answer, Body, Call, Cause, Fault, KeyType, Outcome, Principal, Reason, RequestId};

use super::{patience::Patience, response_rules::AnswerFields, subrequest::Back, whole_answer::Held};
use crate::{
    chain::{Chain, Explanation, Run},
    judge::{Decision, Place, Served, admit::FieldsPresent, internal},
    proxy::{
        client::connection::Connection,
        running::snapshot::Snapshot,
        transport::{Dial, Flow, upstream_peer::Selection},
    },
};

/// Why the gateway answered a request itself. Made of an answer alone, so that no refusal is without its cause.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The reason.
    pub reason: &'static Reason,
    /// Why, unless it is a reply.
    pub cause: Option<Arc<Cause>>,
    _made_of_an_answer: (),
}

impl From<&Answer> for Ended {
    fn from(answer: &Answer) -> Self {
        Self { reason: answer.reason(), cause: answer.cause().cloned(), _made_of_an_answer: () }
    }
}

impl Ended {
    /// The answer that says so once more.
    pub fn answer(&self) -> Answer {
        match &self.cause {
            Some(cause) => self.reason.because(cause.clone()),
            None => internal("a reply was not sent"),
        }
    }
}

/// The state of one request. Everything is decided by the snapshot it took at its beginning.
pub struct Exchange {
    /// When its head was read.
    pub begun: Instant,
    /// The same, on the wall clock.
    pub time: SystemTime,
    /// Its id.
    pub id: RequestId,
    /// The client's connection.
    pub connection: Option<Arc<Connection>>,
    /// The configuration it is judged by.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Where it goes.
    pub place: Place,
    /// The client's HTTP version.
    pub version: http::Version,
    /// Host, in normal form.
    pub host: Arc<str>,
    /// What its fields hold that must be seen to.
    pub present: FieldsPresent,
    /// The same of the answer that has come.
    pub answer_fields: Option<AnswerFields>,
    /// Its fields hold what belongs to one connection.
    pub hop_by_hop: bool,
    /// What filters know of it.
    pub call: Option<Call>,
    /// Its way through the chain.
    pub run: Option<Run>,
    /// Bytes of the path that are the base path.
    pub base_len: usize,
    /// The endpoints it may go to.
    pub selection: Option<Selection>,
    /// The connection to it, when the gateway keeps that itself.
    pub dial: Option<Arc<Dial>>,
    /// How many were tried.
    pub attempts: u32,
    /// The address of the last one.
    pub upstream: Option<SocketAddr>,
    /// When the first attempt began.
    pub upstream_begun: Option<Instant>,
    /// When the upstream's part was over.
    pub upstream_ended: Option<Instant>,
    /// How long the upstream may still take.
    pub patience: Patience,
    /// Bytes of the request body that went by.
    pub body_in: u64,
    /// The body, when a filter asked for it whole.
    pub body: Option<Body>,
    /// Why the gateway answered itself, or will.
    pub ended: Option<Ended>,
    /// A note for the log: a fault, or the engine's error.
    pub note: Option<Cow<'static, str>>,
    /// The client application whose verified credential was refused.
    pub refused_client: Option<String>,
    /// The one that a refused credential names which nobody verified.
    pub claimed_client: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// The answer may be tried elsewhere: nothing of it was passed on.
    pub status_retry: bool,
    /// A sub-request has taken over.
    pub delegated: bool,
    /// A filter that let it pass reads answers whole.
    pub reads_answers: bool,
    /// In a sub-request: who waits for what is held.
    pub back: Option<Back>,
    /// The answer, when it is held.
    pub held: Option<Box<Held>>,
}

impl Exchange {
    /// A request of which nothing is known.
    pub fn new(id: RequestId, time: SystemTime) -> Self {
        Self {
            begun: Instant::now(),
            time,
            id,
            connection: None,
            snapshot: None,
            place: Place::Nowhere,
            version: http::Version::HTTP_11,
            host: Arc::default(),
            present: FieldsPresent::default(),
            answer_fields: None,
            hop_by_hop: true,
            call: None,
            run: None,
            base_len: 0,
            selection: None,
            dial: None,
            attempts: 0,
            upstream: None,
            upstream_begun: None,
            upstream_ended: None,
            patience: Patience::default(),
            body_in: 0,
            body: None,
            ended: None,
            note: None,
            refused_client: None,
            claimed_client: None,
            status: 0,
            status_retry: false,
            delegated: false,
            reads_answers: false,
            back: None,
            held: None,
        }
    }

    /// Takes over what was found out about the request, and the endpoints that its group has now.
    pub fn adopt(&mut self, decision: Decision, snapshot: &Snapshot) {
        (self.id, self.place, self.host, self.present) = (decision.id, decision.place, decision.host, decision.present);
        (self.hop_by_hop, self.base_len) = (decision.hop_by_hop, decision.base_len);
        (self.call, self.run) = (decision.call, decision.run);
        self.selection = decision.group.map(|group| snapshot.upstreams.group(group).select());
    }

    /// The operation, once routed.
    pub fn served(&self) -> Option<&Served> {
        match (&self.snapshot, self.place) {
            (Some(snapshot), Place::Operation(index)) => snapshot.judge.operations.get(index as usize),
            _ => None,
        }
    }

    /// Says in the process log that a filter could not decide, unless that was said a moment ago.
    pub fn log_fault(&self, fault: &Fault, now: Instant) {
        let (Some(snapshot), Place::Operation(index)) = (&self.snapshot, self.place) else { return };
        let (served, faults) = (&snapshot.judge.operations[index as usize], &snapshot.faults[index as usize]);
        faults.log(&served.info, fault, now);
    }

    /// The chain, when one of its filters has a say in what comes after the request's own phase.
    pub fn running(&self) -> Option<Arc<Chain>> {
        let _ = self.run.as_ref().filter(|run| !run.is_idle())?;
        self.served().map(|served| served.chain.clone())
    }

    /// The caller, once known.
    pub fn principal(&self) -> Option<&Principal> {
        self.run.as_ref()?.facts.get::<Principal>()
    }

    /// Why a filter refused it, for the log.
    pub fn explain(&self) -> Option<Explanation> {
        let _ = self.ended.as_ref()?;
        self.run.as_ref()?.explain(&self.served()?.chain)
    }

    /// Kind of the caller's key.
    pub fn key_type(&self) -> KeyType {
        self.principal().map(|principal| principal.key_type).unwrap_or_default()
    }

    /// What is under way on the connection to the upstream.
    pub fn flow(&self) -> Option<&Flow> {
        self.dial.as_ref()?.flow()
    }

    /// Time spent with upstreams.
    pub fn upstream_duration(&self) -> Option<Duration> {
        let ended = self.upstream_ended.unwrap_or_else(Instant::now);
        self.upstream_begun.map(|begun| ended.saturating_duration_since(begun))
    }

    /// Tells the chain that it is over.
    pub fn chain_done(&mut self) {
        let outcome = Outcome { status: self.status, reason: self.ended.as_ref().map(|ended| ended.reason.id) };
        let chain = self.running();
        if let (Some(chain), Some(run), Some(call)) = (chain, &mut self.run, &self.call) {
            run.done(&chain, call, outcome);
        }
    }
}
