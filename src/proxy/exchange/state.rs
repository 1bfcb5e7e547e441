//! One request, from its head to its log line, by stages.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use pingora::{Error, ErrorType, connectors::http::Connector};
use tollgate_filter_api::{Answer, Body, Call, Cause, Fault, KeyType, Outcome, Principal, Reason, RequestId, Rule};

use super::{
    bodies::{subrequest::Back, whole_answer::Held},
    patience::Patience,
    response_rules::AnswerFields,
};
use crate::{
    chain::{Chain, Explanation, Run, nearest},
    judge::{Admitted, Place, Routing, Served, internal},
    proxy::{
        client::connection::Connection,
        running::snapshot::Snapshot,
        transport::{
            Dial, Flow,
            mirror::Copying,
            upstream_peer::{Selection, UpstreamPeer},
        },
    },
    upstreams::{Mirror, Report},
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

/// The state of one request, by stages: what a stage adds stands in a part of its own, and a later stage lies inside the earlier one.
/// Everything is decided by the snapshot that the request took when it arrived.
pub struct Exchange {
    /// When its head was read.
    pub begun: Instant,
    /// The same, on the wall clock.
    pub time: SystemTime,
    /// Its id.
    pub id: RequestId,
    /// The client's HTTP version.
    pub version: http::Version,
    /// It is a call of gRPC.
    pub grpc: bool,
    /// Where it came in, and what has become of it since.
    pub arrival: Option<Arrival>,
    /// Bytes of its body that went by.
    pub body_in: u64,
    /// Its body, when a filter asked for it whole.
    pub body: Option<Body>,
    /// How it ends.
    pub ending: Ending,
    /// A sub-request has taken it over.
    pub delegated: bool,
}

/// How a request ends, as far as that is known.
#[derive(Default)]
pub struct Ending {
    /// The answer's status. For a call of gRPC that the gateway refused, the one that the refusal would have over plain HTTP.
    pub status: u16,
    /// The code by which a call of gRPC ended, as far as that was seen.
    pub grpc_status: Option<u8>,
    /// Why the gateway answered itself, or will.
    pub ended: Option<Ended>,
    /// A note for the log: a fault, or the engine's error.
    pub note: Option<Cow<'static, str>>,
    /// The client application whose verified credential was refused.
    pub refused_client: Option<String>,
    /// The one that a refused credential names which nobody verified.
    pub claimed_client: Option<String>,
}

/// A request that has arrived.
pub struct Arrival {
    /// The client's connection.
    pub connection: Arc<Connection>,
    /// The configuration it is judged by.
    pub snapshot: Arc<Snapshot>,
    /// What was found out before its chain.
    pub routing: Routing,
    /// Its way through the chain of its operation, and upstream.
    pub course: Option<Course>,
}

/// A request that has come to its chain.
pub struct Course {
    /// Its way through the chain.
    pub admitted: Admitted,
    /// Its way upstream, when the chain let it pass.
    pub outbound: Option<Outbound>,
}

/// A request that goes upstream.
pub struct Outbound {
    /// The endpoints it may go to.
    pub selection: Selection,
    /// The connection to the last one, when the gateway keeps that itself.
    pub dial: Option<Arc<Dial>>,
    /// How many were tried.
    pub attempts: u32,
    /// The address of the last one.
    pub address: Option<SocketAddr>,
    /// When the first attempt began.
    pub begun: Instant,
    /// When the last one began to take the request's body.
    pub body_begun: Instant,
    /// When the upstream's part was over.
    pub ended: Option<Instant>,
    /// How long the upstream may still take.
    pub patience: Patience,
    /// What the answer's fields hold that must be seen to.
    pub answer_fields: Option<AnswerFields>,
    /// Who gets a copy of it.
    pub mirror: Option<Arc<Mirror<UpstreamPeer>>>,
    /// The copy, while it is made.
    pub copying: Option<Box<Copying>>,
    /// The pause before the next attempt.
    pub pause: Option<Duration>,
    /// The answer may be tried elsewhere: nothing of it was passed on.
    pub status_retry: bool,
    /// A filter that let it pass reads answers whole.
    pub reads_answers: bool,
    /// In a sub-request: who waits for what is held.
    pub back: Option<Back>,
    /// The answer, when it is held.
    pub held: Option<Box<Held>>,
}

/// Everything that is there while a request goes upstream.
pub struct Going<'a> {
    /// Its id.
    pub id: RequestId,
    /// The client's HTTP version.
    pub version: http::Version,
    /// The client's connection.
    pub connection: &'a Arc<Connection>,
    /// The configuration it is judged by.
    pub snapshot: &'a Arc<Snapshot>,
    /// What was found out before its chain.
    pub routing: &'a Routing,
    /// The chain.
    pub chain: &'a Chain,
    /// What filters know of the request.
    pub call: &'a Call,
    /// Its way through the chain.
    pub run: &'a mut Run,
    /// Its way upstream.
    pub outbound: &'a mut Outbound,
    /// Its body, when a filter asked for it whole.
    pub body: Option<&'a Body>,
    /// How it ends.
    pub ending: &'a mut Ending,
}

