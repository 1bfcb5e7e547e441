use super::*;

#[test]
fn a_url_comes_apart() {
    let url = Url::parse_http("HTTPS://Api.Example.com:8443/base/v1/?key=1").unwrap();
    assert_eq!((url.scheme, url.host.as_str(), url.port), ("https", "api.example.com", Some(8443)));
    assert_eq!((url.authority.as_str(), url.path.as_str(), url.query.as_deref()), ("Api.Example.com:8443", "/base/v1/", Some("key=1")));
    assert_eq!((url.target.as_str(), url.http_port(), url.is_https()), ("/base/v1/?key=1", 8443, true));
    assert_eq!(url.to_string(), "https://Api.Example.com:8443/base/v1/");
    let url = Url::parse_http("http://h_1.x").unwrap();
    assert_eq!((url.target.as_str(), url.http_port(), url.path.as_str()), ("/", 80, ""));
    assert_eq!(Url::parse_http("https://h:").unwrap().http_port(), 443);
    assert_eq!(Url::parse_http("http://h?filter[a]=b").unwrap().target, "/?filter[a]=b");
}

#[test]
fn an_address_of_version_6_has_brackets_only_in_text() {
    let url = Url::parse_http("http://[::1]:8080/x").unwrap();
    assert_eq!((url.host.as_str(), url.port, url.bracketed_host().as_str()), ("::1", Some(8080), "[::1]"));
    assert_eq!(Url::parse_http("http://[::1]").unwrap().http_port(), 80);
}

#[test]
fn this_machine_is_known_by_its_name_and_its_addresses() {
    for (host, is) in [("localhost", true), ("127.1.2.3", true), ("[::1]", true), ("localhost.example", false), ("10.0.0.1", false)] {
        assert_eq!(Url::parse_http(&format!("http://{host}:1/")).unwrap().is_loopback(), is, "{host}");
    }
}

#[test]
fn what_is_wrong_is_said_without_repeating_it() {
    const HTTP: UrlError = UrlError::Scheme(&["http", "https"]);
    for (text, wrong) in [
        ("", HTTP),
        ("a.example", HTTP),
        ("/x", HTTP),
        ("//a.example", HTTP),
        ("ftp://a.example", HTTP),
        ("http:/a.example", HTTP),
        ("http://", UrlError::NoHost),
        ("http://:80/", UrlError::NoHost),
        ("http://./", UrlError::NoHost),
        ("http:///x", UrlError::NoHost),
        ("http://a:0/", UrlError::Port),
        ("http://a:99999/", UrlError::Port),
        ("http://a:+1/", UrlError::Port),
        ("http://a:x/", UrlError::Port),
        ("http://a:1:2/", UrlError::Port),
        ("http://a/#x", UrlError::Fragment),
        ("http://u:p@a/", UrlError::UserInformation),
        ("http://u@a", UrlError::UserInformation),
        ("http://a b/", UrlError::Characters),
        ("http://a/ b", UrlError::Characters),
        ("http://a/\n", UrlError::Characters),
        ("http://a/\u{fc}", UrlError::Characters),
        ("http://\u{fc}.example/", UrlError::Characters),
        ("http://a/{x}", UrlError::Characters),
        ("http://a/%2", UrlError::Characters),
        ("http://a%20/", UrlError::Host),
        ("http://a*b/", UrlError::Host),
        ("http://[::1", UrlError::Host),
        ("http://[::1]x", UrlError::Host),
        ("http://[x]/", UrlError::Host),
    ] {
        assert_eq!(Url::parse_http(text), Err(wrong), "{text:?}");
    }
    assert_eq!(Url::parse_http(&format!("http://a/{}", "x".repeat(9000))), Err(UrlError::Length));
    assert_eq!(UrlError::Scheme(&["a", "b", "c"]).to_string(), "does not begin with a://, b:// or c://");
    assert_eq!(Url::parse("stomp://a", &["stomp", "stomp+tls"]).unwrap().scheme, "stomp");
    assert_eq!(Url::parse("stomp+tls://a", &["stomp", "stomp+tls"]).unwrap().scheme, "stomp+tls");
}

#[test]
fn a_bare_url_has_neither_path_nor_query() {
    let bare = |text: &str| Url::parse_http(text).unwrap().bare().map(|url| url.host);
    assert_eq!((bare("http://a"), bare("https://a:7/")), (Ok("a".into()), Ok("a".into())));
    assert_eq!(
        (bare("http://a/b"), bare("http://a?b"), bare("http://a/?b")),
        (Err(UrlError::Path), Err(UrlError::Query), Err(UrlError::Query))
    );
}
