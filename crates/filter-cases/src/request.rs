//! One request on its way into a filter.

use std::{net::IpAddr, sync::Arc};

use tollgate_filter_api::{
    Body, Bytes, Call, Clock, DynCx, Fact, Facts, Forwarded, HeaderName, HeaderValue, Moment, NoCertificate, OperationInfo, Peer,
    Principal, RequestHead, RequestId, Views,
};

use crate::{cause::Secrets, harness::Core, poll::drive, run::Run};

/// A request that is being written down.
pub struct Request<'h> {
    core: &'h Core,
    head: RequestHead,
    call: Call,
    operation: OperationInfo,
    facts: Facts,
    given: Vec<&'static str>,
    body: Option<Body>,
    views: Views,
    has_body: bool,
    may_wait: bool,
}

/// The id of every request.
const REQUEST_ID: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

impl<'h> Request<'h> {
    #[track_caller]
    pub(crate) fn new(core: &'h Core, method: &str, path: &str) -> Self {
        let head = RequestHead::build(method, path).expect("the method and path of a test are legal");
        let call = Call {
            operation: Arc::default(),
            client: IpAddr::from([192, 0, 2, 1]),
            secure: true,
            host: "api.example.com".into(),
            has_body: false,
            now: core.clock.now(),
            instant: core.clock.instant(),
            request_id: RequestId::fresh(REQUEST_ID, false),
            forwarded: None,
        };
        let mut facts = Facts::default();
        // The gateway knows it of every request.
        facts.set(Peer::Anonymous(NoCertificate::NotAsked));
        let given = vec![Peer::NAME];
        let (operation, views) = (operation(method, path), Views::noting());
        let request = Self { core, head, call, operation, facts, given, body: None, views, has_body: false, may_wait: false };
        request.header("host", "api.example.com")
    }

