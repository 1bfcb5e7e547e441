//! A value as it is written, `Bearer of ${principal.subject}`, taken apart at load.

use super::{
    fact::{Fact, Seen},
    text::{LONGEST, Place, Text, TooLong},
};

/// A value, or how to make one.
#[derive(Clone, Debug)]
pub struct Template {
    place: Place,
    parts: Parts,
}

#[derive(Clone, Debug)]
enum Parts {
    Fixed(Box<str>),
    Made(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    Text(Box<str>),
    Fact(Fact),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A fact of it is not known, or empty.
    Fact,
    /// It is too long.
    TooLong,
}

/// What is wrong with a template: a sentence, and the way out.
type Wrong = (String, String);

impl Template {
    /// Reads `${fact}`; `$${` stands for `${`.
    ///
    /// # Errors
    /// What is wrong: a sentence, and the way out.
    pub fn parse(written: &str, place: Place) -> Result<Self, Wrong> {
        let parts = parts(written)?;
        for part in &parts {
            if let Part::Text(text) = part {
                check_literal(text, place)?;
            }
        }
        if place == Place::Field && written.trim() != written {
            return Err(illegal(place));
        }
        let fixed: Option<String> = parts.iter().map(|part| if let Part::Text(text) = part { Some(&**text) } else { None }).collect();
        let parts = fixed.map_or(Parts::Made(parts), |fixed| Parts::Fixed(fixed.into()));
        Ok(Self { place, parts })
    }

    /// The value, when it is the same for every request.
    pub fn fixed(&self) -> Option<&str> {
        if let Parts::Fixed(fixed) = &self.parts { Some(fixed) } else { None }
    }

    /// The value for one request.
    ///
    /// # Errors
    /// Why there is none.
    pub fn render(&self, seen: &Seen<'_>) -> Result<String, Unknown> {
        let parts = match &self.parts {
            Parts::Fixed(fixed) => return Ok(fixed.to_string()),
            Parts::Made(parts) => parts,
        };
        let mut text = Text::new(self.place);
        for part in parts {
            match part {
                Part::Text(literal) => text.literal(literal),
                Part::Fact(fact) if fact.write(seen, &mut text) => {}
                Part::Fact(_) => return Err(Unknown::Fact),
            }
        }
        text.finish().map_err(|TooLong| Unknown::TooLong)
    }

    /// Whether it says something of the caller or his request.
    pub fn needs_request(&self) -> bool {
        match &self.parts {
            Parts::Fixed(_) => false,
            Parts::Made(parts) => parts.iter().any(|part| matches!(part, Part::Fact(fact) if fact.is_of_request())),
        }
    }

    /// Whether it says something of who is calling.
    pub fn needs_caller(&self) -> bool {
        match &self.parts {
            Parts::Fixed(_) => false,
            Parts::Made(parts) => parts.iter().any(|part| matches!(part, Part::Fact(fact) if fact.is_of_caller())),
        }
    }
}

fn check_literal(text: &str, place: Place) -> Result<(), Wrong> {
    if place != Place::Json && text.len() > LONGEST {
        return Err((format!("the value has {} bytes, at most {LONGEST} are sent", text.len()), String::new()));
    }
    if text.bytes().all(|byte| place.allows(byte)) { Ok(()) } else { Err(illegal(place)) }
}

fn illegal(place: Place) -> Wrong {
    let what = match place {
        Place::Field => "the value is not visible ASCII without spaces at its ends",
        Place::Segment => "the path holds a character that no path holds",
        Place::Query => "the value holds a character that no query holds",
        Place::Cookie => "the value holds a character that no cookie holds",
        Place::Url => "the value holds a character that no URL holds",
        Place::Json => "the value is no text",
    };
    (what.into(), "write it percent-encoded, as facts are".into())
}

fn parts(written: &str) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = written;
    while let Some(at) = rest.find("${") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        rest = after;
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            continue;
        }
        literal.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            return Err(("a `${` is not closed".into(), "write `}` after the fact's name, or `$${` for the two characters".into()));
        };
        let fact = Fact::parse(name).ok_or_else(|| (format!("`{name}` is no fact"), format!("known are: {}", Fact::names())))?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
        }
        parts.push(Part::Fact(fact));
        rest = behind;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Template, Wrong> {
        Template::parse(written, Place::Field)
    }

    fn fixed(written: &str) -> Option<String> {
        parse(written).ok()?.fixed().map(str::to_owned)
    }

    #[test]
    fn text_without_facts_is_made_at_load() {
        assert_eq!(fixed("max-age=60").as_deref(), Some("max-age=60"));
        assert_eq!(fixed("").as_deref(), Some(""));
        assert_eq!(fixed("a $${b} $ {c}").as_deref(), Some("a ${b} $ {c}"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for wrong in ["${", "${}", "${claim.}", "${principal.password}", "${env:HOME}", "a\r\nb", "é", " a", "a\t", "${client.address"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn what_an_operator_wrote_must_be_legal_where_it_stands() {
        for (place, wrong) in [(Place::Segment, "/a?b"), (Place::Segment, "/a b"), (Place::Query, "a&b"), (Place::Cookie, "a;b")] {
            assert!(Template::parse(wrong, place).is_err(), "{wrong}");
        }
        assert!(Template::parse("é\n", Place::Json).is_ok() && Template::parse("/a/{b}", Place::Segment).is_err());
    }

    #[test]
    fn a_claim_may_have_any_name() {
        assert!(parse("${claim.https://a.example/roles}").is_ok_and(|template| template.needs_request()));
        assert!(parse("${client.address}").is_ok_and(|template| !template.needs_request()));
    }
}
