//! The typed contract: what an author of a filter writes.

use std::future::Future;

use bytes::Bytes;
use http::{HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Answer, AnswerHead, Body, Call, Carrier, Env, FactSet, Fault, MetricDoc, Page, PageCx, Problem, Reason, RequestHead, ResponseHead,
    Views,
};

/// What a filter reads of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyUse {
    /// Nothing; the body streams past.
    None,
    /// Its pieces as they go upstream, by [`Filter::on_request_chunk`]; or all of it, when another filter has read it whole before.
    Stream,
    /// All of it, up to so many bytes. The chain reads it just before the filter, and refuses a longer one itself.
    Whole(usize),
}

/// The answers that a filter reads whole, with their bodies. All others stream past it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerUse {
    /// Most bytes of a body. What is longer is refused.
    pub limit: usize,
    /// Which ones.
    pub answers: AnswerSet,
}

/// The bodies that a filter changes while they stream. Their length is not known any more when their head goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// Those of requests, in [`Filter::on_request_chunk`]. It then asks for [`BodyUse::Stream`].
    pub requests: bool,
    /// Those of these answers, in [`Filter::on_chunk`].
    pub answers: Option<AnswerSet>,
    /// Those of answers whose heads it [reframes](ResponseHead::reframe). The upstream is asked as the client asked, and what it sends
    /// compressed or in part is the filter's to leave alone.
    pub heads: bool,
}

/// Some of the answers that upstreams give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerSet {
    /// Statuses, each a code or a class: `404`, or `2` for all from 200 to 299. Empty: every one.
    pub statuses: Vec<u16>,
    /// Media types without parameters, in lower case, or ranges such as `*/*`, `text/*` and `application/*+json`, in which those that have
    /// no end are not. Empty: every one.
    pub media_types: Vec<String>,
}

impl AnswerSet {
    /// Whether it is one of them. An answer that does not say what it is, or says it in a way that its reader may take
    /// otherwise, has every media type.
    pub fn covers(&self, status: StatusCode, content_type: Option<&str>) -> bool {
        let code = status.as_u16();
        let status = self.statuses.is_empty() || self.statuses.iter().any(|one| *one == code || *one == code / 100);
        let is_named = |essence: &str| self.media_types.iter().any(|one| one.eq_ignore_ascii_case(essence) || is_in_range(one, essence));
        status && (self.media_types.is_empty() || content_type.and_then(essence).is_none_or(is_named))
    }

    /// Whether it is whatever comes, so that there is no answer to leave alone.
    pub fn covers_all(&self) -> bool {
        self.statuses.is_empty() && self.media_types.is_empty()
    }

    /// Why these answers cannot be read whole, when they cannot.
    pub fn fault(&self) -> Option<String> {
        let is_final = |status: &&u16| matches!(**status, 2..=5 | 200..=599);
        if let Some(status) = self.statuses.iter().find(|status| !is_final(status)) {
            return Some(format!("{status} is not the status of an answer that has a body, nor a class of them"));
        }
        let endless = self.media_types.iter().find(|one| is_endless(one));
        endless.map(|media_type| format!("an answer of `{media_type}` has no end by which it could be read whole"))
    }
}

/// Whether a range of media types has one in it that ends.
fn is_in_range(range: &str, essence: &str) -> bool {
    let (Some((kind, sub)), Some((of_kind, of_sub))) = (range.split_once('/'), essence.split_once('/')) else { return false };
    let Some(suffix) = sub.strip_prefix('*') else { return false };
    let has_suffix =
        of_sub.len() >= suffix.len() && of_sub.as_bytes()[of_sub.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes());
    (kind == "*" || kind.eq_ignore_ascii_case(of_kind)) && has_suffix && !is_endless(essence)
}

/// Whether answers of this media type go on for as long as both sides like.
pub fn is_endless(media_type: &str) -> bool {
    let is = |kind: &str| media_type.eq_ignore_ascii_case(kind);
    let starts = |kind: &str| media_type.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    is("text/event-stream") || is("application/grpc") || starts("application/grpc+") || starts("application/grpc-web")
}

