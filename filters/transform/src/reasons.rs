//! Every way in which the filter ends a request.

use tollgate_filter_api::{Answer, Cause, CauseKind, Fault, Flow, Reason, Rule, Shown};

use crate::body::Wrong;

pub const VALUE_TOO_LONG: Reason = Reason::refused(
    "transform.value_too_long",
    431,
    0,
    "A value of the request is too long to be passed on",
    "A fact that the settings copy has more than 4096 bytes once it is escaped. Copy a shorter one.",
);

pub const PATH: Reason = Reason::refused(
    "transform.path",
    400,
    0,
    "The request lacks what its path is made of",
    "`path` has a fact in it that this request does not have, that is empty, or that would be a dot segment. Give the parameter a default at the client, \
     or do not build the path of it.",
);

pub const METHOD: Reason = Reason::refused(
    "transform.method",
    405,
    0,
    "The method of the request cannot be changed",
    "`method` is to replace HEAD or CONNECT, whose answers are framed otherwise. Leave those operations out.",
);

pub const MEDIA_TYPE: Reason = Reason::refused(
    "transform.media_type",
    415,
    0,
    "The body is of a media type that cannot be changed",
    "The body is not of the media type that the first step reads. Send that one, or let others go on as they are with `other_bodies: pass`.",
);

pub const BODY: Reason = Reason::refused(
    "transform.body",
    400,
    0,
    "The body cannot be read",
    "The body is not of the form that its media type promises, or is over one of `limits`.",
);

pub const UNFIT: Reason = Reason::refused(
    "transform.unfit",
    422,
    0,
    "The body lacks what its change needs",
    "A place that a JSON Patch names is not in the body, or a test of it did not hold.",
);

pub const TOO_LONG: Reason =
    Reason::refused("transform.too_long", 413, 0, "The body is too long", "The body is, or became, longer than `limits.body`.");

pub const RESPONSE: Reason = Reason::refused(
    "transform.response",
    502,
    0,
    "The answer of the upstream cannot be changed as it must be",
    "The answer is of another media type than the first step reads, is not of the form that its type promises, lacks what the change needs, or is over \
     one of `limits`. The log says which.",
);

pub const ALL: &[Reason] = &[VALUE_TOO_LONG, PATH, METHOD, MEDIA_TYPE, BODY, UNFIT, TOO_LONG, RESPONSE];

/// Ends a request whose body was not changed.
///
/// # Errors
/// Nobody had time to change it.
pub fn of_request(wrong: &Wrong) -> Result<Flow, Fault> {
    let (reason, kind) = match wrong {
        Wrong::MediaType => (&MEDIA_TYPE, CauseKind::Unmatched),
        Wrong::Malformed(_) => (&BODY, CauseKind::Malformed),
        Wrong::Unfit(..) => (&UNFIT, CauseKind::Unmatched),
        Wrong::TooLong => (&TOO_LONG, CauseKind::OverLimit),
        Wrong::Busy => return Err(busy(wrong)),
    };
    Ok(Flow::Stop(reason.because(cause(kind, "body", "/request/body", wrong))))
}

/// Ends an exchange whose answer was not changed.
///
/// # Errors
/// Nobody had time to change it.
pub fn of_answer(wrong: &Wrong) -> Result<Flow, Fault> {
    match wrong {
        Wrong::Busy => Err(busy(wrong)),
        wrong => Ok(Flow::Stop(RESPONSE.because(cause(CauseKind::Malformed, "body of the answer", "/response/body", wrong)))),
    }
}

fn busy(wrong: &Wrong) -> Fault {
    Fault::new("transform.busy", wrong.to_string())
}

/// A value is too long.
pub fn too_long(place: &'static str) -> Answer {
    let cause = Cause::new(CauseKind::OverLimit, "value with a fact of the request", Rule::setting(place));
    VALUE_TOO_LONG.because(cause.wanted(Shown::Bytes(tollgate_changes::facts::LONGEST as u64)))
}

/// The path cannot be made.
pub fn no_path(detail: &'static str) -> Answer {
    PATH.because(Cause::new(CauseKind::Unmatched, "fact in the path", Rule::setting("/request/path")).detail(detail))
}

/// The method cannot be changed.
pub fn no_method() -> Answer {
    METHOD.because(Cause::new(CauseKind::NotAllowed, "method", Rule::setting("/request/method")))
}

fn cause(kind: CauseKind, about: &'static str, place: &'static str, wrong: &Wrong) -> Cause {
    Cause::new(kind, about, Rule::setting(place)).detail(wrong.to_string())
}
