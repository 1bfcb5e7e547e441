//! A token issuer for the first minutes: a key made on the spot, and tokens for it.
//!
//! For development only. The private key lives in this process and nowhere else; who needs a token tomorrow makes another.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    error::ErrorStack,
    nid::Nid,
    pkey::{PKey, Private},
    sha::sha256,
};
use serde_json::json;

use crate::cli::report::Failure;

/// `iss` of the tokens.
pub(in crate::cli) const ISSUER: &str = "https://issuer.tollgate.example";
/// `aud` of the tokens.
pub(in crate::cli) const AUDIENCE: &str = "tollgate";

/// Signs with ES256.
pub(in crate::cli) struct Issuer {
    key: EcKey<Private>,
}

impl From<ErrorStack> for Failure {
    fn from(error: ErrorStack) -> Self {
        Self::Cannot(format!("cryptography failed: {error}"))
    }
}

impl Issuer {
    pub(in crate::cli) fn new() -> Result<Self, Failure> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self { key: EcKey::generate(&group)? })
    }

    /// The public key, PEM.
    pub(in crate::cli) fn public_pem(&self) -> Result<Vec<u8>, Failure> {
        Ok(PKey::from_ec_key(self.key.clone())?.public_key_to_pem()?)
    }

    /// A token that is good from now on.
    pub(in crate::cli) fn token(&self, lifetime: Duration) -> Result<String, Failure> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let head = json!({ "alg": "ES256", "typ": "at+jwt" });
        let claims = json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "newcomer",
            "client_id": "demo",
            "scope": "parcels:read parcels:write",
            "iat": now.as_secs(),
            "exp": (now + lifetime).as_secs(),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = EcdsaSig::sign(&sha256(signed.as_bytes()), &self.key)?;
        let mut raw = signature.r().to_vec_padded(32)?;
        raw.extend(signature.s().to_vec_padded(32)?);
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(raw)))
    }

    /// The public key in a file that has no name any more, so that nothing is left behind however the process ends.
    pub(in crate::cli) fn key_file(&self) -> Result<KeyFile, Failure> {
        let pem = self.public_pem()?;
        let hidden = || -> io::Result<File> {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
            let path = std::env::temp_dir().join(format!("tollgate-{}-{now}.pem", std::process::id()));
            let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
            std::fs::remove_file(&path)?;
            file.write_all(&pem)?;
            Ok(file)
        };
        hidden().map(KeyFile).map_err(|error| Failure::io("cannot write a temporary file", &error))
    }
}

/// Keeps the file readable under [`path`](Self::path).
pub(in crate::cli) struct KeyFile(File);

impl KeyFile {
    pub(in crate::cli) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// Where a gateway that serves to try things out listens.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Addresses {
    pub listen: SocketAddr,
    /// For HTTP/2 without TLS.
    pub grpc: Option<SocketAddr>,
    pub admin: SocketAddr,
}

/// A gateway.yaml for these tokens.
pub(in crate::cli) fn config(at: Addresses, key: &std::path::Path, access_log: &str) -> String {
    let Addresses { listen, grpc, admin } = at;
    // Interceptors of the project, where this gateway can run them.
    let wasm = tollgate_filters::find("wasm").map_or("", |_| "  - wasm\n");
    let grpc = grpc.map(|grpc| format!("  - {{ address: {grpc}, h2c: true }}\n")).unwrap_or_default();
    format!(
        "listeners:\n  - address: {listen}\n{grpc}admin:\n  address: {admin}\naccess_log:\n  to: \"{access_log}\"\n\
         chain:\n  - cors\n  - jwt:\n      issuers:\n        - issuer: {ISSUER}\n          audiences: [{AUDIENCE}]\n          \
         keys: {{ pem: {} }}\n  - authorize\n{wasm}  - headers\n",
        key.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::BigNum;

    #[test]
    fn a_token_verifies_with_the_key_that_is_written() {
        let issuer = Issuer::new().unwrap();
        let file = issuer.key_file().unwrap();
        let key = PKey::public_key_from_pem(&std::fs::read(file.path()).unwrap()).unwrap().ec_key().unwrap();
        let token = issuer.token(Duration::from_secs(60)).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let part = |range: std::ops::Range<usize>| BigNum::from_slice(&raw[range]).unwrap();
        let signature = EcdsaSig::from_private_components(part(0..32), part(32..64)).unwrap();
        assert!(signature.verify(&sha256(signed.as_bytes()), &key).unwrap());
    }
}
