//! Where clients are sent: judged when the gateway is built, made for each request.

use http::HeaderValue;
use tollgate_changes::facts::{Place, Seen, Template, Unknown};
use tollgate_filter_api::Problem;

/// A `Location` in the making.
#[derive(Debug)]
pub(crate) struct Location {
    template: Template,
    /// It begins with a path, so nothing in it may look like a host.
    is_path: bool,
    /// It holds the host that the client asked for.
    pub(crate) names_host: bool,
}

/// Facts that begin with a slash, always.
const PATHS: [&str; 3] = ["${request.path}", "${request.rest}", "${request.target}"];
const HOST: &str = "${request.host}";
const PORT: &str = "${request.port}";

impl Location {
    /// The same URL over TLS.
    pub(crate) fn https(port: Option<u16>) -> Result<Self, Problem> {
        let port = port.filter(|port| *port != 443).map_or_else(String::new, |port| format!(":{port}"));
        Self::parse(&format!("https://${{request.host}}{port}${{request.target}}"))
    }

    /// Judges what is written.
    ///
    /// # Errors
    /// When it is no URL, or a client could choose its host.
    pub(crate) fn parse(written: &str) -> Result<Self, Problem> {
        let wrong = |(message, hint): (String, String)| Problem::setting("/to", message).hint(hint);
        let template = Template::parse(written, Place::Url).map_err(wrong)?;
        if template.needs_caller() {
            return Err(Problem::setting("/to", "it says who is calling, and whoever comes here was not asked yet")
                .hint("use facts of the request, such as `${path.NAME}` or `${request.rest}`"));
        }
        let is_path = written.starts_with('/') || PATHS.iter().any(|fact| written.starts_with(fact));
        if is_path && (written.starts_with("//") || written.starts_with("/${request.")) {
            return Err(Problem::setting("/to", "it begins with two slashes, so what follows is a host to browsers")
                .hint("write one slash, or a whole URL: `https://shop.example/`; facts such as `${request.rest}` bring their own slash"));
        }
        let names_host = if is_path { false } else { authority(written)?.contains(HOST) };
        Ok(Self { template, is_path, names_host })
    }

    /// The value for one request.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn render(&self, seen: &Seen<'_>) -> Result<HeaderValue, Unknown> {
        let mut text = self.template.render(seen)?;
        if self.is_path {
            // Browsers take what follows two slashes for a host.
            let slashes = text.bytes().take_while(|byte| *byte == b'/').count();
            text.drain(..slashes.saturating_sub(1));
        }
        HeaderValue::from_maybe_shared(text.into_bytes()).map_err(|_| Unknown::Fact)
    }
}

/// What stands behind the scheme, up to the path: a host that the operator wrote, or the one that the request asks for.
fn authority(written: &str) -> Result<&str, Problem> {
    let wrong = |message: &str| {
        Err(Problem::setting("/to", message)
            .hint("write `https://shop.example/…`, `https://${request.host}${request.target}` or a path that begins with a slash"))
    };
    let schemes = ["https://", "http://", "${request.scheme}://"];
    let Some(rest) = schemes.iter().find_map(|scheme| written.strip_prefix(scheme)) else {
        return wrong("it is neither a URL of http or https nor a path");
    };
    let starts = PATHS.iter().copied().chain(["/", "?", "#"]);
    let end = starts.filter_map(|start| rest.find(start)).min().unwrap_or(rest.len());
    let authority = &rest[..end];
    let (name, port) = match authority.strip_prefix(HOST) {
        Some(behind) => ("a", behind),
        None => authority.find(":").filter(|_| !authority.starts_with('[')).map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port = port.strip_prefix(':');
    let is_port = port.is_none_or(|port| port == PORT || port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    // What stood behind the host and is no port is part of neither.
    let is_cut = port.is_some() || authority.strip_prefix(HOST).is_none_or(str::is_empty);
    let host: Result<http::uri::Authority, _> = name.parse();
    let is_host = host.is_ok_and(|host| host.port().is_none() && !name.contains(['@', '$', '{', '%']) || name.starts_with('['));
    if is_host && is_port && is_cut { Ok(authority) } else { wrong("what stands behind its scheme is no host") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_chooses_no_host() {
        for wrong in [
            "",
            "shop.example",
            "//evil.example",
            "/${request.path}",
            "javascript:alert(1)",
            "ftp://a.example/",
            "https://",
            "https:///a",
            "https://${header.x}/",
            "https://shop.example${query.next}",
            "https://shop.example${request.search}",
            "https://${request.host}.evil.example/",
            "https://${request.host}${query.x}/",
            "https://u@shop.example/",
            "https://shop.example:${query.port}/",
            "https://shop.example:99999/",
            "https://shop.example:/",
            "https://shop.example\\@evil/",
            "${query.next}",
            "${header.referer}/a",
            "https://${principal.subject}/",
            "/a/${principal.subject}",
            "/a b",
            "/a\r\nb",
            "https://shop.example/${",
        ] {
            assert!(Location::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_an_operator_may_write() {
        for (right, names_host) in [
            ("/new", false),
            ("/new?from=${request.path}", false),
            ("${request.rest}", false),
            ("https://shop.example", false),
            ("http://shop.example:8080/a#b", false),
            ("https://[2001:db8::1]:8443/", false),
            ("https://shop.example${request.target}", false),
            ("https://shop.example?next=${query.next}", false),
            ("${request.scheme}://${request.host}:${request.port}/a/${path.id}", true),
            ("https://${request.host}:8443${request.rest}${request.search}", true),
            ("https://${request.host}", true),
        ] {
            let location = Location::parse(right).unwrap_or_else(|problem| panic!("{right}: {problem}"));
            assert_eq!(location.names_host, names_host, "{right}");
        }
    }
}
