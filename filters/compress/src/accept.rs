//! `Accept-Encoding` (RFC 9110 §12.5.3).

use tollgate_filter_api::{RequestHead, quality};

use crate::config::Coding;

/// The coding that a client likes best among those offered, whose order decides between equals. `None` without the field: such a client gets what
/// everybody can read.
pub(crate) fn best(req: &RequestHead, offered: &[Coding]) -> Option<Coding> {
    let mut weights = [None; 3];
    let mut any = None;
    for value in req.get_all(&http::header::ACCEPT_ENCODING) {
        for item in value.to_str().ok()?.split(',') {
            let (name, weight) = weighted(item)?;
            if name == "*" {
                any = Some(weight);
            }
            let named = [Coding::Zstd, Coding::Br, Coding::Gzip].into_iter().position(|coding| is(coding, name));
            if let Some(at) = named {
                weights[at] = Some(weight);
            }
        }
    }
    let weight = |coding: &Coding| weights[*coding as usize].or(any).unwrap_or(0);
    let best = offered.iter().map(weight).max().filter(|weight| *weight > 0)?;
    offered.iter().copied().find(|coding| weight(coding) == best)
}

fn is(coding: Coding, name: &str) -> bool {
    name.eq_ignore_ascii_case(coding.name()) || (coding == Coding::Gzip && name.eq_ignore_ascii_case("x-gzip"))
}

/// `gzip;q=0.5` as a name and thousandths. `None` for what is no item.
fn weighted(item: &str) -> Option<(&str, u16)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next()?;
    let mut weight = 1000;
    for part in parts {
        if let Some(text) = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")) {
            weight = quality(text)?;
        }
    }
    Some((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_decide_and_between_equals_the_offer() {
        let all = [Coding::Br, Coding::Zstd, Coding::Gzip];
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some(Coding::Br)),
            ("gzip, deflate, zstd", Some(Coding::Zstd)),
            ("GZIP", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("br;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("br;q=0, *", Some(Coding::Zstd)),
            ("*;q=0.1, gzip ; q=0.2", Some(Coding::Gzip)),
            ("gzip;q=0.000", None),
            ("*;q=0", None),
            ("identity", None),
            ("", None),
            ("br;q=2", None),
            ("br;q=0.1234", None),
            ("br;q=-1", None),
        ] {
            let mut req = RequestHead::build("GET", "/").unwrap();
            req.set(http::header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(best(&req, &all), expected, "{accepted}");
        }
        assert_eq!(best(&RequestHead::build("GET", "/").unwrap(), &all), None);
    }
}
