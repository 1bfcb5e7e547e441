//! The engine's phases, turned into routing, chain and endpoint group. Thin: what decides lives elsewhere.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora::{
    Error, ErrorType,
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    protocols::Digest,
    proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session},
    upstreams::peer::HttpPeer,
};
use tollgate_filter_api::{RequestHead, RequestId, ResponseHead};

use super::{
    answer, attempt,
    bodies::{rewritten, subrequest, whole_answer, whole_body},
    decide::decide,
    forward, grpc,
    outcome::{answer_to, client_left, count, line},
    response_rules::{self, AnswerFields},
    state::{Arrival, Ended, Exchange, Going},
};
use crate::{
    chain::gateway as reasons,
    config::Errors,
    judge::{admit, fields::request_id},
    proxy::{
        client::{
            connection::{Phase, connection_of},
            paced::allowance,
        },
        running::gateway::Gateway,
        server::{overload, pressure},
        transport::{mirror::Copying, server_name, upstream_connections::Hold},
    },
    upstreams::{Nowhere, Report},
};

/// The gateway as the engine sees it.
pub struct Phases(pub Arc<Gateway>);

impl Phases {
    /// Whether a body that streams over HTTP/2 comes fast enough; over HTTP/1 the connection sees to it. One that stands still is
    /// ended by the upstream's read time, which begins anew with each piece.
    fn keeps_pace(&self, exchange: &mut Exchange) -> pingora::Result<()> {
        // A call of gRPC is silent for as long as both sides like.
        let streams = exchange.version == http::Version::HTTP_2 && !exchange.grpc;
        let Some(snapshot) = exchange.snapshot().filter(|_| streams) else { return Ok(()) };
        let pace = snapshot.config().gateway.limits.body_pace.0;
        let allowed = allowance(exchange.body_in, pace);
        // The client has waited too, for room or for an endpoint before this one.
        let begun = exchange.outbound().map_or(exchange.begun, |outbound| outbound.body_begun);
        if allowed.is_none_or(|allowed| begun.elapsed() <= allowed) {
            return Ok(());
        }
        self.0.kernel.telemetry.limits.body_pace.inc();
        exchange.ending.ended = Some(Ended::from(&whole_body::too_slow(pace)));
        Err(Error::explain(ErrorType::HTTPStatus(reasons::BODY_READ.status), "the body is too slow").into_down())
    }
}