/// Type and subtype of a `Content-Type`, when it names one of each (RFC 9110 §8.3).
pub fn essence(content_type: &str) -> Option<&str> {
    let essence = content_type.split(';').next().unwrap_or(content_type).trim();
    let is_token = |part: &str| !part.is_empty() && !part.contains([',', '/', ' ', '\t', '"']);
    essence.split_once('/').filter(|(kind, sub)| is_token(kind) && is_token(sub)).map(|_| essence)
}

/// How far a filter was hardened, as the manual states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// Fit for clients and upstreams that nobody trusts.
    Hardened,
    /// Not examined; to be treated as unfit for untrusted input.
    Unknown,
}

/// What a decision comes to.
#[derive(Clone, Debug)]
pub enum Flow<G = ()> {
    /// The request goes on, and these facts are known from now on.
    Next(G),
    /// The request ends here.
    Stop(Answer),
}

/// How a request ended, for [`Filter::on_done`].
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Status the client got; 0 when the connection broke before an answer.
    pub status: u16,
    /// Reason ID when the gateway made the answer.
    pub reason: Option<&'static str>,
    /// Bytes of the request's body that were read, without the framing of chunks.
    pub bytes_in: u64,
    /// Bytes of the answer's body that were sent.
    pub bytes_out: u64,
}