    /// Adds a header.
    ///
    /// # Panics
    /// When HTTP does not allow it: it could not reach a filter.
    #[must_use]
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the header name of a test is legal");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("the header value of a test is legal");
        if name == "host" {
            // The gateway tells both alike.
            self.call.host = value.to_str().unwrap_or_default().into();
        }
        self.head.append(name, value);
        self
    }

    /// Takes a header away, as far as it is there.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            self.head.remove(&name);
            if name == "host" {
                self.call.host = Arc::default();
            }
        }
        self
    }

    /// Gives a fact.
    #[must_use]
    pub fn given<T: Fact>(mut self, fact: T) -> Self {
        self.facts.set(fact);
        self.given.push(T::NAME);
        self
    }

    /// Several credentials that earlier filters verified together; the first is the principal.
    #[must_use]
    pub fn credentials(mut self, credentials: impl IntoIterator<Item = Principal>) -> Self {
        self.facts.set_credentials(credentials);
        self.given.push(Principal::NAME);
        self
    }

    /// The whole body, for a filter that asked for it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(Body::from(body.into()));
        self
    }

    /// It has a body although no header says so, as on HTTP/2. With `Content-Length` or `Transfer-Encoding` it has one anyway.
    #[must_use]
    pub fn unannounced_body(mut self) -> Self {
        self.has_body = true;
        self
    }

    /// The operation it was routed to.
    #[must_use]
    pub fn operation(mut self, operation: OperationInfo) -> Self {
        self.operation = operation;
        self
    }

    /// Methods that the definition declares on this path.
    #[must_use]
    pub fn path_methods(mut self, methods: &[&str]) -> Self {
        self.operation.path_methods = methods.iter().map(|method| (*method).to_owned()).collect();
        self
    }

    /// Address of the client.
    #[must_use]
    pub fn client(mut self, client: IpAddr) -> Self {
        self.call.client = client;
        self
    }

    /// Whether the connection is encrypted; it is, unless a test says otherwise.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.call.secure = secure;
        self
    }

    /// A trusted proxy says that the client asked for this scheme and host.
    ///
    /// # Panics
    /// When no header can hold them.
    #[must_use]
    #[track_caller]
    pub fn forwarded(mut self, scheme: &str, host: &str) -> Self {
        let value = |text: &str| Some(HeaderValue::from_str(text).expect("what a proxy says is legal in a header"));
        self.call.forwarded = Some(Box::new(Forwarded { addresses: None, scheme: value(scheme), host: value(host) }));
        self
    }

    /// It came at this moment, whatever the clock shows.
    #[must_use]
    pub fn at(mut self, moment: Moment) -> Self {
        (self.call.now, self.call.instant) = (moment.wall, moment.instant);
        self
    }

    /// The filter sees these views; unless a test says otherwise, it is answered by the world, and what it asks is noted.
    #[must_use]
    pub fn views(mut self, views: Views) -> Self {
        self.views = views;
        self
    }

    /// The filter may wait for something.
    #[must_use]
    pub fn may_wait(mut self) -> Self {
        self.may_wait = true;
        self
    }

    /// Runs the request phase.
    ///
    /// # Panics
    /// When the filter needs a fact or a body that the test did not give, when it waits without leave, when it ends the
    /// request for a reason, or writes a series, that it does not list.
    #[track_caller]
    pub fn run(mut self) -> Run {
        self.check_needs();
        self.call.operation = Arc::new(std::mem::take(&mut self.operation));
        self.call.has_body = self.has_body || self.body.as_ref().is_some_and(|body| !body.is_empty()) || announces_body(&self.head);
        let mut state = self.core.filter.state();
        let secrets = Secrets::of(&self.head, self.core.filter.carrier().as_ref(), self.body.as_deref());
        let before = self.head.fields().clone();
        let query = self.head.query().map_or_else(String::new, |query| format!("?{query}"));
        let asked = (self.head.method().to_string(), format!("{}{query}", self.head.path()));
        // What it does not want of this request streams past it.
        let wants_body = self.core.filter.wants_body(&self.head, &self.call);
        let (body, views) = (self.body.as_mut().filter(|_| wants_body), &mut self.views);
        let cx = DynCx { req: &mut self.head, call: &self.call, facts: &mut self.facts, body, views, state: &mut *state };
        let id = self.core.kind.id;
        let Some((outcome, at_once)) = drive(self.core.filter.on_request(cx)) else { panic!("`{id}` never came to a decision") };
        assert!(at_once || self.may_wait, "`{id}` waited; say .may_wait() if it may");
        let run = Run {
            kind: self.core.kind,
            filter: self.core.filter.clone(),
            call: self.call,
            facts: self.facts,
            state,
            head: self.head,
            before,
            asked,
            body: self.body,
            views: self.views,
            origin: self.core.origin.clone(),
            secrets,
            outcome,
        };
        run.check_reason(&run.outcome);
        check_metrics(self.core);
        run
    }

    #[track_caller]
    fn check_needs(&self) {
        let kind = &self.core.kind;
        for need in kind.needs {
            assert!(self.given.contains(need), "`{}` needs `{need}`: give it with .given(..)", kind.id);
        }
        let reads_bodies = matches!(self.core.filter.request_body(), tollgate_filter_api::BodyUse::Whole(_));
        let wants_body = reads_bodies && self.core.filter.wants_body(&self.head, &self.call);
        assert!(!wants_body || self.body.is_some(), "`{}` reads the body: give one with .body(..)", kind.id);
        assert!(reads_bodies || self.body.is_none(), "`{}` does not read the body, it would never see this one", kind.id);
    }
}

fn announces_body(head: &RequestHead) -> bool {
    let length = head.get(&http::header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || head.get(&http::header::TRANSFER_ENCODING).is_some()
}

/// What routing knows of an operation that no test described.
fn operation(method: &str, path: &str) -> OperationInfo {
    let template = path.split('?').next().unwrap_or(path).to_owned();
    OperationInfo {
        api: "Test".into(),
        version: "1.0.0".into(),
        base_path: "/".into(),
        id: format!("{method} {template}"),
        template,
        method: method.to_owned(),
        path_methods: vec![method.to_owned()],
    }
}

#[track_caller]
fn check_metrics(core: &Core) {
    core.metrics.read(|name, _, _, _| {
        let listed = core.kind.metrics.iter().any(|doc| doc.name == name);
        assert!(listed, "`{}` writes the series `{name}` and does not list it in METRICS", core.kind.id);
    });
}
