//! What a path in [normal form](super::normal) says to those who decode it.
//!
//! Upstreams decode before they route, so `%3A` is a colon to them, and routing must read it so too: [`Reading`] is the path
//! decoded once. Where a path holds `%2F`, `;`, `%3B`, `%3F` or `%23`, readers disagree about where segments end; [`others`]
//! lists how they may understand it, and the router refuses what another reading puts under other rules. Does not protect
//! against upstreams that decode twice: `%252F` is a percent sign with two characters after it.

use super::{
    normal::{self, ENCODING},
    rejection::Rejection,
};

/// Stands in a reading for a slash that is text, so that it is no separator: no path holds a control.
const SLASH: u8 = 0;

/// A path in normal form, decoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading(String);

impl Reading {
    /// Reads a path, or a part of one.
    ///
    /// # Errors
    /// [`ENCODING`] when it is not in normal form.
    pub fn of(path: &str) -> Result<Self, &'static Rejection> {
        Reader::LITERAL.read(path).map(Self)
    }

    /// The text; a slash in it is a separator.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_text(self) -> Box<str> {
        self.0.into()
    }
}

/// Whether a path says something else than its own text to anybody.
pub(super) fn is_spelled(path: &str) -> bool {
    memchr::memchr2(b'%', b';', path.as_bytes()).is_some()
}

/// How readers may understand a path, or the end of one, that do not take it literally. Nothing for most paths.
///
/// # Errors
/// [`ENCODING`] when it is not in normal form.
pub(super) fn others(path: &str) -> impl Iterator<Item = Result<String, &'static Rejection>> {
    let has = |token: &str| path.contains(token);
    let (slash, raw, escaped, end) = (has("%2F"), has(";"), has("%3B"), has("%3F") || has("%23"));
    let cuts = [Some(Cut::Never), raw.then_some(Cut::Raw), escaped.then_some(Cut::Both)];
    let readers = cuts.into_iter().flatten().flat_map(move |cut| {
        let separators = [Some(Slash::Text), slash.then_some(Slash::Separator), (slash && cut != Cut::Never).then_some(Slash::AfterCut)];
        separators
            .into_iter()
            .flatten()
            .flat_map(move |slash| [Some(false), end.then_some(true)].into_iter().flatten().map(move |ends| Reader { slash, cut, ends }))
    });
    readers.filter(|reader| *reader != Reader::LITERAL).map(|reader| reader.read(path))
}

/// What `%2F` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slash {
    /// A character of its segment.
    Text,
    /// The end of a segment, and of what was cut.
    Separator,
    /// The end of a segment, unless it stands in what was cut.
    AfterCut,
}

/// Which semicolon cuts the rest of its segment off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// None: it is a character.
    Never,
    /// `;`
    Raw,
    /// `;` and `%3B`
    Both,
}

/// One way of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reader {
    slash: Slash,
    cut: Cut,
    /// `%3F` and `%23` begin query and fragment.
    ends: bool,
}

impl Reader {
    /// The gateway's own.
    const LITERAL: Self = Self { slash: Slash::Text, cut: Cut::Never, ends: false };

    /// The path as this reader decodes it, without empty segments.
    fn read(self, path: &str) -> Result<String, &'static Rejection> {
        let mut read = Vec::with_capacity(path.len());
        let mut rest = path.as_bytes();
        let mut cut = false;
        while let Some(&first) = rest.first() {
            let escaped = first == b'%';
            let byte = if escaped { normal::decode(rest)? } else { first };
            rest = &rest[if escaped { 3 } else { 1 }..];
            match byte {
                b'/' if !escaped || self.separates(cut) => {
                    cut = false;
                    if read.last() != Some(&b'/') {
                        read.push(b'/');
                    }
                }
                b'?' | b'#' if self.ends => break,
                b';' if self.cut == Cut::Both || (self.cut == Cut::Raw && !escaped) => cut = true,
                _ if cut => {}
                b'/' => read.push(SLASH),
                _ => read.push(byte),
            }
        }
        String::from_utf8(read).map_err(|_| &ENCODING)
    }

    fn separates(self, cut: bool) -> bool {
        match self.slash {
            Slash::Text => false,
            Slash::Separator => true,
            Slash::AfterCut => !cut,
        }
    }
}
