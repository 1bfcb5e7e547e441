//! A body with facts of the answer in it, taken apart at load.

use http::StatusCode;
use tollgate_filter_api::{Bytes, RequestId};

/// What is known of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) status: u16,
    /// ID of the reason, when the gateway made the answer.
    pub(crate) reason: &'a str,
    /// What the reason says to clients, or the status does.
    pub(crate) title: &'a str,
    pub(crate) request_id: RequestId,
}

/// How a fact is written so that it stays text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// HTML and XML.
    Markup,
    /// A string of JSON.
    Json,
    /// As it is.
    Plain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Status,
    StatusText,
    Reason,
    Title,
    RequestId,
}

const NAMES: [(&str, Fact); 5] = [
    ("status", Fact::Status),
    ("status_text", Fact::StatusText),
    ("reason", Fact::Reason),
    ("title", Fact::Title),
    ("request.id", Fact::RequestId),
];

/// A body, or how to make one.
#[derive(Debug)]
pub(crate) enum Text {
    Fixed(Bytes),
    Made(Vec<Part>, Language),
}

#[derive(Debug)]
pub(crate) enum Part {
    Text(Box<str>),
    Fact(Fact),
}

impl Language {
    /// That of a media type; `None` for one into which no fact can be written.
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "text/html" | "application/xml" | "text/xml" => Some(Self::Markup),
            "application/json" => Some(Self::Json),
            "text/plain" => Some(Self::Plain),
            other if other.ends_with("+json") => Some(Self::Json),
            other if other.ends_with("+xml") => Some(Self::Markup),
            _ => None,
        }
    }
}

impl Text {
    /// Reads `${fact}`; `$${` stands for `${`.
    ///
    /// # Errors
    /// What is wrong: a sentence, and the way out.
    pub(crate) fn parse(written: &str, media_type: &str) -> Result<Self, (String, String)> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), written);
        while let Some((before, behind)) = rest.split_once("${") {
            rest = behind;
            if let Some(before) = before.strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                continue;
            }
            literal.push_str(before);
            let close =
                || ("a `${` is not closed".to_owned(), "write `}` after the fact's name, or `$${` for the two characters".to_owned());
            let (name, behind) = behind.split_once('}').ok_or_else(close)?;
            let known = NAMES.iter().find(|(known, _)| *known == name);
            let (_, fact) = known.ok_or_else(|| {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                (
                    format!("`{name}` is no fact of an answer"),
                    format!("known are: {}; write `$${{` where a script needs `${{`", names.join(", ")),
                )
            })?;
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
            parts.push(Part::Fact(*fact));
            rest = behind;
        }
        literal.push_str(rest);
        if parts.is_empty() {
            return Ok(Self::Fixed(literal.into()));
        }
        parts.push(Part::Text(literal.into()));
        let language = Language::of(media_type).ok_or_else(|| {
            (
                format!("nobody knows how to write a fact into `{media_type}`"),
                "leave the facts out, or use HTML, XML, JSON or text/plain".to_owned(),
            )
        })?;
        Ok(Self::Made(parts, language))
    }

    /// The body for one answer.
    pub(crate) fn render(&self, seen: &Seen<'_>) -> Bytes {
        let (parts, language) = match self {
            Self::Fixed(bytes) => return bytes.clone(),
            Self::Made(parts, language) => (parts, *language),
        };
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Fact(fact) => escaped(&value(*fact, seen), language, &mut text),
            }
        }
        text.into()
    }
}

fn value(fact: Fact, seen: &Seen<'_>) -> String {
    match fact {
        Fact::Status => seen.status.to_string(),
        Fact::StatusText => status_text(seen.status).to_owned(),
        Fact::Reason => seen.reason.to_owned(),
        Fact::Title => seen.title.to_owned(),
        Fact::RequestId => seen.request_id.to_string(),
    }
}

/// What a status is called (RFC 9110 §15).
pub(crate) fn status_text(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error")
}

fn escaped(value: &str, language: Language, text: &mut String) {
    for c in value.chars() {
        match (language, c) {
            (Language::Markup, '<') => text.push_str("&lt;"),
            (Language::Markup, '>') => text.push_str("&gt;"),
            (Language::Markup, '&') => text.push_str("&amp;"),
            (Language::Markup, '"') => text.push_str("&quot;"),
            (Language::Markup, '\'') => text.push_str("&#39;"),
            (Language::Json, '"') => text.push_str("\\\""),
            (Language::Json, '\\') => text.push_str("\\\\"),
            (_, c) if c.is_control() => text.push(' '),
            (_, c) => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(title: &str) -> Seen<'_> {
        Seen { status: 404, reason: "route.not_found", title, request_id: RequestId::fresh(1, false) }
    }

    fn made(written: &str, media_type: &str, title: &str) -> String {
        let text = Text::parse(written, media_type).unwrap_or_else(|wrong| panic!("{written}: {wrong:?}"));
        String::from_utf8(text.render(&seen(title)).to_vec()).expect("it is text")
    }

    #[test]
    fn a_fact_stays_text_in_each_language() {
        let title = "a<b>\"c\"&'\\\n";
        assert_eq!(made("<p>${title}</p>", "text/html", title), "<p>a&lt;b&gt;&quot;c&quot;&amp;&#39;\\ </p>");
        assert_eq!(made("{\"t\":\"${title}\"}", "application/problem+json", title), "{\"t\":\"a<b>\\\"c\\\"&'\\\\ \"}");
        assert_eq!(made("${status} ${status_text}: ${reason}", "text/plain", title), "404 Not Found: route.not_found");
        assert_eq!(made("${request.id}", "image/svg+xml", title).len(), 32);
    }

    #[test]
    fn what_holds_no_fact_is_sent_as_it_is() {
        assert_eq!(made("body { color: red } $${x} $ {y}", "text/css", ""), "body { color: red } ${x} $ {y}");
        assert!(matches!(Text::parse("a", "text/html"), Ok(Text::Fixed(_))));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        for (wrong, media_type) in [("${", "text/html"), ("${host}", "text/html"), ("`${name}`", "text/html"), ("${status}", "text/css")] {
            assert!(Text::parse(wrong, media_type).is_err(), "{wrong}");
        }
    }
}
