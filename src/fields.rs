//! Names of fields: when two are the same to a reader, and which ones only a proxy can know the value of.
//!
//! An upstream that gets a field of one of these [`FAMILIES`] believes that a proxy before it wrote the field. From a client it is
//! a forgery. Does **not** know the field that one upstream alone believes: let the `headers` filter set or remove such a field.

/// Fields that say something of the bytes of a body, and of no other body (RFC 9530, RFC 3230, RFC 1864).
pub const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// Fields in which upstreams read who the client is, how it came and what it first asked for, by what they tell. A name with `*` at
/// its end stands for all that begin so.
pub const FAMILIES: &[(&str, &[&str])] = &[
    (
        "The client's address, and the way of the request",
        &[
            "x-forward*",
            "forward*",
            "x-real-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-remote-*",
            "remote-*",
            "client-ip",
            "true-client-ip",
            "x-true-client-ip",
            "http-client-ip",
            "http-x-forward*",
            "http-forward*",
            "proxy-client-ip",
            "wl-proxy-*",
            "x-proxyuser-ip",
            "x-nf-client-connection-ip",
            "x-sucuri-clientip",
            "incap-client-ip",
            "do-connecting-ip",
            "ali-cdn-real-ip",
            "cf-*",
            "cloudfront-*",
            "fastly-*",
            "fly-*",
            "x-vercel-*",
            "x-appengine-*",
            "x-azure-*",
        ],
    ),
    (
        "The client's certificate, and whether its connection is encrypted",
        &[
            "client-cert*",
            "x-client-cert*",
            "x-client-verify",
            "x-client-dn",
            "x-ssl*",
            "ssl-*",
            "x-tls-*",
            "tls-client-*",
            "x-arr-*",
            "x-amzn-mtls-*",
            "x-wso2-client-certificate",
            "front-end-https",
            "x-scheme",
            "x-url-scheme",
        ],
    ),
    (
        "The user, in the word of a proxy that logs users in",
        &[
            "x-auth-request-*",
            "x-authenticated-*",
            "x-authentik-*",
            "x-webauth-*",
            "x-consumer-*",
            "x-amzn-oidc-*",
            "x-goog-authenticated-user-*",
            "x-goog-iap-*",
            "x-ms-client-principal*",
            "x-jwt-assertion",
        ],
    ),
    (
        "Another target or host than the request's",
        &[
            "x-original-*",
            "x-rewrite-*",
            "x-override-url",
            "x-http-destinationurl",
            "x-host",
            "x-host-override",
            "x-http-host-override",
            "x-script-name",
        ],
    ),
    ("Orders to a proxy or a library", &["x-envoy*", "proxy"]),
];

/// Members that reach no upstream, whoever sent them: the gateway writes its own word in their place, an upstream would find a second
/// account beside it, or it would serve another target than the one that was judged. Another spelling of them is refused.
pub const OWN: [&str; 10] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "forwarded",
    "x-real-ip",
    "x-jwt-assertion",
    "x-original-url",
    "x-rewrite-url",
    "x-override-url",
];

/// Members in which certificates are usually forwarded (RFC 9440, Envoy, the reference product). They reach no upstream either,
/// whoever sent them and whether or not the gateway reads one itself.
pub const CERTIFICATES: [&str; 4] = ["client-cert", "client-cert-chain", "x-forwarded-client-cert", "x-wso2-client-certificate"];

/// Whether two names are the same to a reader that takes whatever is no letter or digit for a dash, as CGI and its heirs do
/// (RFC 3875 §4.1.18). Both are in lower case.
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && begins(other, one)
}

/// Whether a name is `family`, or begins like it when there is a `*` at its end; in any spelling.
pub fn covers(family: &str, name: &str) -> bool {
    match family.strip_suffix('*') {
        Some(beginning) => begins(name, beginning),
        None => is_same(family, name),
    }
}

/// Whether no reader takes the name for another: letters, digits and dashes alone.
pub fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn begins(name: &str, beginning: &str) -> bool {
    let dashed = |byte: u8| if byte.is_ascii_alphanumeric() { byte } else { b'-' };
    name.len() >= beginning.len() && name.bytes().zip(beginning.bytes()).all(|(one, other)| dashed(one) == dashed(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_with_anything_for_a_dash() {
        for other in ["x-real-ip", "x_real_ip", "x.real~ip", "x-real_ip"] {
            assert!(is_same("x-real-ip", other), "{other}");
        }
        for other in ["x-real-ips", "x-real", "xareal-ip", "x-reallip", ""] {
            assert!(!is_same("x-real-ip", other), "{other}");
        }
    }

    #[test]
    fn a_family_covers_what_begins_like_it_and_a_single_name_itself() {
        assert!(covers("x-ssl*", "x-ssl") && covers("x-ssl*", "x_ssl_client-cert"));
        assert!(!covers("x-ssl*", "x-ss") && !covers("proxy", "proxy-connection"));
    }

    #[test]
    fn what_never_passes_is_of_a_family() {
        let known = |name: &&str| FAMILIES.iter().flat_map(|(_, names)| *names).any(|family| covers(family, name));
        assert!(OWN.iter().chain(&CERTIFICATES).all(known));
    }

    /// What clients and browsers send every day is of no family.
    #[test]
    fn ordinary_fields_are_of_no_family() {
        let ordinary = [
            "accept",
            "accept-encoding",
            "authorization",
            "cache-control",
            "client-id",
            "content-type",
            "cookie",
            "dpop",
            "forbidden",
            "host",
            "if-none-match",
            "origin",
            "prefer",
            "proxy-authorization",
            "range",
            "referer",
            "sec-fetch-site",
            "ssl",
            "te",
            "traceparent",
            "user-agent",
            "via",
            "x-api-key",
            "x-client-id",
            "x-client-version",
            "x-correlation-id",
            "x-fapi-interaction-id",
            "x-http-method-override",
            "x-request-id",
            "x-requested-with",
            "x-user",
            "x-wso2-api-key",
        ];
        for name in ordinary {
            assert!(!FAMILIES.iter().flat_map(|(_, names)| *names).any(|family| covers(family, name)), "{name}");
        }
    }
}
