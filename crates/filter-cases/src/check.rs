//! Runs the requests of a case file and says what differs.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Value, json};
use tollgate_filter_api::{Answer, AnswerHead, Body, Bytes, HeaderName, HeaderValue, KeyType, Meaning, Principal, ResponseHead};

use crate::{
    Harness, Request, Run,
    case::{Case, CaseFile, CaseResponse, Expected, HeaderText, Passed, Refused},
    run::why,
};

/// Whether something is as the case says; the sentence tells what is not.
type Verdict = Result<(), String>;

/// The request of a case, ready to run.
pub fn request<'h>(harness: &'h Harness, file: &CaseFile, case: &Case) -> Request<'h> {
    let mut request = harness.request(&case.request.method, &case.request.path).operation(file.operation.complete(&case.request));
    for (name, text) in &case.request.headers {
        for value in text.values() {
            request = request.header(name, value);
        }
    }
    if let Some(body) = &case.request.body {
        request = request.body(body.clone());
    }
    if let Some(client) = case.request.client {
        request = request.client(client);
    }
    if let Some(principal) = &case.given.principal {
        request = request.given(principal.clone());
    }
    if let Some(peer) = &case.given.peer {
        request = request.given(peer.clone());
    }
    request = request.secure(case.request.secure.unwrap_or(true));
    if case.may_wait { request.may_wait() } else { request }
}

/// Runs one case and compares.
///
/// # Errors
/// A sentence that says what differs.
pub fn check(harness: &Harness, file: &CaseFile, case: &Case) -> Verdict {
    harness.advance(case.after.0);
    let mut run = request(harness, file, case).run();
    decision(&mut run, &case.expect)?;
    if let Some(response) = &case.response {
        back(&mut run, response)?;
    }
    if matches!(run.outcome(), Ok(None)) {
        twice(&mut run)?;
    }
    run.done(200);
    Ok(())
}

fn decision(run: &mut Run, expected: &Expected) -> Verdict {
    match (expected, run.outcome()) {
        (Expected::Pass(passed), Ok(None)) => pass(run, passed),
        (Expected::Refused(refused), Ok(Some(answer))) if answer.reason().meaning != Meaning::Reply => answered(answer, refused),
        (Expected::Reply(reply), Ok(Some(answer))) if answer.reason().meaning == Meaning::Reply => answered(answer, reply),
        (Expected::Fault(id), Err(fault)) if fault.id == id => Ok(()),
        (expected, outcome) => Err(format!("expected {expected:?}, but it came to {outcome:?}")),
    }
}

fn pass(run: &mut Run, passed: &Passed) -> Verdict {
    let head = run.try_upstream().map_err(|fault| format!("it does not go upstream: {fault}"))?;
    changes(&run.before, head.fields(), &passed.headers).map_err(|error| format!("on the way upstream, {error}"))?;
    let expected = (passed.method.as_deref().unwrap_or(&run.asked.0), passed.path.as_deref().unwrap_or(&run.asked.1));
    let target = head.query().map_or_else(|| head.path().to_owned(), |query| format!("{}?{query}", head.path()));
    if (head.method().as_str(), target.as_str()) != expected {
        return Err(format!("{} {target} goes upstream, expected {} {}", head.method(), expected.0, expected.1));
    }
    same_body(run.body.as_ref(), passed.body.as_deref()).map_err(|error| format!("on the way upstream, {error}"))?;
    if passed.principal.is_empty() {
        return Ok(());
    }
    let known = known_of(run.facts.get::<Principal>().ok_or("no principal is known")?);
    for (key, value) in &passed.principal {
        if known.get(key) != Some(value) {
            return Err(format!("the principal's {key} is {:?}, expected {value}", known.get(key)));
        }
    }
    Ok(())
}

fn known_of(principal: &Principal) -> Value {
    json!({
        "filter": principal.filter,
        "subject": principal.subject,
        "issuer": principal.issuer,
        "client": principal.client,
        "scopes": principal.scopes,
        "sandbox": principal.key_type == KeyType::Sandbox,
        "claims": principal.claims,
    })
}

fn answered(answer: &Answer, expected: &Refused) -> Verdict {
    if answer.reason().id != expected.reason {
        return Err(format!("expected {}, but the reason is {} ({})", expected.reason, answer.reason().id, why(answer)));
    }
    let mut have = HeaderMap::new();
    for (name, value) in answer.headers() {
        have.append(name.clone(), value.clone());
    }
    for (name, text) in &expected.headers {
        same(&have, name, text).map_err(|error| format!("in the answer, {error}"))?;
    }
    Ok(())
}

