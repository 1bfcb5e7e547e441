//! What runs.

use http::{HeaderValue, header};
use tollgate_changes::facts::{self, Seen, Unknown};
use tollgate_filter_api::{
    Answer, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Posture, Problem, Reason, Reply, ResponseCx, Rule, Shown,
};

use crate::{Config, Hsts, hosts::Hosts, location::Location};

const YEAR: u64 = 365 * 86_400;

const SENT: Reply = Reply::new(
    "redirect.sent",
    308,
    "The client is sent to another URL",
    "The settings of `redirect` say where to. The status is the one that is written there, 308 if none is.",
);
const HOST: Reason = Reason::refused(
    "redirect.host",
    421,
    0,
    "The client cannot be sent to the host that it asks for",
    "The host is not among `hosts` of the settings. Add it if it is one of yours; `\"*\"` sends clients to whatever host they name.",
);
const UNKNOWN: Reason = Reason::refused(
    "redirect.unknown",
    400,
    0,
    "The request does not say what its redirection is made of",
    "`to` holds a fact that this request does not have, such as a parameter of the query. Leave it out, or use `${request.search}`, which may be empty.",
);
const TOO_LONG: Reason = Reason::refused(
    "redirect.too_long",
    414,
    0,
    "The URL of the redirection would be too long",
    "With its facts `to` has more than 4096 bytes.",
);

/// The `redirect` filter.
#[derive(Debug)]
pub struct Redirect {
    location: Option<Location>,
    /// Whoever comes over TLS passes.
    https: bool,
    answer: Answer,
    hosts: Hosts,
    hsts: Option<HeaderValue>,
}

impl Filter for Redirect {
    const ID: &'static str = "redirect";
    const ANSWERS: bool = true;
    const REASONS: &'static [Reason] = &[*SENT.reason(), HOST, UNKNOWN, TOO_LONG];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        !config.https && config.to.is_none() && config.hsts.is_none()
    }

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        if config.https && config.to.is_some() {
            return Err(Problem::setting("/to", "`https` says where to already").hint("keep one of the two"));
        }
        if config.port.is_some_and(|port| port == 0 || !config.https) {
            return Err(Problem::setting("/port", "it is the port of `https`, from 1 on").hint("write it into `to`, or leave it out"));
        }
        let status = config.status.unwrap_or(308);
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(Problem::setting("/status", format!("{status} sends nobody anywhere")).hint("write 301, 302, 303, 307 or 308"));
        }
        let location = match &config.to {
            Some(to) => Some(Location::parse(to)?),
            None => config.https.then(|| Location::https(config.port)).transpose()?,
        };
        let names_host = location.as_ref().is_some_and(|location| location.names_host);
        if names_host && config.hosts.is_empty() {
            return Err(Problem::setting("/hosts", "clients would be sent to whatever host they name")
                .hint("list the hosts that are served here, such as `hosts: [shop.example]`; `[\"*\"]` when something before the gateway sees to that"));
        }
        if !names_host && !config.hosts.is_empty() {
            return Err(Problem::setting("/hosts", "nobody is sent to the host that he asks for, so the list does nothing")
                .hint("leave it out, or write `${request.host}` behind the scheme of `to`"));
        }
        let hosts = Hosts::parse(&config.hosts)?;
        let hsts = config.hsts.as_ref().map(strict).transpose()?;
        Ok(Self { location, https: config.https, answer: SENT.answer().with_status(status), hosts, hsts })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let is_secure = facts::is_secure(cx.call);
        let Some(location) = self.location.as_ref().filter(|_| !(self.https && is_secure)) else { return Ok(Flow::Next(())) };
        if location.names_host {
            let host = facts::host(cx.call);
            if !host.as_ref().is_some_and(|(host, _)| self.hosts.have(host)) {
                let cause = Cause::new(CauseKind::NotAllowed, "field `Host`", Rule::setting("/hosts"));
                return Ok(Flow::Stop(HOST.because(cause.seen(Shown::sent(&cx.call.host)))));
            }
        }
        let about = if self.https { Rule::setting("/https") } else { Rule::setting("/to") };
        Ok(Flow::Stop(match location.render(&Seen { call: cx.call, head: Some(cx.req), caller: None }) {
            Ok(value) => {
                let answer = self.answer.clone().header(header::LOCATION, value);
                match &self.hsts {
                    Some(hsts) if is_secure => answer.header(header::STRICT_TRANSPORT_SECURITY, hsts.clone()),
                    _ => answer,
                }
            }
            Err(Unknown::Fact) => UNKNOWN.because(Cause::new(CauseKind::Missing, "fact of the request", about)),
            Err(Unknown::TooLong) => {
                TOO_LONG.because(Cause::new(CauseKind::OverLimit, "URL", about).wanted(Shown::Bytes(facts::LONGEST as u64)))
            }
        }))
    }

    /// A browser must not heed it in an answer without TLS (RFC 6797 §8.1), and who could write such an answer could write the field.
    fn on_response(&self, cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        if let Some(hsts) = &self.hsts {
            if facts::is_secure(cx.call) {
                cx.resp.set(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
            } else {
                cx.resp.remove(&header::STRICT_TRANSPORT_SECURITY);
            }
        }
        Ok(())
    }
}

/// The value of `Strict-Transport-Security`.
fn strict(hsts: &Hsts) -> Result<HeaderValue, Problem> {
    let seconds = hsts.max_age.0.as_secs();
    if hsts.max_age.0.subsec_nanos() > 0 {
        return Err(Problem::setting("/hsts/max_age", "it is counted in whole seconds (RFC 6797 §6.1.1)")
            .hint("write `365d`, or `0s` to take it back"));
    }
    if hsts.preload && (!hsts.include_subdomains || seconds < YEAR) {
        return Err(Problem::setting(
            "/hsts/preload",
            "browsers' lists take no host without `include_subdomains`, or for less than a year",
        )
        .hint("set `include_subdomains: true` and `max_age: 365d`, or leave `preload` out"));
    }
    let subdomains = if hsts.include_subdomains { "; includeSubDomains" } else { "" };
    let preload = if hsts.preload { "; preload" } else { "" };
    let value = HeaderValue::try_from(format!("max-age={seconds}{subdomains}{preload}"));
    value.map_err(|_| Problem::setting("/hsts", "it makes no value of a header"))
}
