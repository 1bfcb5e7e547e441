//! The engine's phases, turned into routing, chain and endpoint group. Thin: what decides lives elsewhere.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, header};
use pingora::{
    Error, ErrorSource, ErrorType,
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session},
    upstreams::peer::HttpPeer,
};
use tollgate_filter_api::{Answer, Call, Reason, RequestHead, ResponseHead};
use tollgate_plan::Target;

use super::{
    admit, answer,
    connection::{Phase, connection_of},
    exchange::{Exchange, Place},
    forward,
    gateway::Gateway,
    whole_body,
};
use crate::{
    chain::{self, Run, Verdict, gateway as reasons},
    routes::{Found, normal},
    telemetry::Line,
};

/// The gateway as the engine sees it.
pub struct Phases(pub Arc<Gateway>);

/// How often one request may meet a pooled connection that the upstream has closed meanwhile.
const STALE_TRIES: u32 = 8;

/// How a phase of our own ends early.
pub(super) type Early = Box<Answer>;

#[async_trait]
impl ProxyHttp for Phases {
    type CTX = Exchange;

    fn new_ctx(&self) -> Exchange {
        Exchange::new(self.0.next_id())
    }

    /// No module: the engine's compression costs two per cent of a request at level zero.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    fn allow_spawning_subrequest(&self, _: &Session, exchange: &Exchange) -> bool {
        exchange.body.is_none()
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Exchange) -> pingora::Result<bool> {
        if whole_body::resume(session, exchange) {
            return Ok(false);
        }
        let connection = connection_of(session.digest()).cloned();
        if let Some(connection) = &connection {
            connection.expect(if session.is_body_empty() { Phase::Free } else { Phase::Body });
        }
        exchange.connection = connection;
        exchange.version = session.req_header().version;
        exchange.snapshot = Some(self.0.current());
        let ended = self.decide(session, exchange).await;
        match ended {
            Ok(()) if whole_body::is_lost(session, exchange) => {
                whole_body::forward(session, exchange).await?;
                Ok(true)
            }
            Ok(()) => Ok(false),
            Err(answer) => {
                answer::write(session, exchange, *answer).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, _: &mut Session, exchange: &mut Exchange) -> pingora::Result<Box<HttpPeer>> {
        exchange.upstream_begun.get_or_insert_with(Instant::now);
        exchange.upstream_ended = None;
        let Some((group, index)) = exchange.group.clone() else { return Err(Error::new(ErrorType::InternalError)) };
        let snapshot = exchange.snapshot.clone().unwrap_or_else(|| self.0.current());
        loop {
            let Some(target) = exchange.order.as_mut().and_then(Iterator::next) else {
                return Err(Error::explain(ErrorType::ConnectError, "no target is left").into_up());
            };
            exchange.target = target;
            exchange.attempts += 1;
            let turn = (exchange.id as usize).wrapping_add(exchange.attempts as usize);
            let found = match group.targets[target].address(turn) {
                Some(address) => Ok(address),
                None => group.targets[target].look_up(turn).await,
            };
            match found {
                Ok(address) => {
                    exchange.upstream = Some(address);
                    let mut peer = snapshot.peers[index as usize][target].clone();
                    peer._address = pingora::protocols::l4::socket::SocketAddr::Inet(address);
                    return Ok(Box::new(peer));
                }
                Err(error) => {
                    self.0.kernel.telemetry.upstream_failures.resolve.inc();
                    log::warn!("cannot resolve {}: {error}", group.targets[target].host);
                    group.failed(target);
                }
            }
        }
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        req: &mut RequestHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let Some((group, _)) = &exchange.group else { return Err(Error::new(ErrorType::InternalError)) };
        let target = &group.targets[exchange.target];
        let uri = &session.req_header().uri;
        let outgoing = crate::upstreams::outgoing(target, exchange.base_len, uri.path(), uri.query());
        if let Some(body) = &exchange.body {
            whole_body::frame(req, body.len())?;
        }
        forward::aim(req, target, &outgoing, &exchange.host)?;
        let chain = exchange.served().map(|served| served.chain.clone());
        if let (Some(chain), Some(run), Some(call)) = (chain, &mut exchange.run, &exchange.call) {
            run.upstream(&chain, RequestHead::wrap_mut(req), call).map_err(|fault| faulted(&mut exchange.note, &fault))?;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        if end && let Some(connection) = &exchange.connection {
            connection.expect(Phase::Free);
        }
        if exchange.body.is_some() || session.was_upgraded() {
            return Ok(());
        }
        exchange.body_in += body.as_ref().map_or(0, |body| body.len() as u64);
        let limit = exchange.snapshot.as_ref().map_or(0, |snapshot| snapshot.config.gateway.limits.body_bytes.0);
        if exchange.body_in > limit {
            self.0.kernel.telemetry.limits.body_bytes.inc();
            exchange.reason = Some(&reasons::BODY_BYTES);
            return Err(Error::explain(ErrorType::HTTPStatus(413), "the body is over its limit").into_down());
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        resp: &mut ResponseHeader,
        exchange: &mut Exchange,
    ) -> pingora::Result<()> {
        let status = resp.status.as_u16();
        let Some((group, _)) = &exchange.group else { return Ok(()) };
        if status < 200 {
            return Ok(());
        }
        if !group.retry_status(status) {
            group.succeeded(exchange.target);
            return Ok(());
        }
        group.failed(exchange.target);
        self.0.kernel.telemetry.upstream_failures.status.inc();
        let more = exchange.order.as_ref().is_some_and(|order| order.len() > 0);
        if more && may_repeat(session) {
            exchange.status_retry = true;
            let mut error = Error::explain(ErrorType::HTTPStatus(status), "the next target is tried").into_up();
            error.set_retry(true);
            return Err(error);
        }
        Ok(())
    }

    async fn response_filter(&self, session: &mut Session, resp: &mut ResponseHeader, exchange: &mut Exchange) -> pingora::Result<()> {
        if resp.status.is_informational() && resp.status.as_u16() != 101 {
            return Ok(());
        }
        exchange.status = resp.status.as_u16();
        session.set_write_timeout(exchange.snapshot.as_ref().map(|snapshot| snapshot.config.gateway.limits.write_time.0));
        let chain = exchange.served().map(|served| served.chain.clone());
        if let (Some(chain), Some(run), Some(call)) = (chain, &mut exchange.run, &exchange.call) {
            run.response(&chain, ResponseHead::wrap_mut(resp), call).map_err(|fault| faulted(&mut exchange.note, &fault))?;
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Exchange,
    ) -> pingora::Result<Option<Duration>> {
        if end {
            exchange.upstream_ended = Some(Instant::now());
        }
        let chain = exchange.served().map(|served| served.chain.clone());
        if let (Some(chain), Some(run)) = (chain, &mut exchange.run) {
            run.chunk(&chain, body, end).map_err(|fault| faulted(&mut exchange.note, &fault))?;
        }
        Ok(None)
    }

    /// Nothing of the request has gone out: the next target may have it, whatever the method.
    fn fail_to_connect(&self, _: &mut Session, _: &HttpPeer, exchange: &mut Exchange, mut error: Box<Error>) -> Box<Error> {
        let failures = &self.0.kernel.telemetry.upstream_failures;
        match error.etype() {
            ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => failures.timeout.inc(),
            ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::HandshakeError => failures.tls.inc(),
            _ => failures.connect.inc(),
        }
        if let Some((group, _)) = &exchange.group {
            group.failed(exchange.target);
        }
        error.set_retry(exchange.order.as_ref().is_some_and(|order| order.len() > 0));
        error
    }

    /// Something of the request has gone out: only what may be repeated is repeated, on the next target, or on the same one when
    /// the connection was a used one that had gone stale. Leaving the question open would end in a panic of the engine.
    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        exchange: &mut Exchange,
        reused: bool,
    ) -> Box<Error> {
        exchange.upstream_ended = Some(Instant::now());
        let asked = std::mem::take(&mut exchange.status_retry);
        let of_upstream = *error.esource() == ErrorSource::Upstream;
        let timed_out = matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout);
        if of_upstream && !asked {
            let failures = &self.0.kernel.telemetry.upstream_failures;
            if timed_out { failures.timeout.inc() } else { failures.broken.inc() }
        }
        if !of_upstream && *error.etype() == ErrorType::WriteTimedout {
            self.0.kernel.telemetry.limits.write_time.inc();
        }
        let untouched = session.response_written().is_none() && may_repeat(session);
        let more = exchange.order.as_ref().is_some_and(|order| order.len() > 0);
        let stale = reused && !timed_out && exchange.attempts < STALE_TRIES;
        let again = of_upstream && untouched && (asked || (more && !timed_out) || stale);
        if again && !more {
            exchange.order = exchange.group.as_ref().map(|(group, _)| group.order());
        }
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Exchange) -> FailToProxy {
        let Some(reason) = reason_of(error, exchange) else { return FailToProxy { error_code: 0, can_reuse_downstream: false } };
        session.set_keepalive(None);
        if session.response_written().is_some() {
            exchange.reason = Some(reason);
            return FailToProxy { error_code: reason.status, can_reuse_downstream: false };
        }
        let note = exchange.note.clone().unwrap_or_else(|| error.to_string().into());
        if let Err(broken) = answer::write(session, exchange, reason.answer().log(note)).await {
            log::debug!("the client is gone: {broken}");
        }
        FailToProxy { error_code: reason.status, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, _: &Session, _: &Exchange, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Exchange, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Exchange) {
        if let Some(connection) = &exchange.connection {
            connection.expect(Phase::Header);
        }
        if exchange.delegated {
            return;
        }
        if let Some(written) = session.response_written() {
            exchange.status = written.status.as_u16();
        }
        if let (Some(error), None) = (error, &exchange.note) {
            exchange.note = Some(error.to_string().into());
        }
        exchange.chain_done();
        self.count(exchange);
        if self.0.access_log.is_on() {
            self.0.access_log.write(line(session, exchange));
        }
    }
}

impl Phases {
    /// From head to endpoint group, or to an answer.
    async fn decide(&self, session: &mut Session, exchange: &mut Exchange) -> Result<(), Early> {
        self.admitted(session, exchange)?;
        let (index, base_len) = self.routed(session, exchange)?;
        exchange.base_len = base_len;
        self.chained(session, exchange, index).await?;
        targeted(exchange)
    }

    /// Refuses what nobody should forward, and brings the target to its normal form.
    fn admitted(&self, session: &mut Session, exchange: &mut Exchange) -> Result<(), Early> {
        let snapshot = exchange.snapshot.clone().unwrap_or_else(|| self.0.current());
        let gateway = &snapshot.config.gateway;
        let telemetry = &self.0.kernel.telemetry;
        let early = |reason: &'static Reason| Box::new(reason.answer());
        if let Some(http1) = session.as_downstream().as_http1() {
            let raw = http1.get_headers_raw_bytes();
            let coded = session.req_header().headers.contains_key(header::TRANSFER_ENCODING);
            if admit::has_bare_line_end(&raw) || (coded && admit::names_length(&raw)) {
                return Err(early(&reasons::FRAMING));
            }
        }
        let req = session.req_header_mut();
        admit::absolute(req).map_err(early)?;
        exchange.host = admit::admit(req, &gateway.limits, &telemetry.limits).map_err(early)?;
        let raw = req.raw_path();
        if raw.first() != Some(&b'/') && req.uri.authority().is_none() {
            return Err(early(&normal::FORM));
        }
        let path = normal::normalize(req.uri.path().as_bytes(), &gateway.paths).map_err(early)?;
        let query = req.uri.query().map(|query| normal::query(query.as_bytes())).transpose().map_err(early)?;
        if path != req.uri.path()
            || req.uri.authority().is_some()
            || raw != req.uri.path_and_query().map_or("", |whole| whole.as_str()).as_bytes()
        {
            let whole = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
            let uri = whole.parse::<http::Uri>().map_err(|_| early(&normal::CHARACTER))?;
            req.set_uri(uri);
        }
        if let Some(connection) = &exchange.connection {
            let named = connection.server_name.as_deref().is_none_or(|name| host_name(&exchange.host).eq_ignore_ascii_case(name));
            if connection.strict_host && !named {
                return Err(early(&reasons::MISDIRECTED));
            }
        }
        if declared_length(req) > gateway.limits.body_bytes.0 {
            telemetry.limits.body_bytes.inc();
            return Err(early(&reasons::BODY_BYTES));
        }
        Ok(())
    }

    fn routed(&self, session: &Session, exchange: &mut Exchange) -> Result<(u32, usize), Early> {
        let snapshot = exchange.snapshot.clone().unwrap_or_else(|| self.0.current());
        let secure = exchange.connection.as_ref().is_some_and(|connection| connection.secure);
        let req = session.req_header();
        match snapshot.router.find(req.uri.path(), req.method.as_str(), secure) {
            Found::Operation { index, base_len } => {
                exchange.place = Place::Operation(index);
                Ok((index, base_len))
            }
            Found::MethodNotAllowed { allow } => {
                let value = http::HeaderValue::from_str(allow).map_err(|_| Box::new(reasons::INTERNAL.answer()))?;
                Err(Box::new(reasons::METHOD.answer().header(header::ALLOW, value)))
            }
            Found::NoResource { api } => {
                exchange.place = Place::Api(api);
                Err(Box::new(reasons::NO_RESOURCE.answer()))
            }
            Found::NoApi => Err(Box::new(reasons::NOT_FOUND.answer())),
        }
    }

    async fn chained(&self, session: &mut Session, exchange: &mut Exchange, index: u32) -> Result<(), Early> {
        let snapshot = exchange.snapshot.clone().unwrap_or_else(|| self.0.current());
        let served = &snapshot.operations[index as usize];
        let proxies = &snapshot.config.proxies;
        let Some(connection) = exchange.connection.clone() else { return Err(Box::new(reasons::INTERNAL.answer())) };
        let client = forward::client(&session.req_header().headers, &connection, proxies);
        let call = Call {
            operation: served.info.clone(),
            client,
            secure: connection.secure,
            now: self.0.kernel.env.clock.now(),
            request_id: exchange.id,
        };
        let req = session.req_header_mut();
        forward::rewrite(req, &connection, proxies, &exchange.host).map_err(|_| Box::new(reasons::FIELD.answer()))?;
        let mut run = Run::new(&served.chain, connection.peer.clone());
        let mut body: Option<Bytes> = None;
        let verdict = loop {
            let head = RequestHead::wrap_mut(session.req_header_mut());
            match run.request(&served.chain, head, &call, body.as_ref()).await {
                Verdict::NeedBody(limit) => match whole_body::read(session, limit.min(snapshot.body_limit())).await {
                    Ok(read) => {
                        exchange.body_in = read.len() as u64;
                        body = Some(read);
                    }
                    Err(reason) => break Err(Box::new(reason.answer())),
                },
                Verdict::Pass => break Ok(()),
                Verdict::Stop(answer) => break Err(Box::new(answer)),
                Verdict::Fault(fault) => {
                    log::warn!("{fault}");
                    break Err(Box::new(chain::render_fault(&fault)));
                }
            }
        };
        exchange.body = body;
        exchange.run = Some(run);
        exchange.call = Some(call);
        let id = format!("{:032x}", exchange.id);
        let _ = session.req_header_mut().insert_header(forward::REQUEST_ID, id);
        verdict
    }

    fn count(&self, exchange: &Exchange) {
        let Some(snapshot) = &exchange.snapshot else { return };
        let metrics = match exchange.place {
            Place::Operation(index) => snapshot.metrics.operation(index),
            Place::Api(index) => snapshot.metrics.api(index),
            Place::Nowhere => snapshot.metrics.nowhere(),
        };
        metrics.ended(exchange.status, exchange.begun.elapsed(), exchange.upstream_duration());
        if let Some(reason) = exchange.reason {
            self.0.kernel.telemetry.refused(reason.id);
        }
    }
}

/// The endpoint group for the caller's key, or the answer of a synthetic OPTIONS.
fn targeted(exchange: &mut Exchange) -> Result<(), Early> {
    let key_type = exchange.key_type();
    let Some(served) = exchange.served() else { return Err(Box::new(reasons::INTERNAL.answer())) };
    let index = match &served.target {
        Target::Endpoints { production, sandbox } => match key_type {
            tollgate_filter_api::KeyType::Production => *production,
            tollgate_filter_api::KeyType::Sandbox => *sandbox,
        },
        Target::Options { .. } => {
            let answer = reasons::OPTIONS.answer();
            return Err(Box::new(
                served.allow.clone().map_or_else(|| reasons::OPTIONS.answer(), |allow| answer.header(header::ALLOW, allow)),
            ));
        }
    };
    let group = index.and_then(|index| Some((exchange.snapshot.as_ref()?.upstreams.group(index).clone(), index)));
    let Some((group, index)) = group else { return Err(Box::new(reasons::NO_ENDPOINT.answer())) };
    exchange.order = Some(group.order());
    exchange.group = Some((group, index));
    Ok(())
}

fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    }
}

fn declared_length(req: &RequestHeader) -> u64 {
    let value = req.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}

/// RFC 9110 §9.2.2, and the engine still has the whole body.
fn may_repeat(session: &Session) -> bool {
    let method = &session.req_header().method;
    let idempotent = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE);
    idempotent && !session.as_ref().retry_buffer_truncated()
}