impl Exchange {
    /// A request of which nothing is known.
    pub fn new(id: RequestId, time: SystemTime) -> Self {
        Self {
            begun: Instant::now(),
            time,
            id,
            version: http::Version::HTTP_11,
            grpc: false,
            arrival: None,
            body_in: 0,
            body: None,
            ending: Ending::default(),
            delegated: false,
        }
    }

    /// Its parts on the way upstream.
    ///
    /// # Errors
    /// When it is not on its way. The engine does not ask then.
    pub fn going(&mut self) -> pingora::Result<Going<'_>> {
        let (id, version, body, ending) = (self.id, self.version, self.body.as_ref(), &mut self.ending);
        match &mut self.arrival {
            Some(Arrival { connection, snapshot, routing, course: Some(Course { admitted, outbound: Some(outbound) }) }) => {
                let Admitted { chain, call, run, .. } = admitted;
                Ok(Going { id, version, connection, snapshot, routing, chain, call, run, outbound, body, ending })
            }
            _ => Err(Error::explain(ErrorType::InternalError, "a request that no chain let pass is on its way upstream")),
        }
    }

    /// The configuration it is judged by.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.arrival.as_ref().map(|arrival| &*arrival.snapshot)
    }

    /// Its way upstream.
    pub fn outbound(&self) -> Option<&Outbound> {
        self.arrival.as_ref()?.course.as_ref()?.outbound.as_ref()
    }

    /// The same, to be changed.
    pub fn outbound_mut(&mut self) -> Option<&mut Outbound> {
        self.arrival.as_mut()?.course.as_mut()?.outbound.as_mut()
    }

    /// Its way through the chain.
    pub fn admitted(&self) -> Option<&Admitted> {
        self.arrival.as_ref()?.course.as_ref().map(|course| &course.admitted)
    }

    /// The same, to be changed.
    pub fn admitted_mut(&mut self) -> Option<&mut Admitted> {
        self.arrival.as_mut()?.course.as_mut().map(|course| &mut course.admitted)
    }

    /// The operation, once routed.
    pub fn served(&self) -> Option<&Served> {
        self.arrival.as_ref()?.served()
    }

    /// The caller, once known.
    pub fn principal(&self) -> Option<&Principal> {
        self.admitted()?.run.facts.get::<Principal>()
    }

    /// Which line decided that it is refused, and what came of the alternatives, for the log.
    pub fn explain(&self) -> Option<Explanation> {
        let cause = self.ending.ended.as_ref()?.cause.as_ref();
        let config = self.snapshot()?.config();
        let written = |pointer: &str| config.place(pointer);
        let of_filter = self.admitted().and_then(|Admitted { chain, run, .. }| run.explain(chain, cause, &written));
        let of_gateway = || match cause?.rule() {
            Rule::Gateway(pointer) => Some(Explanation { asked_by: nearest(pointer, &written), alternatives: Vec::new() }),
            _ => None,
        };
        of_filter.or_else(of_gateway)
    }

    /// Kind of the caller's key.
    pub fn key_type(&self) -> KeyType {
        self.principal().map(|principal| principal.key_type).unwrap_or_default()
    }

    /// Tells the chain that it is over, after so many bytes of body to the client.
    pub fn chain_done(&mut self, bytes_out: u64) {
        let reason = self.ending.ended.as_ref().map(|ended| ended.reason.id);
        let outcome = Outcome { status: self.ending.status, reason, bytes_in: self.body_in, bytes_out };
        if let Some(Admitted { chain, call, run, .. }) = self.admitted_mut() {
            run.done(chain, call, outcome);
        }
    }
}

