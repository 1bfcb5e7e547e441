//! How long the gateway waits for an upstream, and for how many interim answers.
//!
//! The time for the head of an answer begins when the request goes out, and anew with each piece of its body. Interim answers do not
//! prolong it. The time for the whole begins with the first attempt, and further attempts do not prolong it either. A client of gRPC may set
//! a deadline besides: what comes first counts.

use std::time::{Duration, Instant};

use http::Version;
use pingora::{Error, ErrorType, protocols::ALPN, upstreams::peer::PeerOptions};
use tollgate_filter_api::{Answer, Cause, CauseKind, Rule, Shown};

use super::state::{Ended, Exchange};
use crate::{chain::gateway as reasons, proxy::transport::upstream_connections::Hold, upstreams::Timeouts};

/// Most interim answers to one request. Servers send one or two (RFC 9110 §15.2); each costs a write to the client.
const MOST_INTERIM: u8 = 16;

/// How much later than the client's deadline the engine's timer ends a silent call over HTTP/2. Client and upstream know the deadline
/// too and end the call by themselves as a rule; the engine gives the connection up besides, with the calls of others.
const GRACE: Duration = Duration::from_millis(100);

/// What one exchange has left.
#[derive(Debug, Default)]
pub struct Patience {
    /// When the client waits no longer.
    deadline: Option<Instant>,
    /// When the whole must be over, for the client or for the group.
    end: Option<Instant>,
    /// Time for the head of an answer.
    header: Duration,
    hold: Option<Hold>,
    interim: u8,
    answered: bool,
}

/// What an upstream has spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// The time for the head of the answer.
    Header,
    /// The time for the whole exchange.
    Request,
    /// The time that the client gave.
    Deadline,
    /// The interim answers to one request.
    Interim,
}

impl Spent {
    fn answer(self, header: Duration) -> Answer {
        let over = |about, rule| Cause::new(CauseKind::OverLimit, about, rule);
        match self {
            Self::Header => {
                let cause = over("time to the head of the answer", Rule::Gateway("/upstream/response_header_timeout"));
                reasons::HEADER_TIMEOUT.because(cause.wanted(Shown::Seconds(header.as_secs())))
            }
            Self::Request => {
                reasons::REQUEST_TIMEOUT.because(over("time of the whole exchange", Rule::Gateway("/upstream/request_timeout")))
            }
            Self::Deadline => reasons::GRPC_DEADLINE.because(over("time of the call", Rule::Fixed("the client's `grpc-timeout`"))),
            Self::Interim => {
                let cause = over("number of interim answers", Rule::Fixed("the gateway's own limit"));
                reasons::INTERIM.because(cause.wanted(usize::from(MOST_INTERIM)))
            }
        }
    }
}