#[async_trait]
impl ProxyHttp for Phases {
    /// Boxed: the engine moves it with the future of the request, twice.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Exchange::new(RequestId::fresh(self.0.next_id(), false), self.0.kernel.env.clock.now()))
    }

    /// No module: the engine's compression costs two per cent of a request at level zero.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    fn allow_spawning_subrequest(&self, _: &Session, exchange: &Self::CTX) -> bool {
        exchange.body.is_none()
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Self::CTX) -> pingora::Result<bool> {
        if subrequest::resume(session, exchange) {
            return Ok(false);
        }
        let connection = connection_of(session.digest()).cloned();
        if let Some(connection) = &connection {
            connection.expect(if session.is_body_empty() { Phase::Free } else { Phase::Body });
        }
        exchange.version = session.req_header().version;
        // To a client of HTTP/1.0 it would be the final answer (RFC 9110 §15.2).
        session.as_mut().set_ignore_info_resp(exchange.version == http::Version::HTTP_10);
        if exchange.version == http::Version::HTTP_10 && admit::may_end_with_the_connection(session.req_header()) {
            session.set_keepalive(None);
        }
        let snapshot = self.0.current();
        let pressure = &self.0.kernel.pressure;
        if exchange.version == http::Version::HTTP_2 {
            exchange.grpc = grpc::is_grpc(&session.req_header().headers);
            connection.iter().for_each(|connection| connection.request_begins());
            // A stream stands still in its window, which the connection does not see.
            session.set_write_timeout(Some(pressure.patience(snapshot.config().gateway.limits.write_time.0)));
        }
        exchange.arrival = connection.map(|connection| Arrival::new(exchange.id, connection, snapshot));
        if pressure.step() >= pressure::Step::Refuse
            && overload::turn_away(&self.0.kernel.telemetry, session, exchange, pressure.step()).await?
        {
            return Ok(true);
        }
        let mut decided = decide(&self.0, session, exchange).await;
        if exchange.grpc {
            decided = decided.and_then(|()| grpc::begin(&session.req_header().headers, exchange));
        }
        match decided {
            Ok(()) => subrequest::go_out(&self.0, session, exchange).await,
            Err(answer) => {
                if self.0.is_draining() {
                    session.set_keepalive(None);
                }
                answer::write(session, exchange, answer).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Self::CTX) -> pingora::Result<Box<HttpPeer>> {
        attempt::next_peer(&self.0, session.req_header(), exchange).await
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        reused: bool,
        _: &HttpPeer,
        _: std::os::fd::RawFd,
        digest: Option<&Digest>,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        server_name::check(digest)?;
        let outbound = exchange.going()?.outbound;
        if !reused && !outbound.dial.as_ref().is_some_and(|dial| dial.was_kept()) {
            outbound.reached();
        }
        let hold = outbound.dial.as_ref().and_then(|dial| dial.hold()).or_else(|| Hold::of(digest));
        outbound.patience.connected(hold);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        req: &mut RequestHeader,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        let is_grpc = exchange.grpc;
        let Going { id, version, connection, snapshot, routing, chain, call, run, outbound, body, ending } = exchange.going()?;
        if let Err(spent) = outbound.patience.head_sent(req.version) {
            return Err(exchange.spent(spent));
        }
        let upstream = outbound.selection.endpoint().map(|endpoint| &endpoint.upstream);
        let upstream = upstream.ok_or_else(|| Error::explain(ErrorType::InternalError, "no endpoint was chosen"))?;
        let uri = &session.req_header().uri;
        let path_and_query = crate::upstreams::outgoing(upstream, routing.base_len, uri.path(), uri.query());
        let body_is_streamed = body.is_none();
        if let Some(body) = body {
            whole_body::frame(req, body.len())?;
        }
        let judge = &snapshot.judge;
        let reserved = routing.present.reserved.then_some(&judge.reserved);
        let way = forward::Way { connection, forwarded: call.forwarded.as_deref(), via: judge.via.value(version) };
        let heading = forward::Heading { way, upstream, path_and_query, host: &routing.host, ids: (&judge.ids, id), reserved };
        forward::aim(req, heading).map_err(|_| Error::new(ErrorType::InternalError))?;
        if is_grpc {
            grpc::tell(req, &outbound.patience)?;
        }
        if outbound.reads_answers || chain.rewrites_answers() && run.rewrites_answers(chain) {
            whole_answer::ask(req)?;
        }
        if chain.rewrites_requests() && call.has_body && body_is_streamed && run.rewrites_request(chain) {
            whole_body::unframe(req)?;
        }
        run.upstream(chain, RequestHead::wrap_mut(req), call).map_err(|fault| ending.faulted(&fault))?;
        match outbound.mirror.take() {
            Some(mirror) => outbound.copying = Copying::begin(&mirror, req, uri, routing.base_len, id.value as usize),
            None => outbound.copying.iter_mut().for_each(|copying| copying.begin_body()),
        }
        outbound.body_begun = Instant::now();
        if body.is_none() {
            // Another attempt sends the body from its beginning.
            exchange.body_in = 0;
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        let Going { connection, outbound, .. } = exchange.going()?;
        if end {
            connection.expect(Phase::Free);
        }
        if body.as_ref().is_some_and(|body| !body.is_empty()) {
            outbound.patience.body_sent().map_err(|spent| exchange.spent(spent))?;
        }
        let streams = exchange.body.is_none() && !session.was_upgraded();
        if streams {
            self.keeps_pace(exchange)?;
            exchange.body_in += body.as_ref().map_or(0, |body| body.len() as u64);
        }
        let Going { chain, run, outbound, ending, .. } = exchange.going()?;
        if streams && chain.streams_requests() {
            run.request_chunk(chain, body, end).map_err(|fault| ending.faulted(&fault))?;
            if !end {
                // To the engine, nothing is the end of a body.
                body.get_or_insert_default();
            }
        }
        if outbound.copying.is_some() {
            // What the upstream gets, changes included.
            outbound.copy(body.as_ref(), end, &self.0.kernel.beside);
        }
        if !streams {
            return Ok(());
        }
        let limit = exchange.arrival.as_ref().map_or(0, |arrival| arrival.snapshot.body_limit(arrival.routing.place));
        if exchange.body_in > limit {
            self.0.kernel.telemetry.limits.body_bytes.inc();
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            exchange.ending.ended = Some(Ended::from(&whole_body::too_long(whole_body::BODY_BYTES, most)));
            return Err(Error::explain(ErrorType::HTTPStatus(413), "the body is over its limit").into_down());
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        resp: &mut ResponseHeader,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<()> {
        let outbound = exchange.going()?.outbound;
        let fields = *outbound.answer_fields.insert(AnswerFields::of(resp));
        if let Err(why) = response_rules::judge(session.req_header(), resp, fields) {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up());
        }
        outbound.reached();
        let status = resp.status.as_u16();
        let interim = status < 200 && status != 101;
        let patience = &mut outbound.patience;
        let waited = if interim { patience.interim() } else { patience.answered(status == 101) };
        if let Err(spent) = waited {
            return Err(exchange.spent(spent));
        }
        if status < 200 {
            if let Some(flow) = outbound.flow().filter(|_| status != 101) {
                flow.interim();
            }
            return Ok(());
        }
        outbound.selection.report(Report::Answered(status));
        if attempt::is_tried_again(&self.0, session, outbound, resp) {
            outbound.status_retry = true;
            let mut error = Error::explain(ErrorType::HTTPStatus(status), "it is tried again").into_up();
            error.set_retry(true);
            return Err(error);
        }
        let Going { snapshot, outbound, ending, .. } = exchange.going()?;
        if snapshot.config().gateway.errors == Errors::Wso2 && attempt::has_failed_over(session, outbound, status) {
            // There, the last one's answer is nobody's.
            return Err(attempt::none_left(Nowhere::None, ending));
        }
        Ok(())
    }

    async fn response_filter(&self, session: &mut Session, resp: &mut ResponseHeader, exchange: &mut Self::CTX) -> pingora::Result<()> {
        let is_grpc = exchange.grpc;
        let mut going = exchange.going()?;
        let fields = going.outbound.answer_fields.take().unwrap_or_else(|| AnswerFields::of(resp));
        response_rules::clean(resp, fields);
        if resp.status.is_informational() && resp.status.as_u16() != 101 {
            return Ok(());
        }
        going.ending.status = resp.status.as_u16();
        going.ending.grpc_status = if is_grpc { grpc::status_in(&resp.headers) } else { None };
        let method = &session.req_header().method;
        if going.outbound.reads_answers && whole_answer::hold(&mut going, &self.0.kernel.whole_answers, method, resp)? {
            return Ok(());
        }
        if going.chain.rewrites_answers() {
            rewritten::begin(&mut going, method, resp)?;
        }
        let Going { id, connection, snapshot, chain, call, run, outbound, ending, .. } = going;
        if ending.status == 101 {
            connection.tunnel();
        } else if self.0.is_draining() {
            // Who asks again is to ask another process.
            session.set_keepalive(None);
        }
        if session.req_header().version == http::Version::HTTP_10 && resp.headers.contains_key(http::header::TRANSFER_ENCODING) {
            // RFC 9112 §6.1: such a client knows no chunks, so the end of the connection is the end of the body.
            resp.remove_header(&http::header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        let had_length = chain.reframes() && resp.headers.contains_key(http::header::CONTENT_LENGTH);
        run.response(chain, ResponseHead::wrap_mut(resp), true, call).map_err(|fault| ending.faulted(&fault))?;
        if had_length && !resp.headers.contains_key(http::header::CONTENT_LENGTH) {
            rewritten::without_length(session, resp)?;
        }
        if let Some(cookie) = outbound.selection.cookie(connection.secure) {
            resp.append_header(http::header::SET_COOKIE, cookie)?;
        }
        if snapshot.judge.ids.all_answers {
            resp.insert_header(snapshot.judge.ids.field.clone(), request_id::value(id))?;
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<Option<Duration>> {
        let Going { chain, run, outbound, ending, .. } = exchange.going()?;
        if end {
            outbound.ended = Some(Instant::now());
        }
        if let Some(flow) = outbound.flow() {
            flow.passed();
        }
        let patience = &mut outbound.patience;
        let waited = if end { patience.whole() } else { patience.piece() };
        if let Err(spent) = waited {
            return Err(exchange.spent(spent));
        }
        match &mut outbound.held {
            Some(held) => whole_answer::keep(held, ending, body)?,
            None => run.chunk(chain, body, end).map_err(|fault| ending.faulted(&fault))?,
        }
        Ok(None)
    }

    async fn response_trailer_filter(
        &self,
        _: &mut Session,
        trailers: &mut HeaderMap,
        exchange: &mut Self::CTX,
    ) -> pingora::Result<Option<Bytes>> {
        response_rules::clean_trailers(trailers);
        if exchange.grpc {
            exchange.ending.grpc_status = grpc::status_in(trailers);
        }
        Ok(None)
    }

    fn fail_to_connect(&self, _: &mut Session, _: &HttpPeer, exchange: &mut Self::CTX, error: Box<Error>) -> Box<Error> {
        attempt::not_connected(&self.0, exchange, error)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        exchange: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        attempt::broke_off(&self.0, session, exchange, error, reused)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, exchange: &mut Self::CTX) -> FailToProxy {
        let Some(answer) = answer_to(error, exchange) else { return FailToProxy { error_code: 0, can_reuse_downstream: false } };
        session.set_keepalive(None);
        let failed = FailToProxy { error_code: answer.status(), can_reuse_downstream: false };
        // An interim answer leaves the client waiting for the final one; what is held has not been written to it.
        let is_final = |written: &ResponseHeader| !written.status.is_informational() || session.was_upgraded();
        let holds = exchange.outbound_mut().is_some_and(|outbound| outbound.held.take().is_some());
        let is_answered = !holds && session.response_written().is_some_and(is_final);
        let back = exchange.outbound().and_then(|outbound| outbound.back.as_ref());
        if is_answered || back.is_some() {
            let in_subrequest = back.is_some();
            back.filter(|_| !is_answered).into_iter().for_each(|back| back.hold(true));
            exchange.ending.ended.get_or_insert_with(|| Ended::from(&answer));
            if exchange.grpc && is_answered && !in_subrequest {
                grpc::break_off(session, exchange, &answer).await;
            }
            return failed;
        }
        if let Err(broken) = answer::write(session, exchange, answer).await {
            log::debug!("the client is gone: {broken}");
        }
        failed
    }

    fn suppress_error_log(&self, _: &Session, _: &Self::CTX, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _: &Session, _: &Self::CTX, _: &Error, _: ProxyWarnLogContext) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Self::CTX) {
        if exchange.delegated {
            return;
        }
        if let Some(outbound) = exchange.outbound_mut().filter(|outbound| outbound.back.is_some()) {
            if error.is_some() {
                outbound.held = None;
            }
            outbound.ended.get_or_insert_with(Instant::now);
            if subrequest::give_back(exchange) {
                return;
            }
        }
        let is_refused_call = exchange.ending.grpc_status.is_some() && exchange.ending.ended.is_some();
        if let Some(written) = session.response_written().filter(|_| !is_refused_call) {
            exchange.ending.status = written.status.as_u16();
        }
        let ending = &mut exchange.ending;
        if let Some(error) = error.filter(|error| ending.note.is_none() && (ending.ended.is_none() || client_left(error))) {
            ending.note = Some(error.to_string().into());
        }
        exchange.chain_done(session.body_bytes_sent() as u64);
        count(&self.0.kernel.telemetry, exchange);
        if self.0.access_log.is_on() {
            self.0.access_log.write(line(session, exchange));
        }
    }
}
