//! Which answers filters read, and in which order.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tollgate_filter_api::AnswerUse;

use super::covers;

fn fields(types: &[&'static str]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for one in types {
        fields.append(header::CONTENT_TYPE, HeaderValue::from_static(one));
    }
    fields
}

fn json() -> AnswerUse {
    AnswerUse { limit: 9, statuses: vec![2, 404], media_types: vec!["application/json".into()] }
}

#[test]
fn an_answer_is_covered_by_status_and_media_type() {
    let covers = |status: u16, types: &[&'static str]| covers(&json(), StatusCode::from_u16(status).unwrap(), &fields(types));
    assert!(covers(200, &["application/json"]) && covers(299, &["Application/JSON; charset=utf-8"]) && covers(404, &["application/json"]));
    assert!(!covers(500, &["application/json"]) && !covers(400, &["application/json"]) && !covers(200, &["text/plain"]));
}

#[test]
fn what_may_be_taken_for_a_named_type_is_covered() {
    let covers = |types: &[&'static str]| covers(&json(), StatusCode::OK, &fields(types));
    for types in [&[][..], &["text/plain", "application/json"], &["text/plain, application/json"], &["json"], &[""], &["text/"]] {
        assert!(covers(types), "{types:?}");
    }
}

#[test]
fn what_has_no_end_or_no_body_cannot_be_asked_for() {
    let with = |statuses: &[u16], types: &[&str]| {
        let media_types = types.iter().map(|one| (*one).to_owned()).collect();
        AnswerUse { limit: 1, statuses: statuses.to_vec(), media_types }.fault()
    };
    assert_eq!(with(&[2, 4, 200, 599], &["application/json", "application/grpcx"]), None);
    for statuses in [&[1][..], &[101], &[6], &[0], &[600]] {
        assert!(with(statuses, &[]).is_some_and(|fault| fault.contains("status")), "{statuses:?}");
    }
    for one in ["text/event-stream", "Text/Event-Stream", "application/grpc", "application/grpc+proto", "application/grpc-web+json"] {
        assert!(with(&[], &[one]).is_some_and(|fault| fault.contains("no end")), "{one}");
    }
}