impl Ending {
    /// An error for a fault, which is noted for the log.
    pub fn faulted(&mut self, fault: &Fault) -> Box<Error> {
        self.note = Some(fault.to_string().into());
        Error::explain(ErrorType::InternalError, "a filter could not decide").into_in()
    }
}

impl Arrival {
    /// A request that came on this connection.
    pub fn new(id: RequestId, connection: Arc<Connection>, snapshot: Arc<Snapshot>) -> Self {
        Self { connection, snapshot, routing: Routing::unknown(id), course: None }
    }

    /// The operation, once routed.
    pub fn served(&self) -> Option<&Served> {
        let Place::Operation(index) = self.routing.place else { return None };
        self.snapshot.judge.operations.get(index as usize)
    }

    /// Says in the process log that a filter could not decide, unless that was said a moment ago.
    pub fn log_fault(&self, fault: &Fault, now: Instant) {
        let Place::Operation(index) = self.routing.place else { return };
        let (served, faults) = (&self.snapshot.judge.operations[index as usize], &self.snapshot.faults[index as usize]);
        faults.log(&served.info, fault, now);
    }
}

impl Outbound {
    /// Nothing was tried yet.
    pub fn new(selection: Selection) -> Self {
        let begun = Instant::now();
        Self {
            selection,
            dial: None,
            attempts: 0,
            address: None,
            begun,
            body_begun: begun,
            ended: None,
            patience: Patience::default(),
            answer_fields: None,
            mirror: None,
            copying: None,
            pause: None,
            status_retry: false,
            reads_answers: false,
            back: None,
            held: None,
        }
    }

    /// What is under way on the connection to the upstream.
    pub fn flow(&self) -> Option<&Flow> {
        self.dial.as_ref()?.flow()
    }

    /// A piece of the body goes into the copy, which is sent at the end. Of a request that is tried again, the first attempt is copied.
    pub fn copy(&mut self, piece: Option<&Bytes>, end: bool, connector: &Arc<Connector>) {
        let Some(mut copying) = self.copying.take() else { return };
        if !piece.is_none_or(|piece| copying.piece(piece)) {
            return;
        }
        if end {
            copying.send(connector.clone());
        } else {
            self.copying = Some(copying);
        }
    }

    /// Whether the group's retries have a further attempt for the request.
    pub fn retry(&mut self) -> bool {
        let pause = self.selection.retry(self.patience.remaining());
        self.pause = pause;
        pause.is_some()
    }

    /// Whether the group's retries may pause so long, and the exchange lasts longer.
    pub fn may_pause(&self, pause: Duration) -> bool {
        let longest = self.selection.longest_pause();
        longest.is_some_and(|longest| pause <= longest) && self.patience.remaining().is_none_or(|left| pause < left)
    }

    /// Time spent with upstreams.
    pub fn duration(&self) -> Option<Duration> {
        let ended = self.ended.unwrap_or_else(Instant::now);
        (self.attempts > 0).then(|| ended.saturating_duration_since(self.begun))
    }

    /// The upstream was connected to anew, or has answered.
    pub fn reached(&mut self) {
        if let Some(address) = self.address {
            self.selection.report(Report::Reached(address));
        }
    }
}
