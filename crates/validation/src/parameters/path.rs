//! Segments of the path that hold parameters.

use super::{
    Judging, Taken,
    read::Parameter,
    text::{Escapes, decoded},
};

/// The segments of a template that hold parameters with rules, in order.
#[derive(Debug, Default)]
pub(super) struct Segments(Vec<Segment>);

#[derive(Debug)]
struct Segment {
    /// Its place, from 0.
    at: usize,
    /// The decoded texts around its parameters, one more than there are.
    literals: Vec<Box<str>>,
    /// `None`: it has no rule.
    parameters: Vec<Option<Parameter>>,
}

impl Segments {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `rule` gives the parameter of a name, when it has a rule.
    pub(super) fn of(template: &str, mut rule: impl FnMut(&str) -> Option<Parameter>) -> Self {
        let mut segments = Vec::new();
        for (at, text) in inside(template).split('/').enumerate() {
            let mut segment = Segment { at, literals: Vec::new(), parameters: Vec::new() };
            let mut rest = text;
            while let Some((before, after)) = rest.split_once('{') {
                let Some((name, after)) = after.split_once('}') else { break };
                segment.literals.push(literal(before));
                segment.parameters.push(rule(name));
                rest = after;
            }
            segment.literals.push(literal(rest));
            if segment.parameters.iter().any(Option::is_some) {
                segments.push(segment);
            }
        }
        Self(segments)
    }

    pub(super) fn judge(&self, path: &str, judging: &mut Judging<'_>) {
        let mut texts = inside(path).split('/').enumerate();
        for segment in &self.0 {
            let found = texts.find(|(at, _)| *at == segment.at).and_then(|(_, text)| segment.texts(text));
            for (number, parameter) in segment.parameters.iter().enumerate() {
                let Some(parameter) = parameter else { continue };
                match found.as_ref().map(|found| found.get(number)) {
                    Some(raw) => parameter.judge(&mut [Taken { parameter: 0, name: None, raw: raw.as_bytes() }], judging),
                    None => parameter.missing(judging),
                }
            }
        }
    }
}

/// Without the first slash.
fn inside(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// A text of a template, which may spell what it likes by an escape.
fn literal(text: &str) -> Box<str> {
    decoded(text.as_bytes(), Escapes::Percent).map_or_else(|| text.into(), |text| text.into())
}

/// The raw texts of the parameters in a segment.
enum Texts<'r> {
    Whole(&'r str),
    Several(Vec<&'r str>),
}

impl<'r> Texts<'r> {
    fn get(&self, number: usize) -> &'r str {
        match self {
            Self::Whole(text) => text,
            Self::Several(texts) => texts.get(number).copied().unwrap_or_default(),
        }
    }
}

impl Segment {
    /// Takes a segment apart as the router does: the first literal at the beginning, the last one at the end, and each between them
    /// where it comes first behind a character of the parameter before it.
    fn texts<'r>(&self, raw: &'r str) -> Option<Texts<'r>> {
        if self.literals.iter().all(|literal| literal.is_empty()) {
            return Some(Texts::Whole(raw));
        }
        let spelled = Spelled::of(raw)?;
        let [first, middle @ .., last] = self.literals.as_slice() else { return None };
        let mut rest = spelled.text.strip_prefix(&**first)?.strip_suffix(&**last)?;
        let mut at = first.len();
        let mut texts = Vec::with_capacity(self.parameters.len());
        for literal in middle {
            let skipped = rest.chars().next()?.len_utf8();
            let length = skipped + rest[skipped..].find(&**literal)?;
            texts.push(spelled.raw(at, at + length));
            at += length + literal.len();
            rest = &rest[length + literal.len()..];
        }
        texts.push(spelled.raw(at, at + rest.len()));
        Some(Texts::Several(texts))
    }
}

/// A raw text with what it spells.
struct Spelled<'r> {
    whole: &'r str,
    text: String,
    /// Where each byte of what is spelled begins in the raw text, and where that ends.
    places: Vec<usize>,
}

impl<'r> Spelled<'r> {
    fn of(whole: &'r str) -> Option<Self> {
        let text = decoded(whole.as_bytes(), Escapes::Percent)?.into_owned();
        let mut places = Vec::with_capacity(text.len() + 1);
        let mut at = 0;
        while at < whole.len() {
            places.push(at);
            at += if whole.as_bytes()[at] == b'%' { 3 } else { 1 };
        }
        places.push(at);
        Some(Self { whole, text, places })
    }

    /// The raw text of what is spelled from there to there.
    fn raw(&self, begin: usize, end: usize) -> &'r str {
        let place = |at: usize| self.places.get(at).copied().unwrap_or(self.whole.len());
        self.whole.get(place(begin)..place(end)).unwrap_or_default()
    }
}