/// One pluggable part of the chain.
///
/// A filter lives for as long as a configuration does and serves many requests at once; what belongs to one request is in
/// [`Filter::State`].
pub trait Filter: Send + Sync + Sized + 'static {
    /// Name in YAML, of the folder, and prefix of reasons and metrics.
    const ID: &'static str;
    /// Credentials of the Plan that it can check, when it gives a `Principal`: its own name, and others' that it can stand in
    /// for. A filter that checks opaque tokens accepts what a definition calls a token.
    const ACCEPTS: &'static [&'static str] = &[Self::ID];
    /// Whether it answers every request itself, so that an operation with it needs no endpoint.
    const ANSWERS: bool = false;
    /// Whether it stands in a chain that the operator did not write. Not so what cannot run without settings.
    const BY_DEFAULT: bool = true;
    /// Whether it judges verified credentials and nothing else, so that it is left out where nobody has to show one.
    const CREDENTIALS_ONLY: bool = false;
    /// Whether the credential that it checks is a client certificate, which a listener must ask for.
    const CERTIFICATE: bool = false;
    /// Whether the credential that it checks carries scopes that a definition asks for. Where any requirement of a list is enough, such
    /// a credential without scopes of its own needs those of the others.
    const SCOPED: bool = false;
    /// Whether it compares the scopes that a definition asks for. Its declaration is then a [`ScopeAlternatives`](crate::ScopeAlternatives),
    /// which the chain makes from the operation's security requirements.
    const COMPARES_SCOPES: bool = false;
    /// The filter whose declarations it reads: its own, or those of another one that says what a message looks like.
    const DECLARED_TO: &'static str = Self::ID;
    /// Every way in which it ends a request.
    const REASONS: &'static [Reason] = &[];
    /// How far it was hardened.
    const POSTURE: Posture = Posture::Unknown;
    /// Series it writes.
    const METRICS: &'static [MetricDoc] = &[];
    /// Its settings: what an operator wrote in `gateway.yaml`, and under it what `x-tollgate-<ID>` of a definition sets.
    type Config: DeserializeOwned + JsonSchema;
    /// What the definition says to it of an operation, as the compiler read it; `()` for a filter that definitions say nothing to.
    /// What all operations of a project share, it asks [`Env::declared`] for.
    type Declared: DeserializeOwned + Default;
    /// Facts that must be known before it runs.
    type Needs: FactSet;
    /// Facts that are known once it let a request pass.
    type Gives: FactSet;
    /// Its own scratch, one request long.
    type State: Default + Send + Sync + 'static;

    /// Whether settings and declaration leave it nothing to do; it is then left out of the chain.
    fn is_idle(_config: &Self::Config, _declared: &Self::Declared, _env: &Env) -> bool {
        false
    }

    /// Turns settings and declaration into what runs. May ask the environment to keep things fresh, must not start anything itself.
    ///
    /// # Errors
    /// When they cannot be enforced. The problem's pointer is relative to the settings; one of the declaration says so with
    /// [`Problem::of_declaration`].
    fn build(config: Self::Config, declared: Self::Declared, env: &Env) -> Result<Self, Problem>;

    /// APIs that these settings name, as name and version; `*` is every version. A name that no API of the project has is reported.
    fn named_apis(_config: &Self::Config) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What it reads of requests' bodies.
    fn request_body(&self) -> BodyUse {
        BodyUse::None
    }

    /// Whether it reads the body of this request, when it reads some.
    fn wants_body(&self, _req: &RequestHead, _call: &Call) -> bool {
        true
    }

    /// The bodies that it changes while they stream. The upstream is asked for answers that are whole and not compressed; what it sends
    /// compressed all the same is refused. The gateway takes `Content-Length`, digests and the entity tag out of the head before
    /// [`Filter::on_response`].
    fn rewrites(&self) -> Rewrites {
        Rewrites::default()
    }

    /// The answers that it reads whole; `None`: it reads none. Operations with a filter that does pay for every request.
    fn answer_body(&self) -> Option<AnswerUse> {
        None
    }

    /// Fields in which the upstream reads the gateway's own word. What a client sent in them never reaches the upstream, in no
    /// spelling; the filter may still read it in [`Filter::on_request`].
    fn owned_headers(&self) -> Vec<HeaderName> {
        Vec::new()
    }

    /// Where the credential that it judges stands in a request. When another alternative let the caller in, the chain takes out
    /// what stands there: nobody verified it, and the upstream must not take it for verified.
    fn carrier(&self) -> Option<Carrier> {
        None
    }

    /// Decides, by what `cx` holds alone: what else changes it asks through [`Cx::views`], and the time is [`Call::now`]. May wait, but should not have to: the harness fails a filter that waits without saying so.
    ///
    /// # Errors
    /// When it could not decide; the chain answers 503.
    fn on_request(&self, cx: Cx<'_, Self>) -> impl Future<Output = Result<Flow<Self::Gives>, Fault>> + Send;

    /// Changes the header that goes upstream; once for each attempt.
    ///
    /// # Errors
    /// When the request must not go out.
    fn on_upstream(&self, _cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        Ok(())
    }

    /// Sees the body that goes upstream, piece by piece, when it asked for [`BodyUse::Stream`] and nobody has the body whole. Begins anew
    /// after each [`Filter::on_upstream`], as an attempt may be made twice. May change a piece when it [rewrites](Filter::rewrites) them; it
    /// then gets a body whole in [`Filter::on_request`] when another filter of the chain reads bodies whole.
    ///
    /// # Errors
    /// When the rest must not go out.
    fn on_request_chunk(&self, _cx: RequestChunkCx<'_, Self>) -> Result<(), Fault> {
        Ok(())
    }

    /// A body for a refusal of the gateway's own, in place of its document of the error; `None`: that one stays. Asked before
    /// [`Filter::on_response`], of the filters that let the request pass, in the order of the chain; the first page that one has is
    /// sent. Not asked for replies of filters, which bring their own, nor for calls of gRPC, which have none.
    fn page(&self, _cx: PageCx<'_, Self>) -> Option<Page> {
        None
    }

    /// Changes the header that goes to the client, the upstream's or one the gateway made.
    ///
    /// Runs again when the header it has seen is thrown away and the gateway answers in its place: another filter could not decide
    /// about it, for instance. What the filter did to the first must then be done to the second, and what it counts or takes out of
    /// its state here may be counted or missed twice; what must happen once belongs into [`Filter::on_done`].
    ///
    /// # Errors
    /// When the response must not go out.
    fn on_response(&self, _cx: ResponseCx<'_, Self>) -> Result<(), Fault> {
        Ok(())
    }

    /// Judges an answer that it reads whole, and may change or replace head and body. Runs before [`Filter::on_response`] of any filter,
    /// for the upstream's answer only, in reverse order of the chain, and only for a filter whose [`AnswerUse`] covers the answer as the
    /// filters before it left it.
    ///
    /// The body is as the upstream sent it, without chunks and never compressed; the gateway sets `Content-Length` anew and takes out the
    /// digests and the entity tag of a body that was replaced. Does not run for HEAD and 304, which have no body to judge: what must be done
    /// to every head belongs into [`Filter::on_response`]. Runs for 204 with an empty body.
    ///
    /// Runs on a worker thread, like the rest, whatever the size of the body: other requests of that thread wait for it. One that may take
    /// milliseconds should move to a thread of its own and wait for it there.
    ///
    /// # Errors
    /// When it could not decide; the client gets 503.
    fn on_answer(&self, _cx: AnswerCx<'_, Self>) -> impl Future<Output = Result<Flow, Fault>> + Send {
        std::future::ready(Ok(Flow::Next(())))
    }

    /// Sees the body that goes to the client, piece by piece, and may change it when it [rewrites](Filter::rewrites) this answer, or has
    /// [reframed](ResponseHead::reframe) its head. The header is gone by then.
    ///
    /// # Errors
    /// When the rest must not go out; the connection is cut.
    fn on_chunk(&self, _cx: ChunkCx<'_, Self>) -> Result<(), Fault> {
        Ok(())
    }

    /// The request is over.
    fn on_done(&self, _cx: DoneCx<'_, Self>) {}
}

/// What a filter has before it in [`Filter::on_request`].
pub struct Cx<'a, F: Filter> {
    /// The request; changes are seen by later filters and by the upstream.
    pub req: &'a mut RequestHead,
    /// What is fixed about it.
    pub call: &'a Call,
    /// The facts it needs.
    pub given: <F::Needs as FactSet>::View<'a>,
    /// The whole body, when it asked for it. It may be replaced.
    pub body: Option<&'a mut Body>,
    /// The views, to ask.
    pub views: &'a mut Views,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_upstream`].
pub struct UpstreamCx<'a, F: Filter> {
    /// The request as it goes upstream.
    pub req: &'a mut RequestHead,
    /// What is fixed about it.
    pub call: &'a Call,
    /// The facts it needs.
    pub given: <F::Needs as FactSet>::View<'a>,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_request_chunk`].
pub struct RequestChunkCx<'a, F: Filter> {
    /// The piece; `None` at the end of a body that ended before.
    pub body: &'a mut Option<Bytes>,
    /// Whether it is the last one.
    pub end: bool,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_response`].
pub struct ResponseCx<'a, F: Filter> {
    /// The response as it goes to the client.
    pub resp: &'a mut ResponseHead,
    /// Whether it is the upstream's, and not one that the gateway made.
    pub is_upstreams: bool,
    /// What is fixed about the request.
    pub call: &'a Call,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_answer`].
