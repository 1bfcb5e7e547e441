//! What runs.

use tollgate_filter_api::{
    Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Posture, Problem, Reason, RequestHead, ResponseCx, Rule as Decides, Shown,
};

use crate::{Config, cookies::Cookies, links::Links, rule::Rule};

/// Most bytes of a path with its query, as many as most servers take.
const LONGEST: usize = 8192;
/// Most rules: a request tries them in order.
const MOST: usize = 100;

const TOO_LONG: Reason = Reason::refused(
    "rewrite.too_long",
    414,
    0,
    "The target of the request would be too long",
    "Path and query have more than 8192 bytes once they are rewritten. What `to` repeats of a path makes it longer.",
);

/// The `rewrite` filter.
#[derive(Debug)]
pub struct Rewrite {
    rules: Vec<Rule>,
    links: Option<Links>,
    cookies: Option<Cookies>,
}

impl Filter for Rewrite {
    const ID: &'static str = "rewrite";
    const REASONS: &'static [Reason] = &[TOO_LONG];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        let back = &config.back;
        let lists = [back.hosts.len(), back.paths.len(), back.cookie_domains.len(), back.cookie_paths.len(), config.rules.len()];
        lists.iter().all(|length| *length == 0)
    }

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        if config.rules.len() > MOST {
            return Err(Problem::setting(
                "/rules",
                format!("{} rules are more than {MOST}, and a request tries them in order", config.rules.len()),
            )
            .hint("write operations or routes for them, each with rules of its own"));
        }
        let rules = config.rules.iter().enumerate().map(|(at, rule)| Rule::parse(rule, &format!("/rules/{at}")));
        let (links, cookies) = (Links::parse(&config.back)?, Cookies::parse(&config.back)?);
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            links: Some(links).filter(|links| !links.is_empty()),
            cookies: Some(cookies).filter(|cookies| !cookies.is_empty()),
        })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let base = base(cx.req, &cx.call.operation.base_path);
        let (base, path) = cx.req.path().split_at(base);
        let path = if path.is_empty() { "/" } else { path };
        let query = cx.req.query();
        let rewritten = self.rules.iter().enumerate().find_map(|(at, rule)| Some((at, rule.apply(path, query)?)));
        let Some((at, rewritten)) = rewritten else { return Ok(Flow::Next(())) };
        let kept = query.map_or(0, str::len);
        let length = rewritten.path.len() + rewritten.query.as_ref().map_or(kept, |query| query.as_ref().map_or(0, String::len));
        if length > LONGEST {
            let cause = Cause::new(CauseKind::OverLimit, "rewritten target", Decides::nth_setting("/rules/*", at));
            return Ok(Flow::Stop(TOO_LONG.because(cause.seen(Shown::Bytes(length as u64)).wanted(Shown::Bytes(LONGEST as u64)))));
        }
        // Upstreams never see the base path; with it, what is behind it goes there as it is.
        let whole = format!("{base}{}", rewritten.path);
        let illegal = |_| Fault::new("rewrite.target", "what was rewritten is no target");
        cx.req.set_path(&whole).map_err(illegal)?;
        if let Some(query) = rewritten.query {
            cx.req.set_query(query.as_deref()).map_err(illegal)?;
        }
        Ok(Flow::Next(()))
    }

    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        // What the gateway says of itself needs no translation.
        if cx.is_upstreams {
            if let Some(links) = &self.links {
                links.apply(cx.resp);
            }
            if let Some(cookies) = &self.cookies {
                cookies.apply(cx.resp);
            }
        }
        Ok(())
    }
}

/// Bytes of the path that are the base path. None where an earlier filter has put another path in its place.
fn base(req: &RequestHead, base_path: &str) -> usize {
    let base = base_path.strip_suffix('/').unwrap_or(base_path);
    let rest = req.path().strip_prefix(base);
    rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).map_or(0, |_| base.len())
}
