//! A value as it is written, `Bearer of ${principal.subject}`, taken apart at load.

use tollgate_filter_api::{Call, HeaderValue};

use crate::{
    fact::{Caller, Fact},
    text::{LONGEST, Text, TooLong},
};

/// A value, or how to make one.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    Fixed(HeaderValue),
    Parts(Vec<Part>),
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(Box<str>),
    Fact(Fact),
}

/// What is wrong with a template: a sentence, and the way out.
pub(crate) type Wrong = (String, String);

impl Template {
    /// Reads `${fact}`; `$${` stands for `${`.
    pub(crate) fn parse(written: &str) -> Result<Self, Wrong> {
        check_literal(written)?;
        let parts = parts(written)?;
        let mut fixed = String::new();
        for part in &parts {
            match part {
                Part::Text(text) => fixed.push_str(text),
                Part::Fact(_) => return Ok(Self::Parts(parts)),
            }
        }
        HeaderValue::from_str(&fixed).map(Self::Fixed).map_err(|_| illegal())
    }

    /// The value for one request; `None` when a fact of it is not known.
    pub(crate) fn render(&self, call: &Call, caller: Option<Caller<'_>>) -> Result<Option<HeaderValue>, TooLong> {
        let parts = match self {
            Self::Fixed(value) => return Ok(Some(value.clone())),
            Self::Parts(parts) => parts,
        };
        let mut text = Text::default();
        for part in parts {
            match part {
                Part::Text(literal) => text.literal(literal),
                Part::Fact(fact) => {
                    if !fact.write(call, caller, &mut text) {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(HeaderValue::from_str(&text.finish()?).ok())
    }

    /// Whether it says something of the caller.
    pub(crate) fn needs_caller(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Parts(parts) => parts.iter().any(|part| matches!(part, Part::Fact(fact) if fact.is_of_caller())),
        }
    }
}

fn check_literal(written: &str) -> Result<(), Wrong> {
    if written.len() > LONGEST {
        return Err((format!("the value has {} bytes, at most {LONGEST} are sent", written.len()), String::new()));
    }
    if written.bytes().any(|byte| !(byte == b' ' || byte.is_ascii_graphic())) || written.trim() != written {
        return Err(illegal());
    }
    Ok(())
}

fn illegal() -> Wrong {
    ("the value is not visible ASCII without spaces at its ends".into(), "write it percent-encoded, as facts are".into())
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

    fn fixed(written: &str) -> Option<String> {
        match Template::parse(written).ok()? {
            Template::Fixed(value) => value.to_str().ok().map(str::to_owned),
            Template::Parts(_) => None,
        }
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
            assert!(Template::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Template::parse(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn a_claim_may_have_any_name() {
        assert!(Template::parse("${claim.https://a.example/roles}").is_ok_and(|template| template.needs_caller()));
        assert!(Template::parse("${client.address}").is_ok_and(|template| !template.needs_caller()));
    }
}