pub struct AnswerCx<'a, F: Filter> {
    /// The answer's head; changes are seen by the filters that come after and by the client.
    pub head: &'a mut AnswerHead,
    /// The answer's body, whole.
    pub body: &'a mut Body,
    /// What is fixed about the request.
    pub call: &'a Call,
    /// The views, to ask.
    pub views: &'a mut Views,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_chunk`].
pub struct ChunkCx<'a, F: Filter> {
    /// The piece; `None` at the end of a body that ended before.
    pub body: &'a mut Option<Bytes>,
    /// Whether it is the last one.
    pub end: bool,
    /// Its scratch.
    pub state: &'a mut F::State,
}

/// What a filter has before it in [`Filter::on_done`].
pub struct DoneCx<'a, F: Filter> {
    /// What is fixed about the request.
    pub call: &'a Call,
    /// How it ended.
    pub outcome: Outcome,
    /// Its scratch.
    pub state: &'a mut F::State,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_covers_the_media_types_in_it_that_end() {
        let covers = |range: &str, sent: &str| {
            AnswerSet { statuses: vec![2], media_types: vec![range.to_owned()] }.covers(StatusCode::OK, Some(sent))
        };
        for (range, within, without) in [
            ("*/*", "application/json; charset=utf-8", "text/event-stream"),
            ("text/*", "Text/Plain", "text/event-stream"),
            ("text/*", "text/html", "application/json"),
            ("application/*+json", "application/problem+JSON", "application/json"),
            ("application/json", "application/json", "application/jsonl"),
        ] {
            assert!(covers(range, within) && !covers(range, without), "{range}");
        }
    }
}
