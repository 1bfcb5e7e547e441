//! The `Cookie` field (RFC 6265 §5.4): takes some cookies out of it, and leaves the rest byte for byte.

use http::header::COOKIE;
use tollgate_filter_api::{HeaderValue, RequestHead};

/// The cookies that `wanted` accepts, by name and value, in order. They are gone from the request afterwards.
pub(crate) fn take(req: &mut RequestHead, wanted: impl Fn(&[u8], &[u8]) -> bool) -> Vec<Taken> {
    let (mut taken, mut fields) = (Vec::new(), Vec::new());
    for field in req.get_all(&COOKIE) {
        let before = taken.len();
        let rest = split(field.as_bytes(), &wanted, &mut taken);
        // Pieces of a legal value are legal, and so are they joined.
        fields.push(if taken.len() == before { Some(field.clone()) } else { rest.and_then(|rest| HeaderValue::from_bytes(&rest).ok()) });
    }
    if !taken.is_empty() {
        req.remove(&COOKIE);
        fields.into_iter().flatten().for_each(|field| req.append(COOKIE, field));
    }
    taken
}

/// One cookie.
pub(crate) struct Taken {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// What is left of one field without the cookies that are wanted; `None` when nothing is.
fn split(field: &[u8], wanted: &impl Fn(&[u8], &[u8]) -> bool, taken: &mut Vec<Taken>) -> Option<Vec<u8>> {
    let mut rest: Vec<&[u8]> = Vec::new();
    for piece in field.split(|byte| *byte == b';') {
        let at = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
        let (name, value) = (piece[..at].trim_ascii(), piece.get(at + 1..).unwrap_or_default().trim_ascii());
        if wanted(name, value) {
            taken.push(Taken { name: name.to_vec(), value: value.to_vec() });
        } else {
            // A piece that is first now has no space before it.
            rest.push(if rest.is_empty() && !taken.is_empty() { piece.trim_ascii_start() } else { piece });
        }
    }
    let rest = rest.join(&b';');
    (!rest.trim_ascii().is_empty()).then_some(rest)
}