fn back(run: &mut Run, response: &CaseResponse) -> Verdict {
    let mut head = AnswerHead::build(response.status).map_err(|_| format!("{} is no status", response.status))?;
    for (name, text) in &response.headers {
        for value in text.values() {
            head.append(header_name(name)?, HeaderValue::from_str(value).map_err(|_| format!("`{name}` has no legal value"))?);
        }
    }
    let before = head.fields().clone();
    if response.own {
        let page = run.page(response.status);
        let body = page.as_ref().map(|page| String::from_utf8_lossy(&page.body));
        if body.as_deref() != response.becomes.body.as_deref() {
            return Err(format!("its body for the refusal is {body:?}, expected {:?}", response.becomes.body));
        }
        page.into_iter().for_each(|page| head.set(http::header::CONTENT_TYPE, page.content_type));
    }
    if let Some(body) = &response.body
        && !judged(run, response, &mut head, body)?
    {
        return Ok(());
    }
    run.try_response(&mut head).map_err(|fault| format!("the response is held back: {fault}"))?;
    let status = response.becomes.status.unwrap_or(response.status);
    if head.status() != status {
        return Err(format!("the answer's status is {}, expected {status}", head.status()));
    }
    changes(&before, head.fields(), &response.expect).map_err(|error| format!("on the way back, {error}"))
}

/// Whether the filter lets a whole answer go on, where the case says so.
fn judged(run: &mut Run, response: &CaseResponse, head: &mut AnswerHead, body: &str) -> Result<bool, String> {
    let mut body = Body::from(Bytes::copy_from_slice(body.as_bytes()));
    match (run.try_answer(head, &mut body), &response.refused, &response.fault) {
        (Ok(Some(answer)), Some(refused), _) => answered(&answer, refused).map(|()| false),
        (Err(fault), _, Some(id)) if fault.id == id => Ok(false),
        (Ok(None), None, None) => {
            same_body(Some(&body), response.becomes.body.as_deref()).map_err(|error| format!("in the answer, {error}"))?;
            Ok(true)
        }
        (outcome, ..) => Err(format!("the answer came to {outcome:?}")),
    }
}

/// A body that was replaced is as the case says, and one that the case says nothing of was not.
fn same_body(body: Option<&Body>, expected: Option<&str>) -> Verdict {
    let text = |body: &Body| String::from_utf8_lossy(body).into_owned();
    match (body, expected) {
        (Some(body), Some(expected)) if !body.is_replaced() || **body != *expected.as_bytes() => {
            let replaced = if body.is_replaced() { "another one" } else { "as it came" };
            Err(format!("the body is {replaced}, {:?}, expected {expected:?}", text(body)))
        }
        (None, Some(expected)) => Err(format!("the filter reads no body, expected {expected:?}")),
        (Some(body), None) if body.is_replaced() => Err(format!("the body was replaced by {:?}, which is not listed", text(body))),
        _ => Ok(()),
    }
}

/// A header that takes the place of another one that was judged before is given the same fields.
fn twice(run: &mut Run) -> Verdict {
    let mut names = || -> Result<Vec<(HeaderName, usize)>, String> {
        let mut head = ResponseHead::build(503).map_err(|_| "503 is no status")?;
        run.try_response(&mut head).map_err(|fault| format!("a response in place of another is held back: {fault}"))?;
        Ok(head.fields().keys().map(|name| (name.clone(), head.get_all(name).count())).collect())
    };
    let (first, second) = (names()?, names()?);
    if first == second { Ok(()) } else { Err(format!("a response gets {first:?}, and one in its place {second:?}")) }
}

fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header name"))
}

fn values<'m>(map: &'m HeaderMap, name: &HeaderName) -> Vec<&'m [u8]> {
    map.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

fn same(have: &HeaderMap, name: &str, text: &HeaderText) -> Verdict {
    let found = values(have, &header_name(name)?);
    let expected: Vec<&[u8]> = text.values().iter().map(|value| value.as_bytes()).collect();
    if found == expected {
        return Ok(());
    }
    let found: Vec<_> = found.iter().map(|value| String::from_utf8_lossy(value)).collect();
    Err(format!("`{name}` is {found:?}, expected {:?}", text.values()))
}

/// Every listed header is as listed, every other one as it was.
fn changes(before: &HeaderMap, after: &HeaderMap, listed: &BTreeMap<String, HeaderText>) -> Verdict {
    for (name, text) in listed {
        same(after, name, text)?;
        if values(before, &header_name(name)?) == values(after, &header_name(name)?) {
            return Err(format!("`{name}` is listed as changed, and was so before"));
        }
    }
    for name in before.keys().chain(after.keys()) {
        let is_listed = listed.keys().any(|listed| listed.eq_ignore_ascii_case(name.as_str()));
        if !is_listed && values(before, name) != values(after, name) {
            return Err(format!(
                "`{name}` changed and is not listed: {:?}",
                values(after, name).iter().map(|v| String::from_utf8_lossy(v)).collect::<Vec<_>>()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_body_must_be_listed_and_a_listed_one_replaced() {
        let came = Body::from(Bytes::from_static(b"a"));
        let mut replaced = came.clone();
        replaced.replace("b");
        assert!(same_body(Some(&came), None).is_ok() && same_body(Some(&replaced), Some("b")).is_ok() && same_body(None, None).is_ok());
        for (body, expected) in [(Some(&came), Some("a")), (Some(&replaced), None), (Some(&replaced), Some("a")), (None, Some("a"))] {
            assert!(same_body(body, expected).is_err(), "{body:?} {expected:?}");
        }
    }
}
