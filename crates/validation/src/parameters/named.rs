//! Parameters that are found by their names: those of the query, and cookies.

use std::borrow::Cow;

use super::{Judging, Taken, read::Parameter};
use crate::{
    finding::{Finding, Part},
    rules::Style,
};

/// Pairs of name and value that are looked at. Nobody sends more, and one search for each is what they cost.
pub(super) const MOST_PAIRS: usize = 1_000;

/// All parameters of such a place.
#[derive(Debug, Default)]
pub(super) struct Named {
    parameters: Vec<Parameter>,
    /// Whose a name is, sorted by name.
    names: Vec<(Box<str>, Vec<Taker>)>,
    /// Parameters whose members are written `name[member]`, sorted by name.
    deep: Vec<(Box<str>, usize)>,
    /// Objects that take names which are nobody's.
    open: Vec<usize>,
}

/// A parameter that a name belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    parameter: usize,
    /// The name is one of a member.
    is_member: bool,
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    pub(super) fn add(&mut self, parameter: Parameter, style: Option<Style>) {
        let at = self.parameters.len();
        let members = parameter.value.as_ref().map(|value| &value.wanted).filter(|wanted| wanted.is_object());
        match (style, members) {
            (Some(Style::FormExplode | Style::CookieExplode), Some(wanted)) => {
                wanted.members.named.iter().for_each(|(name, _)| self.declare(name, Some(Taker { parameter: at, is_member: true })));
                if wanted.members.open {
                    self.open.push(at);
                }
            }
            _ => self.declare(&parameter.name, Some(Taker { parameter: at, is_member: false })),
        }
        if style == Some(Style::DeepObject)
            && let Err(place) = self.deep.binary_search_by(|(known, _)| (**known).cmp(&parameter.name))
        {
            self.deep.insert(place, (parameter.name.clone(), at));
        }
        self.parameters.push(parameter);
    }

    /// A name that is somebody's, though of no parameter when there is no taker.
    pub(super) fn declare(&mut self, name: &str, taker: Option<Taker>) {
        match self.names.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => self.names[at].1.extend(taker),
            Err(at) => self.names.insert(at, (name.into(), taker.into_iter().collect())),
        }
    }

    /// Gives a pair to whom it belongs. `false`: to nobody.
    pub(super) fn take<'r>(&self, name: Cow<'r, str>, raw: &'r [u8], taken: &mut Vec<Taken<'r>>) -> bool {
        if let Ok(at) = self.names.binary_search_by(|(known, _)| (**known).cmp(&name)) {
            let takers = self.names[at].1.iter();
            taken.extend(takers.map(|taker| Taken { parameter: taker.parameter, name: taker.is_member.then(|| name.clone()), raw }));
            return true;
        }
        if !self.deep.is_empty()
            && let Some(open) = name.find('[')
            && name.ends_with(']')
            && let Ok(at) = self.deep.binary_search_by(|(known, _)| (**known).cmp(&name[..open]))
        {
            let member = part(&name, open + 1..name.len() - 1);
            taken.push(Taken { parameter: self.deep[at].1, name: Some(member), raw });
            return true;
        }
        taken.extend(self.open.iter().map(|parameter| Taken { parameter: *parameter, name: Some(name.clone()), raw }));
        !self.open.is_empty()
    }

    /// Judges every parameter by what was given to it.
    pub(super) fn settle(&self, mut taken: Vec<Taken<'_>>, judging: &mut Judging<'_>) {
        taken.sort_by_key(|one| one.parameter);
        let mut groups = taken.chunk_by_mut(|a, b| a.parameter == b.parameter).peekable();
        for (at, parameter) in self.parameters.iter().enumerate() {
            match groups.next_if(|group| group[0].parameter == at) {
                Some(group) => parameter.judge(group, judging),
                None => parameter.missing(judging),
            }
        }
    }
}

/// A part of a text, borrowed when the whole is.
fn part<'r>(text: &Cow<'r, str>, range: std::ops::Range<usize>) -> Cow<'r, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

/// There are too many pairs for anything to be said of them.
pub(super) fn too_many(part: Part) -> Finding {
    Finding::new(part, "limit", "has more than 1000 pairs of name and value")
}
