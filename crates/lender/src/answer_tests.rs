use tollgate_counters::{Algorithm, Counters, Limit, Moment, Policy, QuotaId};

use super::*;

/// 2025-12-01, 400 ms into a minute.
const NOW: i64 = 1_764_547_200_400;
const WINDOW: i64 = NOW / 60_000;

fn question() -> Question {
    let now = Moment { wall: std::time::SystemTime::now(), instant: std::time::Instant::now() };
    let policy = Policy::new("gold", Algorithm::Fixed, Limit::Requests(100), 60).unwrap();
    let key = Counters::new(now, 1).key(&policy, &[]);
    let (quota, window) = (QuotaId([1; 16]), Duration::from_secs(60));
    Question { number: 1, key, quota, limit: 100, window, wanted: 10, seen: 20, seen_in: WINDOW as u64 }
}

fn text(number: i64) -> Value {
    Value::BulkString(number.to_string().into_bytes())
}

fn answer(numbers: [i64; 4]) -> Value {
    let mut values = vec![text(NOW), text(NOW - 1)];
    values.extend(numbers.map(Value::Int));
    Value::Array(values)
}

fn judged(numbers: [i64; 4]) -> Result<Option<Grant>, Unsound> {
    read(answer(numbers), &[question()]).map(|answer| answer.grants[0])
}

#[test]
fn what_the_script_answers_is_taken() {
    let grant = Grant { window: WINDOW as u64, granted: 10, total: 30, rest: 70, left: Duration::from_millis(59_600) };
    let answer = read(answer([WINDOW, 10, 30, 70]), &[question()]).unwrap();
    assert_eq!(answer, Answer { now: NOW as u64, life: NOW as u64 - 1, grants: vec![Some(grant)] });
    assert!(judged([WINDOW, 0, 120, 0]).is_ok(), "granted under a higher limit before");
    assert!(judged([WINDOW, 0, 20, 80]).is_ok(), "nothing yet");
    assert_eq!(judged([-1, 0, 0, 0]), Ok(None), "something else lies there");
}

#[test]
fn an_answer_that_does_not_fit_grants_nothing() {
    for (numbers, unsound) in [
        ([WINDOW - 1, 10, 30, 70], Unsound::Window),
        ([WINDOW + 1, 10, 30, 70], Unsound::Window),
        ([WINDOW, 11, 31, 69], Unsound::Granted),
        ([WINDOW, -1, 30, 70], Unsound::Number),
        ([WINDOW, 10, 10, 90], Unsound::Total),
        ([WINDOW, 10, 29, 71], Unsound::Total),
        ([WINDOW, 10, 101, 0], Unsound::Total),
        ([WINDOW, 0, i64::MAX, 0], Unsound::Total),
        ([WINDOW, 10, 30, 71], Unsound::Rest),
        ([WINDOW, 10, 30, -1], Unsound::Number),
        ([-2, 10, 30, 70], Unsound::Number),
    ] {
        assert_eq!(judged(numbers), Err(unsound), "{numbers:?}");
    }
}

#[test]
fn an_answer_of_another_form_grants_nothing() {
    let number = || Value::Int(1);
    for value in [
        Value::Nil,
        Value::Okay,
        Value::Array(vec![]),
        Value::Array(vec![text(NOW), text(NOW)]),
        Value::Array(vec![text(NOW), text(NOW), number(), number(), number(), number(), number()]),
    ] {
        assert_eq!(read(value, &[question()]), Err(Unsound::Form));
    }
    let of = |now: Value| Value::Array(vec![now, text(NOW), Value::Int(WINDOW), Value::Int(0), Value::Int(20), Value::Int(80)]);
    for now in [Value::Nil, Value::Double(1.0), Value::Int(0), Value::Int(-5), Value::BulkString(vec![]), text(i64::MAX)] {
        assert_eq!(read(of(now), &[question()]), Err(Unsound::Number));
    }
    assert!(read(of(text(NOW)), &[question()]).is_ok());
    assert_eq!(gateways(&Value::Int(0), 10), Err(Unsound::Gateways));
    assert_eq!(gateways(&Value::Int(11), 10), Err(Unsound::Gateways));
    assert_eq!(gateways(&Value::Int(10), 10), Ok(10));
}
