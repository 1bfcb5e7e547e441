//! Whether a proof's `htu` is the URL of the request (RFC 9449 §4.3, RFC 3986 §6.2.2 and §6.2.3).
//!
//! Scheme and host come from the settings, or from the connection and what the request asks for; never from a forwarding field. Query and
//! fragment are ignored. A URL with user information or dot segments is nobody's.

use tollgate_filter_api::{Call, RequestHead};

/// Where clients see this gateway.
pub(crate) struct Origins(Vec<Url>);

#[derive(PartialEq, Eq)]
struct Url {
    origin: String,
    path: String,
}

impl Origins {
    /// The origins as configured; the one that cannot be read otherwise.
    pub(crate) fn parse(urls: &[String]) -> Result<Self, &str> {
        urls.iter().map(|url| Url::parse(url).ok_or(url.as_str())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether that URL is the request's.
    pub(crate) fn is_target(&self, url: &str, req: &RequestHead, call: &Call) -> bool {
        let Some(url) = Url::parse(url) else { return false };
        if self.0.is_empty() {
            return request_url(req, call).is_some_and(|requested| requested == url);
        }
        let Some(path) = normal_path(req.path()) else { return false };
        self.0.iter().any(|own| own.origin == url.origin && url.path.strip_prefix(own.path.trim_end_matches('/')) == Some(path.as_str()))
    }
}

fn request_url(req: &RequestHead, call: &Call) -> Option<Url> {
    Url::parse(&format!("{}://{}{}", if call.secure { "https" } else { "http" }, call.host, req.path()))
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        let url: http::Uri = text.parse().ok()?;
        let (scheme, authority) = (url.scheme_str()?, url.authority()?);
        let default = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(default);
        Some(Self { origin: format!("{scheme}://{host}:{port}"), path: normal_path(url.path())? })
    }
}

/// Unreserved characters unescaped, other escapes in upper case; `None` for dot segments and broken escapes.
fn normal_path(path: &str) -> Option<String> {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let code = u8::from_str_radix(rest.get(at + 1..at + 3).filter(|hex| !hex.starts_with('+'))?, 16).ok()?;
        normal.push_str(&rest[..at]);
        match char::from(code) {
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) => normal.push(c),
            _ => normal.push_str(&format!("%{code:02X}")),
        }
        rest = &rest[at + 3..];
    }
    normal.push_str(rest);
    let dots = normal.split('/').any(|segment| segment == "." || segment == "..");
    (!dots).then(|| if normal.is_empty() { "/".to_owned() } else { normal })
}
