//! What a client accepts (RFC 9110 §12.5.1).

/// How much a client wants a media type, from 0 for not at all to 1000. It is `type/subtype` without parameters, in lower case.
pub(crate) fn quality<'v>(accept: impl Iterator<Item = &'v [u8]>, media_type: &str) -> u16 {
    let mut best: Option<(u8, u16)> = None;
    let mut any = false;
    for range in accept.flat_map(|value| value.split(|byte| *byte == b',')).filter_map(|range| str::from_utf8(range).ok()) {
        let mut parts = range.split(';').map(str::trim);
        let Some(range) = parts.next().filter(|range| !range.is_empty()) else { continue };
        any = true;
        let Some(closeness) = closeness(range, media_type) else { continue };
        let quality = parts.find_map(weight).unwrap_or(1000);
        // The closest range counts; of two that are as close, the one that wants it more.
        best = best.max(Some((closeness, quality)));
    }
    match best {
        Some((_, quality)) => quality,
        // Who says nothing takes anything.
        None if any => 0,
        None => 1000,
    }
}

/// How close a range is to a media type in it.
fn closeness(range: &str, media_type: &str) -> Option<u8> {
    if range == "*/*" {
        return Some(0);
    }
    if range.eq_ignore_ascii_case(media_type) {
        return Some(2);
    }
    let kind = range.strip_suffix("/*")?;
    media_type.split_once('/').filter(|(of, _)| of.eq_ignore_ascii_case(kind)).map(|_| 1)
}

/// `q=0.5` in thousands. One that cannot be read means not at all.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    Some(tollgate_filter_api::quality(value.trim()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_range_says_how_much_a_type_is_wanted() {
        let html = |accept: &[&[u8]]| quality(accept.iter().copied(), "text/html");
        for (accept, expected) in [
            (&[][..], 1000),
            (&[&b""[..]], 1000),
            (&[b"*/*"], 1000),
            (&[b"text/html"], 1000),
            (&[b"TEXT/HTML;level=1"], 1000),
            (&[b"text/*;q=0.5"], 500),
            (&[b"*/*;q=0.8, text/html;q=0.25"], 250),
            (&[b"text/html;q=0, */*"], 0),
            (&[b"*/*;q=0.1", b"text/* ; Q = 0.2"], 200),
            (&[b"application/json"], 0),
            (&[b"application/json, text/html;q=1.000"], 1000),
            (&[b"text/html;q=1.5"], 0),
            (&[b"text/html;q=0.1234"], 0),
            (&[b"text/html;q=x"], 0),
            (&[b"text/html;q=-1"], 0),
            (&[b"text"], 0),
            (&[b"*/html"], 0),
            (&[b"\xff, text/html"], 1000),
            (&[b",,, ;;"], 1000),
        ] {
            assert_eq!(html(accept), expected, "{:?}", accept.iter().map(|value| String::from_utf8_lossy(value)).collect::<Vec<_>>());
        }
    }
}
