//! Answers that a filter changes while they stream.
//!
//! Their head goes out before their end is known, so it must not say how long they are, nor carry a digest of what the upstream sent.
//! An answer in part or compressed is none that a filter could change: it is refused.

use http::{Method, StatusCode, Version, header};
use pingora::{http::ResponseHeader, proxy::Session};

use super::{super::state::Going, whole_answer};

/// Readies the head of an answer, when a filter changes it.
///
/// # Errors
/// The filter cannot read it.
pub fn begin(going: &mut Going<'_>, method: &Method, resp: &mut ResponseHeader) -> pingora::Result<()> {
    let Going { chain, run, ending, .. } = going;
    if resp.status == StatusCode::SWITCHING_PROTOCOLS || !run.rewrites(chain, resp.status, &resp.headers) {
        return Ok(());
    }
    let is_empty = resp.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    if is_empty && method != Method::HEAD {
        return Ok(());
    }
    let has_body = method != Method::HEAD && !matches!(resp.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(answer) = whole_answer::uninterpretable(resp).filter(|_| has_body) {
        return Err(whole_answer::refused(ending, &answer));
    }
    unframe(resp);
    if has_body && resp.version != Version::HTTP_2 {
        resp.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// Frames an answer whose length a filter took out, because it changes the body.
pub fn without_length(session: &mut Session, resp: &mut ResponseHeader) -> pingora::Result<()> {
    let request = session.req_header();
    if request.version == Version::HTTP_10 {
        // Such a client knows no chunks: the end of the connection is the end of the body (RFC 9112 §6.3).
        session.set_keepalive(None);
    } else if resp.version != Version::HTTP_2 && request.method != Method::HEAD {
        resp.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// Takes out what says something of a body that becomes another one.
pub fn unframe(resp: &mut ResponseHeader) {
    resp.remove_header(&header::CONTENT_LENGTH);
    whole_answer::drop_digests(resp);
}
