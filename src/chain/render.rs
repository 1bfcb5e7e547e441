//! Answers as bytes: RFC 9457 problem documents, or the reference product's fault bodies.
//!
//! Nothing the client sent is repeated in a problem document. The reference product's plain-text 404 repeats the path; it is
//! the normal form, which holds no control bytes.

use std::borrow::Cow;

use serde_json::json;
use tollgate_filter_api::{Answer, Cause, CauseKind, Fault, KeyType, Meaning, Reason, Rule};

use super::gateway;
use crate::config::Errors;

/// What an error body may mention of a request.
#[derive(Clone, Copy, Debug)]
pub struct Mention<'a> {
    /// Path in normal form.
    pub path: &'a str,
    /// Method.
    pub method: &'a str,
    /// Request id, 32 hex digits.
    pub request_id: &'a str,
    /// Header that carries the credential.
    pub auth_header: &'a str,
    /// Kind of the caller's key.
    pub key_type: KeyType,
}

/// A body and its media type; both empty when the answer has none.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of an answer.
pub fn render(answer: &Answer, style: Errors, mention: Mention<'_>) -> Rendered {
    let reason = answer.reason();
    let status = answer.status();
    if let Some(body) = answer.get_body() {
        return Rendered { status, content_type: "", body: body.to_vec() };
    }
    if reason.meaning == Meaning::Reply {
        let status = if style == Errors::Wso2 && status == 204 { 200 } else { status };
        return Rendered { status, content_type: "", body: Vec::new() };
    }
    match style {
        Errors::Problem => problem(answer, mention),
        Errors::Wso2 => wso2(reason, answer.get_detail(), mention),
    }
}

/// The answer for a request nobody could decide about.
pub fn render_fault(fault: &Fault) -> Answer {
    let answer = gateway::FAULT.because(undecided(fault.to_string()));
    match fault.retry_after {
        Some(after) => answer.header(http::header::RETRY_AFTER, http::HeaderValue::from(after.as_secs().max(1))),
        None => answer,
    }
}

/// Why nobody could decide, of a fault in words. One of the chain itself is the gateway's own.
pub fn undecided(fault: impl Into<Cow<'static, str>>) -> Cause {
    let fault = fault.into();
    let kind = if fault.starts_with("chain.") { CauseKind::Internal } else { CauseKind::Unavailable };
    Cause::new(kind, "decision", Rule::Fixed("what cannot be decided is refused")).detail(fault)
}

fn problem(answer: &Answer, mention: Mention<'_>) -> Rendered {
    let (reason, known) = (answer.reason(), answer.get_problem_type());
    let own = || format!("urn:tollgate:reason:{}", reason.id);
    let mut body = json!({
        "type": known.and_then(|known| known.uri).map_or_else(own, str::to_owned),
        "title": reason.title,
        "status": reason.status,
        "reason": reason.id,
        "request_id": mention.request_id,
    });
    if reason.code != 0 {
        body["code"] = reason.code.into();
    }
    if let Some(detail) = answer.get_detail() {
        body["detail"] = detail.into();
    }
    for (name, value) in known.into_iter().flat_map(|known| &known.members) {
        // What every document has, no type changes.
        if body.get(name).is_none() {
            body[*name] = value.clone();
        }
    }
    Rendered { status: reason.status, content_type: "application/problem+json", body: body.to_string().into_bytes() }
}

