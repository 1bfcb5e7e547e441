//! A service that is asked over gRPC, by `envoy.service.auth.v3.Authorization/Check`.

use std::{collections::HashMap, time::SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use prost::Message;
use tollgate_filter_api::{Call, RemoteRequest, RemoteResponse, RequestHead, reserved};

use crate::{
    filter::Fields,
    proto,
    verdict::{Allowed, Denied, Verdict, listed},
};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// # Errors
/// None that is known: the method's path can be sent.
pub(crate) fn question(
    req: &RequestHead,
    call: &Call,
    body: Option<Bytes>,
    fields: &Fields,
    context: &HashMap<String, String>,
) -> Result<RemoteRequest, String> {
    let message = proto::CheckRequest { attributes: Some(attributes(req, call, body, fields, context)) };
    let mut framed = BytesMut::with_capacity(message.encoded_len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).map_err(|_| "the question is too long")?);
    message.encode(&mut framed).map_err(|error| error.to_string())?;
    let headers =
        vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc")), (header::TE, HeaderValue::from_static("trailers"))];
    let target = CHECK.parse().map_err(|_| "the method cannot be asked")?;
    Ok(RemoteRequest { method: Method::POST, target: Some(target), headers, body: framed.freeze() })
}

fn attributes(
    req: &RequestHead,
    call: &Call,
    body: Option<Bytes>,
    fields: &Fields,
    context: &HashMap<String, String>,
) -> proto::AttributeContext {
    let since = call.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = proto::Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos().cast_signed() };
    let mut headers: HashMap<String, String> = HashMap::new();
    for (name, value) in fields.of_request(req) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let known = headers.entry(name.as_str().to_owned()).or_default();
        // Several lines of a field are one list; those of `Cookie` have their own sign (RFC 9113 §8.2.3).
        *known =
            if known.is_empty() { value.into_owned() } else { [known, &*value].join(if *name == header::COOKIE { "; " } else { "," }) };
    }
    let size = body.as_ref().map_or(-1, |body| i64::try_from(body.len()).unwrap_or(i64::MAX));
    let (body, raw_body) = match body.map(|bytes| (std::str::from_utf8(&bytes).map(str::to_owned), bytes)) {
        Some((Ok(text), _)) => (text, Bytes::new()),
        Some((Err(_), bytes)) => (String::new(), bytes),
        None => Default::default(),
    };
    let query = req.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = proto::HttpRequest {
        id: call.request_id.to_string(),
        method: req.method().to_string(),
        headers,
        path: format!("{}{query}", req.path()),
        host: call.host.to_string(),
        scheme: if call.secure { "https" } else { "http" }.to_owned(),
        size,
        body,
        raw_body,
    };
    let address = proto::Address { socket_address: Some(proto::SocketAddress { address: call.client.to_string() }) };
    proto::AttributeContext {
        source: Some(proto::Peer { address: Some(address) }),
        request: Some(proto::Request { time: Some(time), http: Some(request) }),
        context_extensions: context.clone(),
    }
}

/// # Errors
/// What is no decision.
pub(crate) fn verdict(answer: RemoteResponse, fields: &Fields) -> Result<Verdict, String> {
    let said = |name: &str| answer.fields.get(name).and_then(|value| value.to_str().ok()).unwrap_or("none").to_owned();
    if answer.status != 200 || said("grpc-status") != "0" {
        return Err(format!("the service answered {} with gRPC status {:?}", answer.status, said("grpc-status")));
    }
    if !said("content-type").starts_with("application/grpc") {
        return Err("the service does not answer in gRPC".to_owned());
    }
    let response = message(&answer.body).ok_or("the service sent no message that can be read")?;
    if response.status.map_or(0, |status| status.code) != 0 {
        return denied(response.denied.unwrap_or_default(), fields);
    }
    if response.denied.is_some() {
        return Err("the service says both yes and no".to_owned());
    }
    Ok(Verdict::Allowed(Box::new(allowed(response.ok.unwrap_or_default(), fields)?)))
}

/// The one message of an answer.
fn message(body: &Bytes) -> Option<proto::CheckResponse> {
    let (prefix, message) = body.split_first_chunk::<5>()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    let is_whole = prefix[0] == 0 && usize::try_from(length) == Ok(message.len());
    is_whole.then(|| proto::CheckResponse::decode(message).ok()).flatten()
}

fn denied(denied: proto::DeniedHttpResponse, fields: &Fields) -> Result<Verdict, String> {
    let code = denied.status.map_or(403, |status| status.code);
    let map = map(denied.headers)?;
    let status = u16::try_from(code).ok();
    let made = status.and_then(|status| Denied::new(status, &map, &fields.client, denied.body.into()));
    made.map(Verdict::Denied).ok_or_else(|| format!("the service refuses with status {code}"))
}

fn allowed(ok: proto::OkHttpResponse, fields: &Fields) -> Result<Allowed, String> {
    let removed = ok.headers_to_remove.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    Ok(Allowed {
        upstream: listed(&map(ok.headers)?, |name| fields.upstream.contains(name)),
        client: listed(&map(ok.response_headers_to_add)?, |name| fields.client_on_success.has(name.as_str())),
        removed: removed.filter(|name| fields.remove.has(name.as_str()) && reserved(name.as_str()).is_none()).collect(),
        query_removed: ok.query_parameters_to_remove,
        query_set: ok.query_parameters_to_set.into_iter().map(|one| (one.key, one.value)).collect(),
    })
}

/// # Errors
/// What no field can hold: a service that says so is not understood.
fn map(options: Vec<proto::HeaderValueOption>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for field in options.into_iter().filter_map(|option| option.header) {
        let name = HeaderName::from_bytes(field.key.as_bytes()).map_err(|_| "the service sets a field whose name is none")?;
        let value = if field.raw_value.is_empty() { field.value.into_bytes() } else { field.raw_value.to_vec() };
        let value = HeaderValue::from_bytes(&value).map_err(|_| "the service sets a field to what no field can hold")?;
        map.append(name, value);
    }
    Ok(map)
}
