//! Server-sent events, as the HTML standard parses them (§9.2.6), and as the objects that OpenAPI 3.2 makes of them: `data`, `event`, `id`
//! and `retry`, each when it was sent. What a reader ignores is ignored: comments, unknown fields, an event without data or without its end.

use std::borrow::Cow;

use super::{Unfit, charset};
use crate::{
    json::{Builder, Limits, Malformed, Tree, parse},
    schema::Types,
};

/// One event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    data: Option<Cow<'a, str>>,
    event: Option<&'a str>,
    id: Option<&'a str>,
    /// Digits, without leading zeros.
    retry: Option<&'a str>,
}

/// The events of a stream.
///
/// # Errors
/// `utf-8`.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Event<'_>>, Unfit> {
    let text = charset::text(bytes)?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut events, mut open) = (Vec::new(), Event::default());
    while let Some(end) = rest.find(['\r', '\n']) {
        let line = &rest[..end];
        rest = &rest[end + if rest[end..].starts_with("\r\n") { 2 } else { 1 }..];
        if !line.is_empty() {
            open.field(line);
        } else if let event @ Event { data: Some(_), .. } = std::mem::take(&mut open) {
            events.push(event);
        }
    }
    Ok(events)
}

impl<'a> Event<'a> {
    fn field(&mut self, line: &'a str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => match &mut self.data {
                None => self.data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push('\n');
                    data.push_str(value);
                }
            },
            "event" => self.event = Some(value),
            "id" if !value.contains('\0') => self.id = Some(value),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                let digits = value.trim_start_matches('0');
                self.retry = Some(if digits.is_empty() { "0" } else { digits });
            }
            _ => {}
        }
    }

    /// As a value. Data that may not be a string is read as JSON.
    ///
    /// # Errors
    /// See [`Unfit::of`].
    pub(super) fn tree<'e>(&'e self, data: Types, limits: &Limits) -> Result<Tree<'e>, Unfit> {
        let mut builder = Builder::new(limits);
        self.build(data, limits, &mut builder)?;
        builder.finish().ok_or(Unfit::of(Malformed::Syntax, "events"))
    }

    fn build<'e>(&'e self, types: Types, limits: &Limits, builder: &mut Builder<'e, '_>) -> Result<(), Unfit> {
        let refused = |why| Unfit::of(why, "events");
        builder.begin(true).map_err(refused)?;
        if let Some(data) = &self.data {
            builder.name(Cow::Borrowed("data")).map_err(refused)?;
            if types.has(Types::STRING) {
                builder.string(Cow::Borrowed(data)).map_err(refused)?;
            } else {
                let value = parse(data.as_bytes(), &limits.within(1));
                value.and_then(|value| builder.graft(value)).map_err(|why| Unfit::of(why, "json").below("/data"))?;
            }
        }
        for (name, value) in [("event", self.event), ("id", self.id)] {
            let Some(value) = value else { continue };
            builder.name(Cow::Borrowed(name)).and_then(|()| builder.string(Cow::Borrowed(value))).map_err(refused)?;
        }
        if let Some(retry) = self.retry {
            builder.name(Cow::Borrowed("retry")).and_then(|()| builder.number(retry)).map_err(refused)?;
        }
        builder.end().map_err(refused)
    }
}
