//! A request for tests.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use tollgate_filter_api::{Call, OperationInfo, RequestHead, RequestId};

use crate::facts::Seen;

/// A call of `GET /v1/pets/{id}`.
pub(crate) fn call() -> Call {
    let operation =
        OperationInfo { base_path: "/v1".into(), template: "/pets/{id}".into(), method: "GET".into(), ..OperationInfo::default() };
    Call {
        operation: Arc::new(operation),
        client: [192, 0, 2, 7].into(),
        secure: true,
        host: "a.example".into(),
        has_body: false,
        now: SystemTime::UNIX_EPOCH,
        instant: Instant::now(),
        request_id: RequestId::fresh(1, false),
        forwarded: None,
    }
}

/// Runs with what is seen of a request for that target, with that `Cookie`.
pub(crate) fn seeing<T>(target: &str, cookie: Option<&'static str>, run: impl FnOnce(&Seen<'_>) -> T) -> T {
    let (call, mut head) = (call(), RequestHead::build("GET", target).expect("the target is legal"));
    if let Some(cookie) = cookie {
        head.append(http::header::COOKIE, http::HeaderValue::from_static(cookie));
    }
    run(&Seen { call: &call, head: Some(&head), caller: None })
}
