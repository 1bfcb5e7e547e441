//! J1–J11 and J20: what the header and the signature must be like.

use super::kit::*;

#[test]
fn a_good_token_of_every_algorithm_passes() {
    use crate::algorithm::Algorithm::*;
    let keys: [(&Signing, &[_]); 5] = [
        (&RSA, &[RS256, RS384, RS512, PS256, PS384, PS512]),
        (&P256, &[ES256]),
        (&P384, &[ES384]),
        (&P521, &[ES512]),
        (&ED25519, &[EdDSA]),
    ];
    for (key, algorithms) in keys {
        let filter = filter_with(&[key.named("k1")], none(), none());
        for algorithm in algorithms {
            let header = format!(r#"{{"alg":"{algorithm:?}","kid":"k1"}}"#);
            accepted(&filter, &key.seal(*algorithm, &header, &good_claims().to_string()));
        }
    }
}
