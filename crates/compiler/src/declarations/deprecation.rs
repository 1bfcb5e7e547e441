//! When operations were deprecated and when they end: `deprecated`, `x-deprecated-at`, `x-sunset` and `x-deprecation-link`.

use serde_json::{Map, Value};
use tollgate_filter_api::{Date, Problem, Problems};
use tollgate_plan::Source;

use crate::input::sources::short;
use crate::input::spot::Spot;

/// The filter that tells clients.
pub(crate) const FILTER: &str = "deprecation";

const AT: &str = "x-deprecated-at";
const SUNSET: &str = "x-sunset";
const LINK: &str = "x-deprecation-link";

/// What is said of an operation, each by the level that is nearest to it.
#[derive(Clone, Default)]
pub(crate) struct Ends<'a> {
    at: Option<(Date, Spot<'a>)>,
    sunset: Option<(Date, Spot<'a>)>,
    link: Option<Spot<'a>>,
}

impl<'a> Ends<'a> {
    /// What a level says, in place of what those around it said.
    pub(crate) fn within(&self, level: &Spot<'a>, problems: &mut Problems) -> Self {
        let at = date(level, AT, problems).or_else(|| self.at.clone());
        let sunset = date(level, SUNSET, problems).or_else(|| self.sunset.clone());
        let link = link(level, problems).or_else(|| self.link.clone());
        if let (Some((at, _)), Some((sunset, place))) = (&at, &sunset)
            && sunset < at
        {
            let problem = place.error("extension.value", format!("`{SUNSET}` is before `{AT}`, and nothing ends before it is deprecated"));
            problems.push(problem.hint("RFC 9745 §4: write the later date under `x-sunset`"));
        }
        Self { at, sunset, link }
    }

    /// The section of the filter, and what asked for it.
    pub(crate) fn section(&self) -> Option<(Value, Source)> {
        let place = self.at.as_ref().or(self.sunset.as_ref()).map(|(_, spot)| spot)?;
        let mut section = Map::new();
        let dates = [("deprecated_at", &self.at), ("sunset", &self.sunset)];
        let dates = dates.into_iter().filter_map(|(name, said)| Some((name, &said.as_ref()?.1)));
        for (name, spot) in dates.chain(self.link.as_ref().map(|spot| ("link", spot))) {
            section.insert(name.to_owned(), spot.node.text().into());
        }
        Some((Value::Object(section), place.source()))
    }

    /// What is to be said of an operation that is deprecated without a date: the field cannot be sent (RFC 9745 §2).
    pub(crate) fn undated(&self, operation: &Spot<'a>) -> Option<Problem> {
        let deprecated = operation.get("deprecated").filter(|spot| spot.node.as_bool() == Some(true))?;
        let problem = || deprecated.warning("deprecation.undated", "clients are not told of deprecated operations that have no date");
        self.at
            .is_none()
            .then(|| problem().hint(format!("write `{AT}: 2026-01-31` at the operation, its path or the root of the document")))
    }
}

fn date<'a>(level: &Spot<'a>, key: &str, problems: &mut Problems) -> Option<(Date, Spot<'a>)> {
    let spot = level.get(key)?;
    let text = spot.node.text().unwrap_or_default();
    let date = Date::parse(&text);
    if date.is_none() {
        let message =
            format!("`{key}` must be a date such as 2026-01-31, or a date and a time such as 2026-01-31T12:00:00Z, not `{}`", short(&text));
        problems.push(spot.error("extension.value", message));
    }
    date.map(|date| (date, spot))
}

fn link<'a>(level: &Spot<'a>, problems: &mut Problems) -> Option<Spot<'a>> {
    let spot = level.get(LINK)?;
    let is_reference =
        |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"'));
    if spot.node.as_str().map(str::to_owned).filter(is_reference).is_none() {
        problems.push(spot.error("extension.value", format!("`{LINK}` must be the URL of a page about it")));
        return None;
    }
    Some(spot)
}
