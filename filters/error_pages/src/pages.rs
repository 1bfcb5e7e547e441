//! The pages, judged: which bodies a status has.

use std::{collections::BTreeMap, path::Path, time::Duration};

use http::HeaderValue;
use tollgate_filter_api::{DocumentPolicy, Env, Location, Page, Problem, essence, pointer};

use crate::{
    Config, accept, config,
    text::{Seen, Text},
};

/// Largest body. It is kept in memory for each operation that has settings of its own.
const LARGEST: usize = 256 << 10;

/// Whose bodies they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Status(u16),
    Class(u16),
    Default,
}

/// The pages.
#[derive(Debug)]
pub(crate) struct Pages(BTreeMap<Key, Vec<Body>>);

#[derive(Debug)]
struct Body {
    content_type: HeaderValue,
    /// Without parameters, in lower case.
    essence: Box<str>,
    text: Text,
}

impl Pages {
    /// Judges what is written, and reads the files.
    ///
    /// # Errors
    /// When something cannot be sent.
    pub(crate) fn parse(config: &Config, env: &Env) -> Result<Self, Problem> {
        let mut pages = BTreeMap::new();
        for (name, bodies) in &config.pages {
            let place = pointer::join("/pages", name);
            let key = key(name).ok_or_else(|| {
                Problem::setting(place.clone(), format!("`{name}` is no status that refuses"))
                    .hint("write a status from 400 to 599, `4xx`, `5xx` or `default`")
            })?;
            if bodies.is_empty() {
                return Err(Problem::setting(place, "there is no body").hint("write one, or leave the status out"));
            }
            let bodies = bodies.iter().enumerate().map(|(at, body)| Body::parse(body, &format!("{place}/{at}"), env));
            pages.insert(key, bodies.collect::<Result<_, _>>()?);
        }
        Ok(Self(pages))
    }

    /// Statuses and classes of them that have pages.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        let mut statuses: Vec<u16> = self
            .0
            .keys()
            .flat_map(|key| match key {
                Key::Status(status) => vec![*status],
                Key::Class(class) => vec![*class],
                Key::Default => vec![4, 5],
            })
            .collect();
        statuses.dedup();
        statuses
    }

    /// The page for an answer that a client with this `Accept` takes; `None` when there is none that it does.
    pub(crate) fn find<'v>(&self, seen: &Seen<'_>, accept: impl Iterator<Item = &'v [u8]> + Clone) -> Option<Page> {
        let keys = [Key::Status(seen.status), Key::Class(seen.status / 100), Key::Default];
        let body = keys.iter().filter(|_| seen.status >= 400).filter_map(|key| self.0.get(key)).find_map(|bodies| {
            let wanted =
                bodies.iter().map(|body| (accept::quality(accept.clone(), &body.essence), body)).filter(|(quality, _)| *quality > 0);
            // Of equals the last would win, so they are asked in reverse.
            wanted.rev().max_by_key(|(quality, _)| *quality).map(|(_, body)| body)
        })?;
        Some(Page { content_type: body.content_type.clone(), body: body.text.render(seen) })
    }
}

fn key(name: &str) -> Option<Key> {
    match name {
        "default" => Some(Key::Default),
        "4xx" => Some(Key::Class(4)),
        "5xx" => Some(Key::Class(5)),
        status => status.parse().ok().filter(|status| (400..600).contains(status)).map(Key::Status),
    }
}

impl Body {
    fn parse(body: &config::Body, place: &str, env: &Env) -> Result<Self, Problem> {
        let at = |key: &str| format!("{place}/{key}");
        let content_type = HeaderValue::from_str(&body.media_type).ok();
        let essence = essence(&body.media_type).filter(|essence| !essence.contains('*')).map(str::to_ascii_lowercase);
        let (Some(content_type), Some(essence)) = (content_type, essence) else {
            return Err(Problem::setting(at("type"), format!("{:?} is no media type", body.media_type))
                .hint("write `text/html; charset=utf-8` or `application/json`"));
        };
        let text = match (&body.text, &body.file) {
            (Some(text), None) => Text::parse(sized(text.as_bytes(), &at("text")).and(Ok(text))?, &essence),
            (None, Some(file)) => Text::parse(&read(file, &at("file"), env)?, &essence),
            _ => return Err(Problem::setting(place, "a body has one of `text` and `file`").hint("write one of the two")),
        };
        let key = if body.text.is_some() { "text" } else { "file" };
        let text = text.map_err(|(message, hint)| Problem::setting(at(key), message).hint(hint))?;
        Ok(Self { content_type, essence: essence.into(), text })
    }
}

/// The text of a file.
fn read(file: &Path, place: &str, env: &Env) -> Result<String, Problem> {
    const DAY: Duration = Duration::from_secs(86_400);
    // It is let go at once, so nothing is ever fetched anew.
    let policy = DocumentPolicy { refresh: DAY, least_gap: DAY, timeout: Duration::from_secs(10), max_bytes: LARGEST };
    let wrong = |message: String| Problem::setting(place, message).hint("write the path of a file in UTF-8 that the gateway may read");
    let document = env.world.document(&Location::File(file.to_owned()), policy).map_err(|problem| wrong(problem.message))?;
    let version = document.version().ok_or_else(|| wrong(format!("`{}` cannot be read", file.display())))?;
    sized(&version.bytes, place)?;
    String::from_utf8(version.bytes.to_vec()).map_err(|_| wrong(format!("`{}` is not UTF-8", file.display())))
}

fn sized(bytes: &[u8], place: &str) -> Result<(), Problem> {
    if bytes.len() <= LARGEST {
        return Ok(());
    }
    Err(Problem::setting(place, format!("the body has {} bytes, and {LARGEST} are the most", bytes.len()))
        .hint("leave images and styles to a server that the page points to"))
}
