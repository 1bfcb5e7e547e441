//! What runs: fields that were made at load.

use http::{HeaderName, HeaderValue, header};
use tollgate_filter_api::{Cx, Date, Env, Fault, Filter, Flow, Posture, Problem, Reason, ResponseCx};

use crate::Config;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The `deprecation` filter.
#[derive(Debug)]
pub struct Deprecation {
    deprecation: Option<HeaderValue>,
    sunset: Option<HeaderValue>,
    link: Option<HeaderValue>,
}

impl Filter for Deprecation {
    const ID: &'static str = "deprecation";
    const REASONS: &'static [Reason] = &[];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = Config;
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, declared: &Config, _: &Env) -> bool {
        [config, declared].iter().all(|said| said.deprecated_at.is_none() && said.sunset.is_none())
    }

    fn build(config: Config, declared: Config, _env: &Env) -> Result<Self, Problem> {
        let at = either("deprecated_at", config.deprecated_at, declared.deprecated_at, date)?;
        let sunset = either("sunset", config.sunset, declared.sunset, date)?;
        if let (Some(at), Some(sunset)) = (at, sunset)
            && sunset < at
        {
            return Err(Problem::setting(
                "/sunset",
                "it is before `deprecated_at`, and nothing ends before it is deprecated (RFC 9745 §4)",
            ));
        }
        let relations = match (at, sunset) {
            (Some(_), Some(_)) => "deprecation sunset",
            (Some(_), None) => "deprecation",
            _ => "sunset",
        };
        let link = either("link", config.link, declared.link, |text| link(text, relations))?;
        let deprecation = at.and_then(|at| HeaderValue::from_str(&format!("@{}", at.unix())).ok());
        let sunset = sunset.and_then(|sunset| HeaderValue::from_str(&sunset.http()).ok());
        Ok(Self { deprecation, sunset, link })
    }

    async fn on_request(&self, _cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        Ok(Flow::Next(()))
    }

    /// The upstream may know better.
    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        for (name, value) in [(DEPRECATION, &self.deprecation), (SUNSET, &self.sunset)] {
            if let Some(value) = value
                && cx.resp.get(&name).is_none()
            {
                cx.resp.set(name, value.clone());
            }
        }
        if let Some(link) = &self.link
            && !cx.resp.get_all(&header::LINK).any(|known| known == link)
        {
            cx.resp.append(header::LINK, link.clone());
        }
        Ok(())
    }
}

/// What the settings say; when they say nothing, what the definition says.
fn either<T>(
    key: &str,
    config: Option<String>,
    declared: Option<String>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Problem> {
    let wrong = |why| Problem::setting(format!("/{key}"), why);
    match (config, declared) {
        (Some(text), _) => read(&text).map(Some).map_err(wrong),
        (None, Some(text)) => read(&text).map(Some).map_err(|why| wrong(why).of_declaration()),
        (None, None) => Ok(None),
    }
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| format!("{text:?} is no date such as 2026-01-31, nor a date and a time such as 2026-01-31T12:00:00Z"))
}

/// The field for a page (RFC 8288). A URL needs no character that would end it there.
fn link(url: &str, relations: &str) -> Result<HeaderValue, String> {
    let is_url = !url.is_empty() && url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"'));
    let field = is_url.then(|| HeaderValue::from_str(&format!("<{url}>; rel=\"{relations}\"")));
    field.and_then(Result::ok).ok_or_else(|| format!("{url:?} is no URL"))
}
