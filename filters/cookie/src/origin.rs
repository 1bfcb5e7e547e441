//! Where a request comes from, as the browser says. Scripts can set none of the fields that are read here.

use http::header::ORIGIN;
use tollgate_filter_api::{Call, HeaderName, RequestHead};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Origins whose pages may use a session, in normal form.
pub(crate) struct Origins(Vec<String>);

impl Origins {
    /// The origins as configured; the one that is none otherwise.
    pub(crate) fn parse(origins: &[String]) -> Result<Self, &str> {
        origins.iter().map(|origin| normal(origin).ok_or(origin.as_str())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether no page of a foreign origin can have sent this: `Origin` decides; without one `Sec-Fetch-Site` must not speak of another
    /// origin; without both it was no browser of this decade, and the caller decides what else to ask for.
    pub(crate) fn is_ours(&self, req: &RequestHead, call: &Call) -> bool {
        let mut origins = req.get_all(&ORIGIN);
        match (origins.next(), origins.next()) {
            (Some(origin), None) => {
                let origin = origin.to_str().ok().and_then(normal);
                origin.is_some_and(|origin| self.0.contains(&origin) || own(call).is_some_and(|own| own == origin))
            }
            (None, _) => req.get_all(&SITE).all(|site| matches!(site.as_bytes(), b"same-origin" | b"none")),
            _ => false,
        }
    }
}

/// The origin that this request went to, as the browser sees it.
fn own(call: &Call) -> Option<String> {
    let forwarded = call.forwarded.as_deref();
    let scheme = forwarded.and_then(|forwarded| forwarded.scheme.as_ref());
    let scheme = scheme.map_or(Some(if call.secure { "https" } else { "http" }), |scheme| scheme.to_str().ok())?;
    let host = forwarded.and_then(|forwarded| forwarded.host.as_ref());
    let host = host.map_or(Some(&*call.host), |host| host.to_str().ok())?;
    normal(&format!("{scheme}://{host}"))
}

/// Scheme and host in lower case, the port where it is not the usual one (RFC 6454 §6.2). `None` for what is no origin of a page.
fn normal(origin: &str) -> Option<String> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let authority: http::uri::Authority = authority.parse().ok()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let port = authority.port_u16();
    if port.is_none() && authority.as_str() != authority.host() {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    Some(port.filter(|port| *port != usual).map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}
