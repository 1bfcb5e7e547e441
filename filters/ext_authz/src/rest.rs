//! A service that is asked over HTTP: 200 lets the request pass, any other status but 5xx is the answer for the client.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, uri::PathAndQuery};
use tollgate_filter_api::{Call, RemoteRequest, RemoteResponse, RequestHead};

use crate::{
    filter::Fields,
    verdict::{Allowed, Denied, Verdict, listed},
};

/// The question about a request: its method, path, query and listed fields.
///
/// # Errors
/// A path that no question can have.
pub(crate) fn question(
    prefix: &str,
    req: &RequestHead,
    call: &Call,
    body: Option<Bytes>,
    fields: &Fields,
) -> Result<RemoteRequest, String> {
    let query = req.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target: PathAndQuery = format!("{prefix}{}{query}", req.path()).parse().map_err(|_| "the path cannot be sent".to_owned())?;
    let mut headers: Vec<(HeaderName, HeaderValue)> = fields.of_request(req).map(|(name, value)| (name.clone(), value.clone())).collect();
    let scheme = if call.secure { "https" } else { "http" };
    let client = call.client.to_string();
    for (name, value) in [("x-forwarded-host", &*call.host), ("x-forwarded-proto", scheme), ("x-forwarded-for", &client)] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.push((HeaderName::from_static(name), value));
        }
    }
    Ok(RemoteRequest { method: req.method().clone(), target: Some(target), headers, body: body.unwrap_or_default() })
}

/// # Errors
/// What is no decision.
pub(crate) fn verdict(answer: RemoteResponse, fields: &Fields) -> Result<Verdict, String> {
    match answer.status {
        200 => {
            let upstream = listed(&answer.fields, |name| fields.upstream.contains(name));
            let client = listed(&answer.fields, |name| fields.client_on_success.has(name.as_str()));
            Ok(Verdict::Allowed(Box::new(Allowed { upstream, client, ..Allowed::default() })))
        }
        status if status >= 500 => Err(format!("the service answered {status}")),
        status => {
            let denied = Denied::new(status, &answer.fields, &fields.client, answer.body);
            denied.map(Verdict::Denied).ok_or_else(|| format!("the service answered {status}"))
        }
    }
}