fn wso2(reason: &Reason, detail: Option<&str>, mention: Mention<'_>) -> Rendered {
    let plain = |text: String| Rendered { status: reason.status, content_type: "text/plain", body: text.into_bytes() };
    match unrouted(reason, mention) {
        Some(text) if reason.id == gateway::NO_ENDPOINT.id => {
            let body = format!(r#"{{"ERROR_CODE":"900901", "ERROR_MESSAGE":"{text}"}}"#);
            Rendered { status: 403, content_type: "application/json", body: body.into_bytes() }
        }
        Some(text) => plain(text.into_owned()),
        None => fault(reason, detail, mention),
    }
}

/// Status and message of the reference product, without code and description.
pub(super) fn message(reason: &Reason, mention: Mention<'_>) -> (u16, Cow<'static, str>) {
    unrouted(reason, mention).map_or_else(
        || {
            let (status, message, _) = texts(reason, None, mention.auth_header);
            (status, message.into())
        },
        |text| (reason.status, text),
    )
}

/// What the reference product says of a request that came to no filter, or to no endpoint.
fn unrouted(reason: &Reason, mention: Mention<'_>) -> Option<Cow<'static, str>> {
    let text = match reason.id {
        id if id == gateway::NOT_FOUND.id => format!("no matching service found for path : {}", mention.path),
        id if id == gateway::NO_RESOURCE.id => {
            format!("no matching resource found for path : {} , method : {}", mention.path, mention.method)
        }
        id if id == gateway::METHOD.id => return Some("method not allowed".into()),
        id if id == gateway::NO_ENDPOINT.id => return Some(no_endpoint(mention.key_type).into()),
        _ => return None,
    };
    Some(text.into())
}

fn no_endpoint(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Production => "Production key offered to the API with no production endpoint",
        KeyType::Sandbox => "Sandbox key offered to the API with no sandbox endpoint",
    }
}

/// `{"fault":{"code":…, "message":"…", "description":"…"}}`, with that spacing.
fn fault(reason: &Reason, detail: Option<&str>, mention: Mention<'_>) -> Rendered {
    let (status, message, description) = texts(reason, detail, mention.auth_header);
    let code = if reason.code == 0 { u32::from(reason.status) } else { reason.code };
    let body = format!(r#"{{"fault":{{"code":{code}, "message":{}, "description":{}}}}}"#, json!(message), json!(description));
    Rendered { status, content_type: "application/json", body: body.into_bytes() }
}

/// Status, message and description of a code. Codes of the reference product have fixed texts; ours have the reason's.
fn texts(reason: &Reason, detail: Option<&str>, auth_header: &str) -> (u16, &'static str, String) {
    let hinted = |status: u16, message: &'static str, hint: &str| (status, message, format!("{message}. {hint}"));
    let repeated = |status: u16, message: &'static str| (status, message, message.to_owned());
    match reason.code {
        // The body is the reference product's, the status is not: clients and balancers must see that trying again may help.
        900_900 => repeated(reason.status, "Unclassified Authentication Failure"),
        900_901 => hinted(401, "Invalid Credentials", "Make sure you have given the correct access token"),
        900_902 => hinted(401, "Missing Credentials", &format!("Make sure your API invocation call has a header: \"{auth_header}\"")),
        900_903 => hinted(401, "Access Token Expired", "Renew the access token and try again"),
        900_904 => hinted(401, "Access Token Inactive", "Generate a new access token and try again"),
        900_905 => repeated(401, "Incorrect Access Token Type is provided"),
        900_800 | 900_802..=900_804 | 900_806 => (429, "Message throttled out", "You have exceeded your quota".to_owned()),
        900_809 => (500, "Internal server error occured", "POLICY ENFORCEMENT ERROR".to_owned()),
        900_907 => repeated(401, "The requested API is temporarily blocked"),
        900_908 => repeated(403, "Resource forbidden "),
        900_909 => repeated(401, "The subscription to the API is inactive"),
        900_910 => repeated(403, "The access token does not allow you to access the requested resource"),
        900_911 => hinted(401, "Invalid Credentials", "Make sure you have given the correct username and password"),
        900_912 => hinted(401, "Invalid Format", "Make sure you have given the credentials in correct format with \":\" character"),
        900_913 => hinted(401, "Invalid Cookie is Provided", "Make sure you have given the valid cookie at the Server startup"),
        900_917 => hinted(401, "Invalid Authentication scheme", "API can not be used with this authentication scheme"),
        400 => (400, "Bad Request", detail.unwrap_or(reason.title).to_owned()),
        500 => (500, "Bad Response", detail.unwrap_or(reason.title).to_owned()),
        101_503 => (500, "Runtime Error", "Error connecting to the back end".to_owned()),
        101_504 => (500, "Runtime Error", "Connection timed out".to_owned()),
        _ => (reason.status, reason.title, detail.unwrap_or(reason.title).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MENTION: Mention<'_> =
        Mention { path: "/a/b", method: "GET", request_id: "0", auth_header: "Authorization", key_type: KeyType::Sandbox };

    fn body(reason: &'static Reason, style: Errors) -> (u16, String) {
        let cause = Cause::new(CauseKind::Internal, "test", Rule::Fixed("a test"));
        let rendered = render(&reason.because(cause), style, MENTION);
        (rendered.status, String::from_utf8(rendered.body).unwrap())
    }

    static MISSING: Reason = Reason::absent("jwt.missing", 401, 900_902, "t", "h");
    static INVALID: Reason = Reason::refused("jwt.signature", 401, 900_901, "t", "h");

    #[test]
    fn fault_bodies_are_the_reference_products_byte_for_byte() {
        let expected = r#"{"fault":{"code":900901, "message":"Invalid Credentials", "description":"Invalid Credentials. Make sure you have given the correct access token"}}"#;
        assert_eq!(body(&INVALID, Errors::Wso2), (401, expected.to_owned()));
        let expected = r#"{"fault":{"code":900902, "message":"Missing Credentials", "description":"Missing Credentials. Make sure your API invocation call has a header: \"Authorization\""}}"#;
        assert_eq!(body(&MISSING, Errors::Wso2), (401, expected.to_owned()));
        let expected = r#"{"fault":{"code":101503, "message":"Runtime Error", "description":"Error connecting to the back end"}}"#;
        assert_eq!(body(&gateway::CONNECT, Errors::Wso2), (500, expected.to_owned()));
    }

    #[test]
    fn a_type_that_others_know_stands_in_a_problem_with_its_members_and_changes_none_of_the_others() {
        static OVER: Reason = Reason::refused("throttle.limit", 429, 900_806, "Too many", "h");
        let members = vec![("violated-policies", json!(["gold"])), ("status", json!(200))];
        let cause = Cause::new(CauseKind::OverLimit, "test", Rule::Fixed("a test"));
        let answer = OVER.because(cause).problem_type("https://types.example#over", members);
        let document: serde_json::Value = serde_json::from_slice(&render(&answer, Errors::Problem, MENTION).body).unwrap();
        assert_eq!(document["type"], "https://types.example#over");
        assert_eq!((&document["violated-policies"], &document["status"]), (&json!(["gold"]), &json!(429)));
        assert_eq!(document["reason"], "throttle.limit");
        let fault = String::from_utf8(render(&answer, Errors::Wso2, MENTION).body).unwrap();
        assert!(!fault.contains("gold"), "{fault}");
    }

    #[test]
    fn every_code_has_the_reference_products_status_and_texts() {
        macro_rules! fault {
            ($code:literal, $message:literal, $description:literal) => {{
                static REASON: Reason = Reason::refused("filter.cause", 418, $code, "ours", "h");
                let (status, text) = body(&REASON, Errors::Wso2);
                let expected = format!(r#"{{"fault":{{"code":{}, "message":"{}", "description":"{}"}}}}"#, $code, $message, $description);
                assert_eq!(text, expected);
                status
            }};
        }
        assert_eq!(fault!(900_800, "Message throttled out", "You have exceeded your quota"), 429);
        assert_eq!(fault!(900_809, "Internal server error occured", "POLICY ENFORCEMENT ERROR"), 500);
        let unauthorized = [
            fault!(900_903, "Access Token Expired", "Access Token Expired. Renew the access token and try again"),
            fault!(900_904, "Access Token Inactive", "Access Token Inactive. Generate a new access token and try again"),
            fault!(900_905, "Incorrect Access Token Type is provided", "Incorrect Access Token Type is provided"),
            fault!(900_907, "The requested API is temporarily blocked", "The requested API is temporarily blocked"),
            fault!(900_909, "The subscription to the API is inactive", "The subscription to the API is inactive"),
            fault!(900_911, "Invalid Credentials", "Invalid Credentials. Make sure you have given the correct username and password"),
            fault!(
                900_913,
                "Invalid Cookie is Provided",
                "Invalid Cookie is Provided. Make sure you have given the valid cookie at the Server startup"
            ),
            fault!(
                900_917,
                "Invalid Authentication scheme",
                "Invalid Authentication scheme. API can not be used with this authentication scheme"
            ),
        ];
        assert_eq!(unauthorized, [401; 8]);
        assert_eq!(fault!(900_908, "Resource forbidden ", "Resource forbidden "), 403);
    }

    static STALE: Reason = Reason::refused("revocation.stale", 503, 900_900, "t", "h");

    #[test]
    fn what_could_not_be_decided_stays_503() {
        let body_of_900900 = r#"{"fault":{"code":900900, "message":"Unclassified Authentication Failure", "description":"Unclassified Authentication Failure"}}"#;
        assert_eq!(body(&gateway::FAULT, Errors::Wso2), (503, body_of_900900.to_owned()));
        assert_eq!(body(&STALE, Errors::Wso2), (503, body_of_900900.to_owned()));
        assert_eq!(body(&gateway::INTERNAL, Errors::Wso2), (500, body_of_900900.to_owned()));
    }

    #[test]
    fn unrouted_requests_get_the_reference_products_plain_text() {
        assert_eq!(body(&gateway::NOT_FOUND, Errors::Wso2).1, "no matching service found for path : /a/b");
        assert_eq!(body(&gateway::NO_RESOURCE, Errors::Wso2).1, "no matching resource found for path : /a/b , method : GET");
        assert_eq!(body(&gateway::METHOD, Errors::Wso2).1, "method not allowed");
        let expected = r#"{"ERROR_CODE":"900901", "ERROR_MESSAGE":"Sandbox key offered to the API with no sandbox endpoint"}"#;
        assert_eq!(body(&gateway::NO_ENDPOINT, Errors::Wso2), (403, expected.to_owned()));
    }

    #[test]
    fn a_problem_document_carries_reason_code_and_request_id() {
        let (status, text) = body(&MISSING, Errors::Problem);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 401);
        assert_eq!(
            (value["reason"].as_str(), value["code"].as_u64(), value["request_id"].as_str()),
            (Some("jwt.missing"), Some(900_902), Some("0"))
        );
    }
}
