//! One check of one endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use pingora::{
    Error,
    connectors::http::Connector,
    http::RequestHeader,
    protocols::{http::client::HttpSession, l4::socket::SocketAddr as EngineAddr},
    upstreams::peer::HttpPeer,
};
use tokio::time::timeout;

use super::Endpoint;
use crate::{
    config::{Check, GrpcCheck, HttpCheck, Probe},
    proxy::transport::server_name,
};

/// Most bytes of a body that are looked at.
const MOST_BODY: usize = 64 << 10;
/// `grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING`.
const SERVING: u64 = 1;

/// Asks an endpoint how it does; several addresses take turns.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn probe(connector: &Connector, endpoint: &Endpoint, check: &Check, turn: usize) -> Result<(), String> {
    let limit = check.timeout.0;
    match timeout(limit, ask(connector, endpoint, check, turn)).await {
        Ok(said) => said,
        Err(_) => Err(format!("it has not answered within {limit:?}")),
    }
}

async fn ask(connector: &Connector, endpoint: &Endpoint, check: &Check, turn: usize) -> Result<(), String> {
    let address = endpoint.upstream.look_up(turn).await.map_err(|error| format!("its name has no address: {error}"))?;
    let mut peer = endpoint.connection.http.clone();
    peer._address = EngineAddr::Inet(address);
    limit(&mut peer, check.timeout.0);
    if matches!(check.probe, Probe::Grpc(_)) {
        peer.options.set_http_version(2, 2);
    }
    let (mut session, _) = connector.get_http_session(&peer).await.map_err(|error| said(&error))?;
    server_name::check(session.digest()).map_err(|error| said(&error))?;
    let found = match &check.probe {
        Probe::Tcp => Ok(()),
        Probe::Http(http) => get(&mut session, endpoint, http).await,
        Probe::Grpc(grpc) => serving(&mut session, endpoint, grpc).await,
    };
    match session {
        // The connection may be kept for the next check; it is not one for requests.
        HttpSession::H2(_) => connector.release_http_session(session, &peer, Some(check.timeout.0)).await,
        mut session => session.shutdown().await,
    }
    found
}

fn limit(peer: &mut HttpPeer, time: Duration) {
    for limit in [&mut peer.options.connection_timeout, &mut peer.options.total_connection_timeout, &mut peer.options.read_timeout] {
        *limit = Some(time);
    }
}

fn said(error: &Error) -> String {
    error.etype().as_str().to_owned()
}

async fn get(session: &mut HttpSession, endpoint: &Endpoint, check: &HttpCheck) -> Result<(), String> {
    let mut head = head("GET", &check.path, endpoint, check.host.as_deref())?;
    if !matches!(session, HttpSession::H2(_)) {
        // HTTP/2 has no such field (RFC 9113 §8.2.2).
        head.insert_header(header::CONNECTION, "close").map_err(|error| said(&error))?;
    }
    session.write_request_header(Box::new(head)).await.map_err(|error| said(&error))?;
    session.finish_request_body().await.map_err(|error| said(&error))?;
    let status = answered(session).await?;
    if !check.statuses.iter().any(|range| range.0.contains(&status)) {
        return Err(format!("it has answered {status}"));
    }
    let Some(wanted) = &check.body else { return Ok(()) };
    let body = body(session).await?;
    let found = wanted.is_empty() || body.windows(wanted.len()).any(|part| part == wanted.as_bytes());
    if found { Ok(()) } else { Err("its body has not the text that it should".to_owned()) }
}

async fn serving(session: &mut HttpSession, endpoint: &Endpoint, check: &GrpcCheck) -> Result<(), String> {
    let mut head = head("POST", "/grpc.health.v1.Health/Check", endpoint, None)?;
    let fields = [(header::CONTENT_TYPE, "application/grpc"), (header::TE, "trailers")];
    fields.into_iter().try_for_each(|(name, value)| head.insert_header(name, value)).map_err(|error| said(&error))?;
    session.write_request_header(Box::new(head)).await.map_err(|error| said(&error))?;
    session.write_request_body(request(&check.service), true).await.map_err(|error| said(&error))?;
    session.finish_request_body().await.map_err(|error| said(&error))?;
    let status = answered(session).await?;
    let grpc = session.response_header().and_then(|head| head.headers.get("grpc-status")).and_then(|status| status.to_str().ok());
    match grpc {
        _ if status != 200 => return Err(format!("it has answered {status}")),
        Some(code) if code != "0" => return Err(format!("its grpc-status is {code}")),
        _ => {}
    }
    match status_of(&body(session).await?) {
        Some(SERVING) => Ok(()),
        Some(other) => Err(format!("its serving status is {other}")),
        None => Err("it has not said a serving status".to_owned()),
    }
}

fn head(method: &str, path: &str, endpoint: &Endpoint, host: Option<&str>) -> Result<RequestHeader, String> {
    let mut head = RequestHeader::build(method, path.as_bytes(), None).map_err(|error| said(&error))?;
    let own = || Ok(endpoint.upstream.host_header.clone());
    let host = host.map_or_else(own, |host| HeaderValue::try_from(host).map_err(|_| "the host of the check is none".to_owned()))?;
    head.insert_header(header::HOST, host).map_err(|error| said(&error))?;
    head.insert_header(header::USER_AGENT, concat!("tollgate-check/", env!("CARGO_PKG_VERSION"))).map_err(|error| said(&error))?;
    Ok(head)
}

/// The final status.
async fn answered(session: &mut HttpSession) -> Result<u16, String> {
    loop {
        session.read_response_header().await.map_err(|error| said(&error))?;
        let status = session.response_header().map_or(0, |head| head.status.as_u16());
        if status >= 200 {
            return Ok(status);
        }
    }
}

async fn body(session: &mut HttpSession) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while body.len() < MOST_BODY {
        match session.read_response_body().await.map_err(|error| said(&error))? {
            Some(piece) => body.extend_from_slice(&piece),
            None => break,
        }
    }
    body.truncate(MOST_BODY);
    Ok(body)
}

/// A message of one text field, number 1, in gRPC's framing. The service's name has at most 127 bytes, as was checked.
fn request(service: &str) -> Bytes {
    let field: Vec<u8> = if service.is_empty() { Vec::new() } else { [&[0x0a, service.len() as u8], service.as_bytes()].concat() };
    Bytes::from([&[0, 0, 0, 0, field.len() as u8], field.as_slice()].concat())
}

/// The field number 1 of the first message, if that is not compressed; a message without it says 0, which is `UNKNOWN`.
fn status_of(body: &[u8]) -> Option<u64> {
    let (frame, rest) = body.split_at_checked(5)?;
    let length = frame.strip_prefix(&[0]).map(|length| length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))?;
    match rest.get(..length)? {
        [] => Some(0),
        [0x08, status] if *status < 0x80 => Some(u64::from(*status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serving_status_is_read_from_its_message() {
        assert_eq!(status_of(&[0, 0, 0, 0, 2, 8, 1]), Some(1));
        assert_eq!(status_of(&[0, 0, 0, 0, 2, 8, 2]), Some(2));
        assert_eq!(status_of(&[0, 0, 0, 0, 0]), Some(0));
        for wrong in [&[][..], &[0, 0, 0], &[1, 0, 0, 0, 2, 8, 1], &[0, 0, 0, 0, 9, 8, 1], &[0, 0, 0, 0, 2, 9, 1]] {
            assert_eq!(status_of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 10, 2, b'a', b'b']);
    }
}
