//! Answers that a filter reads whole, before the client gets a byte.
//!
//! Whether an answer is held is decided when its head comes: some filter that let the request pass must have named its status and media
//! type. It is then collected here, inside a [sub-request](super::subrequest), up to the least limit of those filters and up to what all
//! such answers of the process may have. When it is whole it is shown to the filters ([`super::judged`]). What they would have to judge and
//! cannot is refused. Everything else streams.
//!
//! Not held are answers to HEAD and 304, which have no body, interim answers, and requests for a tunnel or of gRPC, whose answers have no
//! end. How long a filter takes to judge is not bounded here.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use pingora::{
    Error, ErrorType,
    http::{RequestHeader, ResponseHeader},
};
use tollgate_filter_api::{Answer, Cause, CauseKind, Rule, Shown, essence, is_endless};

use super::super::state::{Ended, Ending, Going};
use crate::{
    chain::{Chain, Run, gateway as reasons},
    fields::DIGESTS,
    proxy::budget::{Budget, Share},
};

/// First room for a body of unknown length.
const ROOM: usize = 16 << 10;

/// Takes out what says something of a body that may be another one by now (RFC 9110 §8.8.3, §14.3).
pub fn drop_digests(resp: &mut ResponseHeader) {
    let of_body = DIGESTS.iter().copied().chain(["etag", "accept-ranges"]);
    of_body.for_each(|name| drop(resp.remove_header(name)));
}

/// An answer that is held.
#[derive(Debug)]
pub struct Held {
    /// Its head, as the rules for answers left it.
    pub head: ResponseHeader,
    /// What has come of its body.
    pub body: BytesMut,
    limit: usize,
    share: Share,
}

impl Held {
    /// Nothing yet. Room is made for what the head announces.
    fn new(head: ResponseHeader, limit: usize, budget: &Arc<Budget>) -> Result<Self, Answer> {
        let length = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if let Some(length) = length.filter(|length| *length > limit) {
            return Err(too_long(length, limit));
        }
        let mut held = Self { head, body: BytesMut::new(), limit, share: Share::of(budget) };
        held.make_room(length.unwrap_or(0))?;
        Ok(held)
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), Answer> {
        let length = self.body.len() + piece.len();
        if length > self.limit {
            return Err(too_long(length, self.limit));
        }
        if length > self.body.capacity() {
            self.make_room(length.max(2 * self.body.capacity()).max(ROOM).min(self.limit))?;
        }
        self.body.extend_from_slice(piece);
        Ok(())
    }

    /// Exactly as much as is counted: what is reserved in steps of its own would be twice the limit.
    fn make_room(&mut self, bytes: usize) -> Result<(), Answer> {
        if !self.share.grow(bytes) {
            let cause = Cause::new(CauseKind::OverLimit, "room for answers", Rule::Gateway("/limits/whole_answers"));
            return Err(reasons::ANSWER_HELD.because(cause.detail("all answers that are held count").seen(Shown::Bytes(bytes as u64))));
        }
        let mut larger = BytesMut::with_capacity(bytes);
        larger.extend_from_slice(&self.body);
        self.body = larger;
        Ok(())
    }
}

/// Whether an exchange whose answer is read must go out as one that can hold it. Not so what has no body to read or no end: there the
/// answer is looked at, and refused when a filter would have to read it.
pub fn can_be_held(req: &RequestHeader) -> bool {
    let asks_for_tunnel = req.headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let endless = media_types(&req.headers).any(|media_type| media_type.is_some_and(is_endless));
    req.method != Method::HEAD && !asks_for_tunnel && !endless
}

