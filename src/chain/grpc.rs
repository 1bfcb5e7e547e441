//! Refusals as gRPC has them: a status code and a message in place of HTTP status and body.
//!
//! Codes are those of gRPC's own table from HTTP statuses, which clients apply to answers of proxies that know no gRPC, refined where
//! that table lumps together what a client treats differently: a spent quota is RESOURCE_EXHAUSTED, not UNAVAILABLE, which clients
//! would try again at once; a deadline is DEADLINE_EXCEEDED.

use std::fmt::Write;

use tollgate_filter_api::Answer;

use super::render::{self, Mention};
use crate::config::Errors;

/// Why a call ended, as its client is told.
#[derive(Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    /// The code, from 1 to 16.
    pub code: u8,
    /// The message, percent-encoded.
    pub message: String,
    /// The status that the refusal has over plain HTTP.
    pub http: u16,
}

impl GrpcStatus {
    /// What a refusal is to a client of gRPC.
    pub fn of(answer: &Answer, style: Errors, mention: Mention<'_>) -> Self {
        let reason = answer.reason();
        match style {
            Errors::Problem => {
                let detail = answer.get_detail().map_or(String::new(), |detail| format!(": {detail}"));
                let message = encoded(&format!("{} ({}){detail}", reason.title, reason.id));
                Self { code: code(reason.status), message, http: reason.status }
            }
            Errors::Wso2 => {
                let (http, message) = render::message(reason, mention);
                // The reference product knows five statuses, and differs from gRPC's table in the last.
                let code = if http == 500 { UNKNOWN } else { code(http) };
                Self { code, message: encoded(&message), http }
            }
        }
    }
}

const UNKNOWN: u8 = 2;
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// The code for an HTTP status.
fn code(http: u16) -> u8 {
    match http {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        // No such method, whichever half of the path it is.
        404 | 405 | 501 => UNIMPLEMENTED,
        413 | 414 | 429 | 431 => RESOURCE_EXHAUSTED,
        422 => INVALID_ARGUMENT,
        502 | 503 => UNAVAILABLE,
        408 | 504 => DEADLINE_EXCEEDED,
        500.. => INTERNAL,
        _ => UNKNOWN,
    }
}

/// Percent-encoding as gRPC's protocol has it: everything but printable ASCII, and the percent sign.
fn encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..b' ' | b'\x7f'.. => {
                // Writing to a string does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
            _ => text.push(char::from(byte)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use tollgate_filter_api::{Cause, CauseKind, KeyType, Reason, Rule};

    use super::*;
    use crate::chain::gateway;

    fn status(reason: &'static Reason, style: Errors) -> (u8, u16, String) {
        let mention = Mention { path: "/a.B/C", method: "POST", request_id: "0", auth_header: "Authorization", key_type: KeyType::Sandbox };
        let cause = Cause::new(CauseKind::Internal, "test", Rule::Fixed("a test"));
        let status = GrpcStatus::of(&reason.because(cause), style, mention);
        (status.code, status.http, status.message)
    }

    static MISSING: Reason = Reason::absent("jwt.missing", 401, 900_902, "There is no token", "h");
    static OVER: Reason = Reason::refused("throttle.limit", 429, 900_802, "Zu viele, 100 % für heute", "h");

    #[test]
    fn a_refusal_names_its_reason_and_is_percent_encoded() {
        assert_eq!(status(&MISSING, Errors::Problem), (16, 401, "There is no token (jwt.missing)".to_owned()));
        assert_eq!(status(&OVER, Errors::Problem), (8, 429, "Zu viele, 100 %25 f%C3%BCr heute (throttle.limit)".to_owned()));
        assert_eq!(encoded("\0a\n~\x7f"), "%00a%0A~%7F");
    }

    #[test]
    fn the_reference_products_codes_and_messages_are_kept() {
        assert_eq!(status(&MISSING, Errors::Wso2), (16, 401, "Missing Credentials".to_owned()));
        assert_eq!(status(&OVER, Errors::Wso2), (8, 429, "Message throttled out".to_owned()));
        assert_eq!(status(&gateway::CONNECT, Errors::Wso2), (2, 500, "Runtime Error".to_owned()));
        assert_eq!(status(&gateway::NOT_FOUND, Errors::Wso2), (12, 404, "no matching service found for path : /a.B/C".to_owned()));
        assert_eq!(
            status(&gateway::NO_ENDPOINT, Errors::Wso2),
            (7, 403, "Sandbox key offered to the API with no sandbox endpoint".to_owned())
        );
    }

    #[test]
    fn every_reason_of_the_gateway_has_the_code_that_a_client_needs() {
        let code_of = |reason| status(reason, Errors::Problem).0;
        assert_eq!(code_of(&gateway::FRAMING), 13);
        assert_eq!([&gateway::NOT_FOUND, &gateway::NO_RESOURCE, &gateway::METHOD].map(code_of), [12; 3]);
        assert_eq!([&gateway::CONNECT, &gateway::UPSTREAM_BROKEN, &gateway::OVERLOADED, &gateway::FAULT].map(code_of), [14; 4]);
        assert_eq!([&gateway::UPSTREAM_TIMEOUT, &gateway::HEADER_TIMEOUT, &gateway::REQUEST_TIMEOUT].map(code_of), [4; 3]);
        assert_eq!([&gateway::BODY_BYTES, &gateway::HEADER_BYTES, &gateway::TARGET_BYTES].map(code_of), [8; 3]);
        assert_eq!([&gateway::INTERNAL, &gateway::LOOP].map(code_of), [13; 2]);
    }
}
