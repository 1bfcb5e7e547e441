//! Signature algorithms, and the check of one signature.
//!
//! Only asymmetric algorithms exist here, so a public key can never be taken for a shared secret (RFC 8725 §3.1).

use std::sync::LazyLock;

use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcGroup,
    ecdsa::EcdsaSig,
    error::ErrorStack,
    md::{Md, MdRef},
    nid::Nid,
    pkey::{PKeyRef, Public},
    pkey_ctx::PkeyCtx,
    rsa::Padding,
    sha::{Sha256, Sha384, Sha512},
    sign::{RsaPssSaltlen, Verifier},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// ECDSA on P-521 with SHA-512.
    ES512,
    /// Ed25519; `Ed25519` (RFC 9864) in a token means the same.
    EdDSA,
}

/// What a key can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// Orders of the curves. Making a group costs as much as a check of a signature.
static ORDERS: LazyLock<[Option<BigNum>; 3]> =
    LazyLock::new(|| [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1].map(|curve| order(curve).ok()));

fn order(curve: Nid) -> Result<BigNum, ErrorStack> {
    let mut order = BigNum::new()?;
    EcGroup::from_curve_name(curve)?.order(&mut order, &mut *BigNumContext::new()?)?;
    Ok(order)
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// Every algorithm, which is also the default of an issuer: none of them is weak.
    pub const ALL: [Self; 10] =
        [Self::RS256, Self::RS384, Self::RS512, Self::PS256, Self::PS384, Self::PS512, Self::ES256, Self::ES384, Self::ES512, Self::EdDSA];

    /// The algorithm of that name, compared exactly.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "ES512" => Self::ES512,
            "EdDSA" | "Ed25519" => Self::EdDSA,
            _ => return None,
        })
    }

    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The keys it works with.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::ES256 => Family::P256,
            Self::ES384 => Family::P384,
            Self::ES512 => Family::P521,
            Self::EdDSA => Family::Ed25519,
        }
    }

    fn hash(self) -> Hash {
        match self {
            Self::RS256 | Self::PS256 | Self::ES256 | Self::EdDSA => Hash::Sha256,
            Self::RS384 | Self::PS384 | Self::ES384 => Hash::Sha384,
            Self::RS512 | Self::PS512 | Self::ES512 => Hash::Sha512,
        }
    }

    pub(crate) fn is_pss(self) -> bool {
        matches!(self, Self::PS256 | Self::PS384 | Self::PS512)
    }

    /// Whether this is the key owner's signature of the input. The key must be of [`Algorithm::family`]; with any other the
    /// answer is no. A failure within the library is a no.
    pub fn verify(self, key: &PKeyRef<Public>, input: &[u8], signature: &[u8]) -> bool {
        let verdict = match self.family() {
            Family::Rsa => self.verify_rsa(key, input, signature),
            Family::P256 => self.verify_ecdsa(key, input, signature, 32),
            Family::P384 => self.verify_ecdsa(key, input, signature, 48),
            Family::P521 => self.verify_ecdsa(key, input, signature, 66),
            Family::Ed25519 => Verifier::new_without_digest(key).and_then(|mut v| v.verify_oneshot(signature, input)),
        };
        verdict.unwrap_or(false)
    }

    /// The other signature that anybody can make of a good one, which is as good: of ECDSA's (r, s) it is (r, n − s). Whoever knows
    /// something by its signature must know both. `None` where there is only one.
    pub fn twin(self, signature: &[u8]) -> Option<Vec<u8>> {
        let order = match self.family() {
            Family::P256 => &ORDERS[0],
            Family::P384 => &ORDERS[1],
            Family::P521 => &ORDERS[2],
            Family::Rsa | Family::Ed25519 => return None,
        };
        let (r, s) = signature.split_at(signature.len() / 2);
        let mut other = BigNum::new().ok()?;
        other.checked_sub(order.as_ref()?, &*BigNum::from_slice(s).ok()?).ok()?;
        Some([r, &other.to_vec_padded(i32::try_from(s.len()).ok()?).ok()?].concat())
    }

    fn verify_rsa(self, key: &PKeyRef<Public>, input: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let mut ctx = PkeyCtx::new(key)?;
        ctx.verify_init()?;
        if self.is_pss() {
            ctx.set_rsa_padding(Padding::PKCS1_PSS)?;
            ctx.set_signature_md(self.md())?;
            ctx.set_rsa_mgf1_md(self.md())?;
            ctx.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        } else {
            ctx.set_rsa_padding(Padding::PKCS1)?;
            ctx.set_signature_md(self.md())?;
        }
        self.verify_digest(&mut ctx, input, signature)
    }

    /// JWS carries r and s side by side, each as long as the curve's order (RFC 7518 §3.4); DER is what the library reads.
    fn verify_ecdsa(self, key: &PKeyRef<Public>, input: &[u8], signature: &[u8], half: usize) -> Result<bool, ErrorStack> {
        if signature.len() != 2 * half {
            return Ok(false);
        }
        let (r, s) = signature.split_at(half);
        let der = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()?;
        let mut ctx = PkeyCtx::new(key)?;
        ctx.verify_init()?;
        ctx.set_signature_md(self.md())?;
        self.verify_digest(&mut ctx, input, &der)
    }

    fn verify_digest(self, ctx: &mut PkeyCtx<Public>, input: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        macro_rules! digest {
            ($hash:ty) => {{
                let mut hash = <$hash>::new();
                hash.update(input);
                ctx.verify(&hash.finish(), signature)
            }};
        }
        match self.hash() {
            Hash::Sha256 => digest!(Sha256),
            Hash::Sha384 => digest!(Sha384),
            Hash::Sha512 => digest!(Sha512),
        }
    }

    pub(crate) fn md(self) -> &'static MdRef {
        match self.hash() {
            Hash::Sha256 => Md::sha256(),
            Hash::Sha384 => Md::sha384(),
            Hash::Sha512 => Md::sha512(),
        }
    }
}
