//! What the client asked for: scheme, host and target, as the gateway and the proxies that it trusts know them.

use std::borrow::Cow;

use tollgate_filter_api::{Call, RequestHead, below};

use super::text::Text;

/// A part of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Scheme,
    Host,
    Port,
    Path,
    Rest,
    Query,
    Search,
    Target,
}

impl Asked {
    /// Whether it is gone once the request has its answer.
    pub(super) fn is_of_head(self) -> bool {
        !matches!(self, Self::Scheme | Self::Host | Self::Port)
    }

    /// Writes it; `false` when it is not known.
    pub(super) fn write(self, call: &Call, head: Option<&RequestHead>, text: &mut Text) -> bool {
        match (self, head) {
            (Self::Scheme, _) => text.asked(if is_secure(call) { "https" } else { "http" }),
            (Self::Host, _) => host(call).is_some_and(|(name, _)| text.asked(&name)),
            (Self::Port, _) => host(call).is_some_and(|(_, port)| text.asked(&port.unwrap_or(usual_port(call)).to_string())),
            (Self::Path, Some(head)) => text.asked(head.path()),
            (Self::Rest, Some(head)) => text.asked(rest(call, head)),
            (Self::Query, Some(head)) => head.query().is_some_and(|query| text.asked(query)),
            (Self::Search, Some(head)) => search(head, text),
            (Self::Target, Some(head)) => text.asked(head.path()) && search(head, text),
            (_, None) => false,
        }
    }

    /// The same as text, for documents.
    pub(super) fn text(self, call: &Call, head: &RequestHead) -> Option<String> {
        match self {
            Self::Scheme => Some(if is_secure(call) { "https" } else { "http" }.to_owned()),
            Self::Host => host(call).map(|(name, _)| name.into_owned()),
            Self::Port => host(call).map(|(_, port)| port.unwrap_or(usual_port(call)).to_string()),
            Self::Path => Some(head.path().to_owned()),
            Self::Rest => Some(rest(call, head).to_owned()),
            Self::Query => head.query().map(str::to_owned),
            Self::Search => Some(head.query().map_or_else(String::new, |query| format!("?{query}"))),
            Self::Target => Some(head.query().map_or_else(|| head.path().to_owned(), |query| format!("{}?{query}", head.path()))),
        }
    }
}

/// What is below the base path, the whole of which is `/`.
fn rest<'h>(call: &Call, head: &'h RequestHead) -> &'h str {
    let rest = below(head.path(), &call.operation.base_path);
    if rest.is_empty() { "/" } else { rest }
}

/// The query behind its question mark. Nothing is known too when there is none.
fn search(head: &RequestHead, text: &mut Text) -> bool {
    if let Some(query) = head.query() {
        text.literal("?");
        text.asked(query);
    }
    true
}

fn usual_port(call: &Call) -> u16 {
    if is_secure(call) { 443 } else { 80 }
}

/// Whether the client's own connection is encrypted: the one to the gateway, or to the trusted proxy that says so.
pub fn is_secure(call: &Call) -> bool {
    let told = call.forwarded.as_deref().and_then(|forwarded| forwarded.scheme.as_ref());
    told.map_or(call.secure, |scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// The host that the client asked for and the port if it wrote one, by a trusted proxy's word where that says so. Lower case; `None` for none,
/// and for a word that is no host.
pub fn host(call: &Call) -> Option<(Cow<'_, str>, Option<u16>)> {
    let told = call.forwarded.as_deref().and_then(|forwarded| forwarded.host.as_ref());
    let Some(told) = told else { return parted(&call.host).map(|(name, port)| (Cow::Borrowed(name), port)) };
    let (name, port) = parted(told.to_str().ok()?)?;
    Some((Cow::Owned(name.to_ascii_lowercase()), port))
}

/// Name and port of an authority without user information.
fn parted(authority: &str) -> Option<(&str, Option<u16>)> {
    let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
    let (name, port) = colon.map_or((authority, ""), |colon| (&authority[..colon], &authority[colon + 1..]));
    let is_address =
        name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = if port.is_empty() { None } else { Some(port.parse().ok().filter(|_| is_port)?) };
    (is_address || is_name).then_some((name, port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use tollgate_filter_api::Forwarded;

    use super::*;
    use crate::{
        facts::{Place, Seen, Template},
        testing::{call, seeing},
    };

    #[test]
    fn an_authority_is_a_name_or_an_address_and_perhaps_a_port() {
        assert_eq!(parted("a.example"), Some(("a.example", None)));
        assert_eq!(parted("a.example:8443"), Some(("a.example", Some(8443))));
        assert_eq!(parted("a.example:"), Some(("a.example", None)));
        assert_eq!(parted("[2001:db8::1]:80"), Some(("[2001:db8::1]", Some(80))));
        assert_eq!(parted("[::1]"), Some(("[::1]", None)));
        for wrong in ["", ":80", "a:b", "a:70000", "a:+80", "u@a", "a/b", "a?b", "a\\b", "::1", "[a]", "a b", "a,b", "[::1", "a:1:2"] {
            assert_eq!(parted(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_how_the_client_came() {
        let told = |scheme: &'static str, host: &'static str| {
            let value = |text| Some(HeaderValue::from_static(text));
            Call { forwarded: Some(Box::new(Forwarded { addresses: None, scheme: value(scheme), host: value(host) })), ..call() }
        };
        assert!(
            is_secure(&call()) && is_secure(&told("HTTPS", "a")) && !is_secure(&told("http", "a")) && !is_secure(&told("https,http", "a"))
        );
        assert_eq!(
            host(&told("https", "Shop.example:81")).map(|(name, port)| (name.into_owned(), port)),
            Some(("shop.example".into(), Some(81)))
        );
        assert_eq!(host(&told("https", "a, b")), None);
    }

    #[test]
    fn a_target_stands_in_a_url_as_it_was_sent() {
        let made = |template: &str, target: &str| {
            let template = Template::parse(template, Place::Url).expect("it is legal");
            seeing(target, None, |seen| template.render(seen)).expect("all is known")
        };
        let all = "${request.scheme}://${request.host}:${request.port}${request.target}";
        assert_eq!(made(all, "/v1/a%20b?x=%2F&y"), "https://a.example:443/v1/a%20b?x=%2F&y");
        assert_eq!(made("/new${request.rest}${request.search}", "/v1/pets/7"), "/new/pets/7");
        assert_eq!(made("/new${request.rest}${request.search}", "/v1?"), "/new/?");
        assert_eq!(made("/x?to=${request.path}&q=${query.q}", "/v1/a?q=a%26b"), "/x?to=/v1/a&q=a%26b");
        assert_eq!(made("${request.path}", "/a\"{b}"), "/a%22%7Bb%7D");
    }

    #[test]
    fn elsewhere_a_target_is_escaped_as_every_other_value() {
        let template = Template::parse("/go/${request.path}", Place::Segment).expect("it is legal");
        let made = seeing("/v1/a", None, |seen: &Seen<'_>| template.render(seen));
        assert_eq!(made.as_deref(), Ok("/go/%2Fv1%2Fa"));
    }
}
