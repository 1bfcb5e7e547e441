//! What each path of the port answers.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tollgate_filter_api::Problems;

use super::{AdminView, ChangeRefused};

/// An answer of the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminResponse {
    /// Status.
    pub status: StatusCode,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Value of `Allow`, for 405.
    pub allow: Option<&'static str>,
    /// The whole body.
    pub body: String,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const READ: &str = "GET, HEAD";
const WRITE: &str = "POST";
const BOTH: &str = "GET, HEAD, POST";

impl AdminResponse {
    fn new(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, allow: None, body }
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, JSON, format!("{body}\n"))
    }

    /// An error of the one who asks.
    pub(super) fn refusal(status: StatusCode, why: &str) -> Self {
        Self::json(status, &json!({ "error": why }))
    }
}

/// What a path is for.
enum Page {
    Live,
    Ready,
    Metrics,
    Plan,
    Artifact,
    Revocation,
    Revoke,
    Quotas,
    Upstreams,
    Coverage,
    Blocks,
    Reload,
}

fn page(path: &str) -> Option<Page> {
    Some(match path {
        "/livez" => Page::Live,
        "/readyz" => Page::Ready,
        "/metrics" => Page::Metrics,
        "/plan" => Page::Plan,
        "/artifact" => Page::Artifact,
        "/revocation" => Page::Revocation,
        "/revocations" => Page::Revoke,
        "/quotas" => Page::Quotas,
        "/upstreams" => Page::Upstreams,
        "/coverage" => Page::Coverage,
        "/blocks" => Page::Blocks,
        "/reload" => Page::Reload,
        _ => return None,
    })
}

/// Answers a request. Only what changes revocations or blocks has a body; elsewhere one is refused rather than ignored.
pub async fn handle(method: &Method, path: &str, body: &[u8], view: &dyn AdminView) -> AdminResponse {
    let Some(page) = page(path) else {
        return AdminResponse::refusal(
            StatusCode::NOT_FOUND,
            "there are /livez, /readyz, /metrics, /plan, /artifact, /revocation, /revocations, /quotas, /blocks, /upstreams, /coverage and /reload",
        );
    };
    let (fits, allow) = match page {
        Page::Reload | Page::Revoke => (method == Method::POST, WRITE),
        Page::Blocks => (method == Method::GET || method == Method::HEAD || method == Method::POST, BOTH),
        _ => (method == Method::GET || method == Method::HEAD, READ),
    };
    if !fits {
        let refusal = AdminResponse::refusal(StatusCode::METHOD_NOT_ALLOWED, "the method is not allowed here");
        return AdminResponse { allow: Some(allow), ..refusal };
    }
    let is_change = matches!((&page, method), (Page::Revoke, _) | (Page::Blocks, &Method::POST));
    if !body.is_empty() && !is_change {
        return AdminResponse::refusal(StatusCode::BAD_REQUEST, "this path takes no body");
    }
    match page {
        Page::Live => AdminResponse::new(StatusCode::OK, TEXT, "ok\n".into()),
        Page::Ready => ready(&view.ready()),
        Page::Metrics => AdminResponse::new(StatusCode::OK, METRICS, view.metrics()),
        Page::Plan => AdminResponse::json(StatusCode::OK, &view.plan()),
        Page::Artifact => AdminResponse::json(StatusCode::OK, &view.artifact()),
        Page::Revocation => AdminResponse::json(StatusCode::OK, &view.revocation()),
        Page::Revoke => changed(view.revoke(body.to_vec()).await),
        Page::Quotas => AdminResponse::json(StatusCode::OK, &view.quotas()),
        Page::Upstreams => AdminResponse::json(StatusCode::OK, &view.upstreams()),
        Page::Coverage => AdminResponse::json(StatusCode::OK, &view.coverage()),
        Page::Blocks if is_change => changed(view.change_blocks(body.to_vec()).await),
        Page::Blocks => AdminResponse::json(StatusCode::OK, &view.blocks()),
        Page::Reload => reloaded(view.reload().await),
    }
}

fn ready(missing: &[String]) -> AdminResponse {
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    AdminResponse::json(status, &json!({ "ready": missing.is_empty(), "missing": missing }))
}

fn changed(result: Result<Value, ChangeRefused>) -> AdminResponse {
    match result {
        Ok(receipt) => AdminResponse::json(StatusCode::OK, &receipt),
        Err(ChangeRefused::Bad(why)) => AdminResponse::refusal(StatusCode::BAD_REQUEST, &why),
        Err(ChangeRefused::Full(why)) => AdminResponse::refusal(StatusCode::INSUFFICIENT_STORAGE, &why),
        Err(ChangeRefused::Unavailable(why)) => AdminResponse::refusal(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn reloaded(result: Result<u64, Problems>) -> AdminResponse {
    match result {
        Ok(generation) => AdminResponse::json(StatusCode::OK, &json!({ "generation": generation })),
        Err(problems) => AdminResponse::json(StatusCode::CONFLICT, &json!({ "problems": problems, "text": problems.to_string() })),
    }
}
