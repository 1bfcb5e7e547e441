//! Why a request ended here, and the answer that says so.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::Cause;

/// What a [`Reason`] means for the alternatives of an `any_of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The request carries no credential of this filter's kind; another alternative may have one.
    Absent,
    /// The credentials are good and not enough: the caller may not do this as who they say. Another alternative's may be, when the
    /// filter judges credentials and nothing else ([`crate::Filter::CREDENTIALS_ONLY`]).
    Insufficient,
    /// The request is refused, and no alternative is asked.
    Refused,
    /// Not a refusal: the filter answers in place of the upstream, a CORS preflight for instance.
    Reply,
}

/// One way in which a filter, or the gateway itself, may end a request. Always a constant, so metric labels are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `filter.cause`; the metric's label and the log's field.
    pub id: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// Numeric code of the reference product (900901 and so on); 0 where it has none.
    pub code: u32,
    /// What it means for alternatives.
    pub meaning: Meaning,
    /// One sentence for the client: `title` of RFC 9457. Says the class, never the detail of a credential.
    pub title: &'static str,
    /// One or two sentences for the manual: when it happens and what to do.
    pub help: &'static str,
}

impl Reason {
    /// A refusal.
    pub const fn refused(id: &'static str, status: u16, code: u32, title: &'static str, help: &'static str) -> Self {
        Self { id, status, code, meaning: Meaning::Refused, title, help }
    }

    /// The credential this filter looks for is not there.
    pub const fn absent(id: &'static str, status: u16, code: u32, title: &'static str, help: &'static str) -> Self {
        Self { id, status, code, meaning: Meaning::Absent, title, help }
    }

    /// The credentials are good, and do not allow this.
    pub const fn insufficient(id: &'static str, status: u16, code: u32, title: &'static str, help: &'static str) -> Self {
        Self { id, status, code, meaning: Meaning::Insufficient, title, help }
    }

    /// The refusal of a request, with what only the operator learns: why.
    pub fn because(&'static self, cause: impl Into<Arc<Cause>>) -> Answer {
        debug_assert!(self.meaning != Meaning::Reply, "{} refuses nothing", self.id);
        Answer { cause: Some(cause.into()), ..Answer::of(self) }
    }
}

/// A way to end a request that is no refusal, and needs no cause. Listed among a filter's reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply(Reason);

impl Reply {
    /// A reply. What it means for alternatives is [`Meaning::Reply`].
    pub const fn new(id: &'static str, status: u16, title: &'static str, help: &'static str) -> Self {
        Self(Reason { id, status, code: 0, meaning: Meaning::Reply, title, help })
    }

    /// How it is listed.
    pub const fn reason(&self) -> &Reason {
        &self.0
    }

    /// The answer, to be completed with headers and a body.
    pub fn answer(&'static self) -> Answer {
        Answer::of(&self.0)
    }
}

/// What the client gets when a request ends in the gateway. Made only from a [`Reason`] with its [`Cause`], or from a [`Reply`].
#[derive(Clone, Debug)]
pub struct Answer {
    reason: &'static Reason,
    status: u16,
    detail: Option<Cow<'static, str>>,
    cause: Option<Arc<Cause>>,
    clients: Option<Box<Clients>>,
    problem: Option<Box<ProblemType>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
}

/// Whose credential is refused. Apart, as most answers have nothing of it and are handed on by value.
#[derive(Clone, Debug, Default)]
struct Clients {
    client: Option<String>,
    claimed_client: Option<String>,
}

/// What a problem document says that has a type of its own (RFC 9457 §3.1.1, §3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemType {
    /// The URI of the type; none: the reason's own.
    pub uri: Option<&'static str>,
    /// Members of that type, and of no other.
    pub members: Vec<(&'static str, Value)>,
}

/// Most characters of a client application's name that nobody verified.
const LONGEST_CLAIM: usize = 64;

impl Answer {
    fn of(reason: &'static Reason) -> Self {
        Self { reason, status: reason.status, detail: None, cause: None, clients: None, problem: None, headers: Vec::new(), body: None }
    }

    /// The reason it was made from.
    pub fn reason(&self) -> &'static Reason {
        self.reason
    }

    /// The status: the reason's, unless a reply has one of its own.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Another status than the reason's. For a [`Meaning::Reply`] alone: what a refusal's status is says its reason.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        if self.reason.meaning == Meaning::Reply {
            self.status = status;
        }
        self
    }

    /// A sentence for this client (`detail` of RFC 9457); must not repeat a value the client sent.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A type that others know, with its members, in place of the reason's own. Holds for members what holds for [`Answer::detail`].
    #[must_use]
    pub fn problem_type(mut self, uri: &'static str, members: Vec<(&'static str, Value)>) -> Self {
        self.problem = Some(Box::new(ProblemType { uri: Some(uri), members }));
        self
    }

    /// Members beside those that every document has, of the reason's own type. Holds for them what holds for [`Answer::detail`].
    #[must_use]
    pub fn members(mut self, members: Vec<(&'static str, Value)>) -> Self {
        self.problem = Some(Box::new(ProblemType { uri: None, members }));
        self
    }

    /// The client application whose credential is refused, for the operator's log only; never one that is not verified.
    #[must_use]
    pub fn client(mut self, client: impl Into<String>) -> Self {
        self.clients.get_or_insert_default().client = Some(client.into());
        self
    }

    /// The client application that a refused credential names, when nobody knows whether it is true: a forged token may name anybody.
    /// For the operator's log only, under a name that says so; escaped and cut, as it is whatever the client sent.
    #[must_use]
    pub fn claimed_client(mut self, client: &str) -> Self {
        let claimed = client.chars().take(LONGEST_CLAIM).flat_map(char::escape_debug).collect();
        self.clients.get_or_insert_default().claimed_client = Some(claimed);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A body in place of the error document; only a [`Meaning::Reply`] needs one.
    #[must_use]
    pub fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// The sentence for the client, if there is one.
    pub fn get_detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The problem's type, when it is not the reason's own.
    pub fn get_problem_type(&self) -> Option<&ProblemType> {
        self.problem.as_deref()
    }

    /// Why the request is refused; a reply has no cause.
    pub fn cause(&self) -> Option<&Arc<Cause>> {
        self.cause.as_ref()
    }

    /// The client application whose credential is refused, if it is known.
    pub fn get_client(&self) -> Option<&str> {
        self.clients.as_ref()?.client.as_deref()
    }

    /// The client application that the refused credential names, if it is not known whether that is true.
    pub fn get_claimed_client(&self) -> Option<&str> {
        self.clients.as_ref()?.claimed_client.as_deref()
    }

    /// Headers that were added.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The body, if one was given.
    pub fn get_body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }
}
