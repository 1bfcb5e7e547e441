//! The other signature of the same token.
//!
//! Of an ECDSA signature (r, s) anybody can make (r, n − s), n being the order of the curve, and the same key verifies it. A token
//! that is known by its signature has two names.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const P256: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
    0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

const P384: [u8; 48] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a,
    0xcc, 0xc5, 0x29, 0x73,
];

const P521: [u8; 66] = [
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc,
    0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09,
];

/// The order of the curve whose signatures have so many characters in base64url without padding.
fn order(characters: usize) -> Option<&'static [u8]> {
    match characters {
        86 => Some(&P256),
        128 => Some(&P384),
        176 => Some(&P521),
        _ => None,
    }
}

/// The other name of what has the length of an ECDSA signature. What only looks like one gets a name that nobody has.
pub(crate) fn twin(signature: &str) -> Option<String> {
    let order = order(signature.len())?;
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
    negate(order, bytes.get_mut(order.len()..)?)?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// n − s in place of s; `None` when s is not below n.
fn negate(order: &[u8], s: &mut [u8]) -> Option<()> {
    let mut borrowed = false;
    for (byte, order) in s.iter_mut().zip(order).rev() {
        let (difference, first) = order.overflowing_sub(*byte);
        let (difference, second) = difference.overflowing_sub(u8::from(borrowed));
        (*byte, borrowed) = (difference, first || second);
    }
    (!borrowed).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_twin_of_its_twin() {
        for length in [64, 96, 132] {
            let signature = URL_SAFE_NO_PAD.encode((0..length).map(|at| (at * 7 % 0x7f) as u8 & 1).collect::<Vec<u8>>());
            let other = twin(&signature).unwrap();
            assert_ne!(other, signature);
            assert_eq!(twin(&other), Some(signature));
        }
    }

    #[test]
    fn s_and_its_twin_add_up_to_the_order_of_the_curve() {
        for order in [&P256[..], &P384, &P521] {
            let mut s = vec![0; order.len()];
            s[order.len() - 1] = 1;
            let mut other = s.clone();
            negate(order, &mut other).unwrap();
            // n is odd, so that n − 1 differs from it in the last bit only.
            let (last, rest) = other.split_last().unwrap();
            assert_eq!((rest, last | 1), (&order[..order.len() - 1], order[order.len() - 1]));
        }
    }

    #[test]
    fn what_is_no_signature_has_no_twin() {
        for text in ["", "sig", &"_".repeat(86), &"!".repeat(86), &"A".repeat(85)] {
            assert_eq!(twin(text), None, "{text}");
        }
    }
}
