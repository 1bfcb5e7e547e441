//! What runs. In this order: the type of the body, then what the client accepts.

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use tollgate_filter_api::{
    Answer, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderValue, Posture, Problem, Reason, RequestHead, Rule, Shown,
};

use crate::{
    Config,
    config::Declaration,
    media::{MediaType, accepts, ranges},
};

const UNSUPPORTED: Reason = Reason::refused(
    "media_types.unsupported",
    415,
    0,
    "The media type of the request's body is not accepted here",
    "The request has a body, and its `Content-Type` is none of those that the definition declares, cannot be read, or stands twice. The answer \
     names the ones that are accepted. A body without a `Content-Type` counts as `application/octet-stream`.",
);

const NOT_ACCEPTABLE: Reason = Reason::refused(
    "media_types.not_acceptable",
    406,
    0,
    "The client accepts none of the media types of the answer",
    "`Accept` excludes every media type that the definition declares for the answers of this operation. The answer names them.",
);

/// What a body is when nobody says (RFC 9110 §8.3).
const UNNAMED: &str = "application/octet-stream";

/// The `media_types` filter.
#[derive(Debug)]
pub struct MediaTypes {
    consumes: Types,
    produces: Types,
}

/// The media types of one direction.
#[derive(Debug)]
struct Types {
    types: Vec<MediaType>,
    /// As written, with commas between.
    text: Arc<str>,
    key: &'static str,
    /// The definition says so, and no setting.
    declared: bool,
}

impl Filter for MediaTypes {
    const ID: &'static str = "media_types";
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = &[UNSUPPORTED, NOT_ACCEPTABLE];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = Declaration;
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, declared: &Declaration, _: &Env) -> bool {
        [&config.consumes, &config.produces, &declared.consumes, &declared.produces].iter().all(|list| list.is_empty())
    }

    fn build(config: Config, declared: Declaration, _env: &Env) -> Result<Self, Problem> {
        let consumes = Types::new("/consumes", &config.consumes, &declared.consumes)?;
        Ok(Self { consumes, produces: Types::new("/produces", &config.produces, &declared.produces)? })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        if cx.call.has_body
            && let Err(cause) = self.consumes.take(cx.req)
        {
            return Ok(Flow::Stop(self.unsupported(*cause)));
        }
        if !self.produces.please(cx.req) {
            let detail = format!("The answer is one of: {}", self.produces.text);
            let cause = Cause::new(CauseKind::NotAllowed, "field `Accept`", self.produces.rule());
            return Ok(Flow::Stop(NOT_ACCEPTABLE.because(cause.wanted(self.produces.text.clone())).detail(detail)));
        }
        Ok(Flow::Next(()))
    }
}

impl MediaTypes {
    /// Says in `Accept` what would have done (RFC 9110 §15.5.16).
    fn unsupported(&self, cause: Cause) -> Answer {
        let text = &self.consumes.text;
        let answer = UNSUPPORTED.because(cause.wanted(text.clone())).detail(format!("The body must be one of: {text}"));
        match HeaderValue::from_str(text) {
            Ok(value) => answer.header(ACCEPT, value),
            Err(_) => answer,
        }
    }
}

impl Types {
    /// Those of the settings; when they name none, those of the definition.
    fn new(key: &'static str, settings: &[String], declared: &[String]) -> Result<Self, Problem> {
        if settings.is_empty() {
            return Self::read(declared, key, true).map_err(Problem::of_declaration);
        }
        Self::read(settings, key, false)
    }

    fn read(list: &[String], key: &'static str, declared: bool) -> Result<Self, Problem> {
        let parse = |(at, text): (usize, &String)| {
            MediaType::parse(text).ok_or_else(|| {
                let message = format!("{text:?} is not a media type, so no request could have it");
                Problem::setting(format!("{key}/{at}"), message).hint(format!(
                    "mend the definition, or write `x-tollgate-media_types: {{ {}: [..] }}` at the operation, the path or the API",
                    &key[1..]
                ))
            })
        };
        Ok(Self { types: list.iter().enumerate().map(parse).collect::<Result<_, _>>()?, text: list.join(", ").into(), key, declared })
    }

    fn rule(&self) -> Rule {
        if self.declared { Rule::declaration(self.key) } else { Rule::setting(self.key) }
    }

    /// Whether a body of this request may be taken, or why not.
    fn take(&self, req: &RequestHead) -> Result<(), Box<Cause>> {
        if self.types.is_empty() {
            return Ok(());
        }
        let malformed = || Box::new(Cause::new(CauseKind::Malformed, "field `Content-Type`", Rule::Fixed("RFC 9110 §8.3")));
        let mut values = req.get_all(&CONTENT_TYPE);
        let text = match (values.next(), values.next()) {
            (None, _) => UNNAMED,
            (Some(value), None) => value.to_str().map_err(|_| malformed())?,
            (Some(_), Some(_)) => {
                return Err(Cause::new(CauseKind::Ambiguous, "field `Content-Type`", Rule::Fixed("RFC 9110 §8.3")).into());
            }
        };
        let sent = MediaType::parse(text).filter(|sent| !sent.is_range()).ok_or_else(malformed)?;
        if self.types.iter().any(|declared| declared.includes(&sent)) {
            return Ok(());
        }
        Err(Cause::new(CauseKind::NotAllowed, "field `Content-Type`", self.rule()).seen(Shown::sent(text)).into())
    }

    /// Whether the client accepts one of them. Who says nothing accepts everything.
    fn please(&self, req: &RequestHead) -> bool {
        let (mut wanted, mut says) = (Vec::new(), false);
        for value in req.get_all(&ACCEPT) {
            let (more, any) = value.to_str().map_or((Vec::new(), true), ranges);
            wanted.extend(more);
            says |= any;
        }
        self.types.is_empty() || !says || self.types.iter().any(|declared| accepts(&wanted, declared))
    }
}