fn faulted(note: &mut Option<std::borrow::Cow<'static, str>>, fault: &tollgate_filter_api::Fault) -> Box<Error> {
    *note = Some(fault.to_string().into());
    Error::explain(ErrorType::InternalError, "a filter could not decide").into_in()
}

/// What an error of the engine means to the client; `None` when the client is gone.
fn reason_of(error: &Error, exchange: &Exchange) -> Option<&'static Reason> {
    if let Some(reason) = exchange.reason {
        return Some(reason);
    }
    match (error.esource(), error.etype()) {
        (ErrorSource::Downstream, ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed) => None,
        (ErrorSource::Downstream, _) => Some(&reasons::BODY_READ),
        (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::ConnectTimedout) => {
            Some(&reasons::UPSTREAM_TIMEOUT)
        }
        (ErrorSource::Upstream, _) if exchange.upstream_ended.is_none() => Some(&reasons::CONNECT),
        (ErrorSource::Upstream, _) => Some(&reasons::UPSTREAM_BROKEN),
        _ if exchange.note.is_some() => Some(&reasons::FAULT),
        _ => Some(&reasons::INTERNAL),
    }
}

fn line(session: &Session, exchange: &Exchange) -> Line {
    let req = session.req_header();
    Line {
        time: exchange.time,
        request_id: exchange.id,
        client: exchange
            .call
            .as_ref()
            .map(|call| call.client)
            .or_else(|| Some(exchange.connection.as_ref()?.address))
            .unwrap_or(std::net::IpAddr::from([0, 0, 0, 0])),
        method: req.method.clone(),
        host: exchange.host.clone(),
        path: req.uri.path().to_owned(),
        operation: exchange.served().map(|served| served.info.clone()),
        status: exchange.status,
        reason: exchange.reason.map(|reason| reason.id),
        detail: exchange.note.clone(),
        bytes_in: exchange.body_in,
        bytes_out: session.body_bytes_sent() as u64,
        duration: exchange.begun.elapsed(),
        upstream_duration: exchange.upstream_duration(),
        upstream: exchange.upstream,
        attempts: exchange.attempts,
        protocol: match exchange.version {
            http::Version::HTTP_2 => "HTTP/2",
            http::Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        tls: session.digest().and_then(|digest| digest.ssl_digest.as_ref()).map(|tls| tls_version(&tls.version)),
        principal: exchange.principal().cloned(),
    }
}

fn tls_version(version: &str) -> &'static str {
    match version {
        "TLSv1.3" => "TLSv1.3",
        "TLSv1.2" => "TLSv1.2",
        _ => "TLS",
    }
}