/// Asks the upstream for what a filter can read: the whole document, and not compressed.
///
/// # Errors
/// Never in practice: the field is legal.
pub fn ask(req: &mut RequestHeader) -> pingora::Result<()> {
    req.remove_header(&header::RANGE);
    req.remove_header(&header::IF_RANGE);
    req.insert_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

/// Decides about an answer whose head has come. `true` when it is held: the head is taken, and another goes its way in the engine.
///
/// # Errors
/// The answer would have to be read, and cannot be.
pub fn hold(going: &mut Going<'_>, budget: &Arc<Budget>, method: &Method, resp: &mut ResponseHeader) -> pingora::Result<bool> {
    let Going { chain, run, outbound, ending, .. } = going;
    // Of an attempt before this one.
    outbound.held = None;
    outbound.back.iter().for_each(|back| back.hold(false));
    let may_hold = outbound.back.as_ref().is_some_and(|back| back.may_hold);
    let held = decide(chain, run, may_hold, budget, method, resp)?;
    outbound.held = held.map_err(|answer| refused(ending, &answer))?.map(Box::new);
    outbound.back.iter().for_each(|back| back.hold(outbound.held.is_some()));
    Ok(outbound.held.is_some())
}

/// The answer when it is held, or why it is refused.
fn decide(
    chain: &Chain,
    run: &Run,
    may_hold: bool,
    budget: &Arc<Budget>,
    method: &Method,
    resp: &mut ResponseHeader,
) -> pingora::Result<Result<Option<Held>, Answer>> {
    if resp.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(if run.reads_all_answers(chain) { Err(endless()) } else { Ok(None) });
    }
    let Some(covered) = run.covers(chain, resp.status, &resp.headers) else { return Ok(Ok(None)) };
    if method == Method::HEAD || resp.status == StatusCode::NOT_MODIFIED {
        if method == Method::HEAD {
            // The filter may have put another body in the place of the one that this speaks of.
            resp.remove_header(&header::CONTENT_LENGTH);
            drop_digests(resp);
        }
        return Ok(Ok(None));
    }
    Ok(match unreadable(resp) {
        Some(answer) => Err(answer),
        None if !may_hold => Err(endless()),
        None => Held::new(std::mem::replace(resp, unframed(resp)?), covered.limit, budget).map(Some),
    })
}

/// What the engine is told of an answer that is held: that a body of any length may follow, if one may.
fn unframed(resp: &ResponseHeader) -> pingora::Result<ResponseHeader> {
    let mut head = ResponseHeader::build(resp.status, Some(1))?;
    head.set_version(resp.version);
    Ok(head)
}

/// Why no filter can read an answer whole.
fn unreadable(resp: &ResponseHeader) -> Option<Answer> {
    if media_types(&resp.headers).any(|media_type| media_type.is_some_and(is_endless)) {
        return Some(endless());
    }
    uninterpretable(resp)
}

/// Why no filter can make sense of a body.
pub fn uninterpretable(resp: &ResponseHeader) -> Option<Answer> {
    let coded = |value: &&HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if resp.status == StatusCode::PARTIAL_CONTENT {
        return Some(reasons::ANSWER_PARTIAL.because(unfit("status of the answer", "RFC 9110 §14.2").seen("206")));
    }
    let coding = resp.headers.get_all(header::CONTENT_ENCODING).iter().find(coded)?;
    let cause = unfit("field `Content-Encoding` of the answer", "RFC 9110 §12.5.3");
    Some(reasons::ANSWER_CODED.because(cause.seen(Shown::bytes_sent(coding.as_bytes())).wanted("identity")))
}

fn unfit(about: &'static str, rule: &'static str) -> Cause {
    Cause::new(CauseKind::NotAllowed, about, Rule::Fixed(rule))
}

fn endless() -> Answer {
    reasons::ANSWER_ENDLESS.because(unfit("answer without an end", "a filter reads it whole"))
}

fn too_long(length: usize, limit: usize) -> Answer {
    let cause = Cause::new(CauseKind::OverLimit, "body of the answer", Rule::Fixed("the filter that reads it accepts no more"));
    reasons::ANSWER_BYTES.because(cause.seen(Shown::Bytes(length as u64)).wanted(Shown::Bytes(limit as u64)))
}

fn media_types(fields: &http::HeaderMap) -> impl Iterator<Item = Option<&str>> {
    fields.get_all(header::CONTENT_TYPE).iter().map(|value| essence(value.to_str().ok()?))
}

/// Takes the next piece of a held answer.
///
/// # Errors
/// When it is too long.
pub fn keep(held: &mut Held, ending: &mut Ending, body: &mut Option<Bytes>) -> pingora::Result<()> {
    let Some(piece) = body.take() else { return Ok(()) };
    held.append(&piece).map_err(|answer| refused(ending, &answer))
}

/// Not the upstream's failure, and nothing to try again.
pub fn refused(ending: &mut Ending, answer: &Answer) -> Box<Error> {
    let reason = answer.reason();
    ending.ended = Some(Ended::from(answer));
    Error::explain(ErrorType::HTTPStatus(reason.status), reason.title).into_in()
}