impl Patience {
    /// The client waits until then.
    pub fn wait_until(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// The exchange with a group begins, or goes on: it began at that time, and may last so long.
    pub fn begin(&mut self, begun: Instant, limit: Option<Duration>) {
        let limit = limit.and_then(|limit| begun.checked_add(limit));
        self.end = [limit, self.deadline].into_iter().flatten().min();
    }

    /// When the whole must be over.
    pub fn end(&self) -> Option<Instant> {
        self.end
    }

    /// What is left of the time for the whole.
    pub fn remaining(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// A pause before another attempt, no longer than the whole may last.
    pub fn shortened(&self, pause: Duration) -> Duration {
        self.end.map_or(pause, |end| pause.min(end.saturating_duration_since(Instant::now())))
    }

    /// What is left of the time that the client gave, or of the whole when that is less. `None` when the client gave none.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.and(self.end).map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// An attempt begins; the first began at that time. The request may ask for another protocol.
    ///
    /// # Errors
    /// When the time for the whole is over.
    pub fn attempt(&mut self, begun: Instant, timeouts: &Timeouts, options: &mut PeerOptions, upgrade: bool) -> Result<(), Spent> {
        self.begin(begun, timeouts.request);
        *self = Self { deadline: self.deadline, end: self.end, header: timeouts.response_header, ..Self::default() };
        let Some(end) = self.end else { return Ok(()) };
        let now = Instant::now();
        self.within(now)?;
        let left = end.saturating_duration_since(now);
        let grace = if self.over() == Spent::Deadline { GRACE } else { Duration::ZERO };
        let shorten = |limit: &mut Option<Duration>| *limit = limit.map(|limit| limit.min(left + grace));
        [&mut options.connection_timeout, &mut options.total_connection_timeout].into_iter().for_each(shorten);
        // Over HTTP/1.1 the connection is cut; and one that turns into a tunnel may be silent for as long as others.
        if options.alpn != ALPN::H1 && !upgrade {
            [&mut options.read_timeout, &mut options.write_timeout].into_iter().for_each(shorten);
        }
        Ok(())
    }

    /// The connection is there.
    pub fn connected(&mut self, hold: Option<Hold>) {
        self.hold = hold;
    }

    /// The head of the request goes out.
    ///
    /// # Errors
    /// When a time is over.
    pub fn head_sent(&mut self, version: Version) -> Result<(), Spent> {
        if version == Version::HTTP_2 {
            self.hold = None;
        }
        self.await_head()
    }

    /// A piece of the request's body goes out.
    ///
    /// # Errors
    /// When a time is over.
    pub fn body_sent(&mut self) -> Result<(), Spent> {
        if self.answered { self.piece() } else { self.await_head() }
    }

    fn await_head(&mut self) -> Result<(), Spent> {
        let now = Instant::now();
        self.within(now)?;
        let head = now.checked_add(self.header);
        let deadline = [head, self.end].into_iter().flatten().min();
        self.hold.as_mut().map_or(Ok(()), |hold| hold.until(deadline)).map_err(|_| self.cut())
    }

    /// An interim answer has come.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn interim(&mut self) -> Result<(), Spent> {
        self.interim += 1;
        if self.interim > MOST_INTERIM { Err(Spent::Interim) } else { Ok(()) }
    }

    /// The head of the answer has come. A tunnel, which begins with some, may go on for ever.
    ///
    /// # Errors
    /// When a time is over.
    pub fn answered(&mut self, tunnel: bool) -> Result<(), Spent> {
        self.answered = true;
        let end = self.end;
        self.hold.as_mut().map_or(Ok(()), |hold| hold.until(end.filter(|_| !tunnel))).map_err(|_| self.cut())?;
        self.piece()?;
        if tunnel {
            self.end = None;
        }
        Ok(())
    }

    /// A piece of a body has come or goes out.
    ///
    /// # Errors
    /// When the time for the whole is over.
    pub fn piece(&self) -> Result<(), Spent> {
        if self.end.is_some() { self.within(Instant::now()) } else { Ok(()) }
    }

    /// The answer is whole.
    ///
    /// # Errors
    /// When it is not: the connection was cut, and the engine takes its end for that of the body.
    pub fn whole(&mut self) -> Result<(), Spent> {
        self.hold.take().map_or(Ok(()), |mut hold| hold.until(None)).map_err(|_| self.cut())
    }

    /// Why the upstream has no more time.
    pub fn spent(&self) -> Option<Spent> {
        let cut = self.hold.as_ref().is_some_and(Hold::was_cut);
        self.piece().err().or_else(|| cut.then(|| self.cut()))
    }

    fn within(&self, now: Instant) -> Result<(), Spent> {
        if self.end.is_some_and(|end| end <= now) { Err(self.over()) } else { Ok(()) }
    }

    /// Whose time is over when the whole must be over.
    fn over(&self) -> Spent {
        if self.end.is_some() && self.end == self.deadline { Spent::Deadline } else { Spent::Request }
    }

    /// Which of the two deadlines was over.
    fn cut(&self) -> Spent {
        if self.answered || self.piece().is_err() { self.over() } else { Spent::Header }
    }
}

impl Exchange {
    /// An error for the engine, whose reason is kept for the client and the log.
    pub fn spent(&mut self, spent: Spent) -> Box<Error> {
        let answer = spent.answer(self.outbound().map_or(Duration::ZERO, |outbound| outbound.patience.header));
        self.ending.ended = Some(Ended::from(&answer));
        let reason = answer.reason();
        if spent == Spent::Deadline {
            // An error of the client's side cancels the call to the upstream and leaves the connection to it in use.
            return Error::explain(ErrorType::ReadTimedout, reason.title).into_down();
        }
        let kind = if reason.status == 504 { ErrorType::ReadTimedout } else { ErrorType::InvalidHTTPHeader };
        Error::explain(kind, reason.title).into_up()
    }
}
