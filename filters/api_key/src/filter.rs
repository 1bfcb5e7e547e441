//! The filter: finds the key, judges it, takes it out.

use std::time::Duration;

use http::header;
use tollgate_filter_api::{
    Answer, Call, Carrier, Cx, DocumentPolicy, Env, Fault, Filter, Flow, HeaderValue, Location, Posture, Principal, Problem, Reason,
};

use crate::{
    config::{Config, Declaration},
    place::{carrier, find},
    reasons,
    signed::{Signer, is_signed},
    stored::Keys,
};

/// Files with certificates are a few KiB.
const MAX_FILE: usize = 512 << 10;
const REFRESH: Duration = Duration::from_secs(300);

/// The `api_key` filter.
pub struct ApiKey {
    carrier: Carrier,
    keys: Keys,
    signer: Option<Signer>,
    forward: bool,
}

fn signer(config: &Config, env: &Env) -> Result<Option<Signer>, Problem> {
    const POINTER: &str = "/signed/certificate";
    let Some(signed) = &config.signed else { return Ok(None) };
    let policy = DocumentPolicy { refresh: REFRESH, least_gap: REFRESH, timeout: Duration::from_secs(3), max_bytes: MAX_FILE };
    let document = env
        .world
        .document(&Location::File(signed.certificate.clone()), policy)
        .map_err(|found| Problem::setting(POINTER, found.message))?;
    let content = document.version().map(|version| version.bytes.clone()).unwrap_or_default();
    Signer::new(signed, &content).map(Some).map_err(|why| {
        let message = format!("the file holds no certificate and no public key that can verify a key: {why}");
        Problem::setting(POINTER, message).hint("RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519, in PEM")
    })
}

impl Filter for ApiKey {
    const ID: &'static str = "api_key";
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = reasons::ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = Declaration;
    type Needs = ();
    type Gives = Principal;
    type State = ();

    fn build(config: Config, declared: Declaration, env: &Env) -> Result<Self, Problem> {
        let place = declared.place.unwrap_or(config.place);
        let config = Config { place, name: declared.name.unwrap_or(config.name), ..config };
        if config.keys.is_empty() && config.signed.is_none() {
            return Err(Problem::setting("", "no key could ever be accepted").hint("list `keys`, or say with `signed` who signs them"));
        }
        let signer = signer(&config, env)?;
        let carrier =
            carrier(config.place, &config.name).ok_or_else(|| Problem::setting("/name", "expected a name that such a place can have"))?;
        let keys =
            Keys::new(config.keys).map_err(|(number, member, message)| Problem::setting(format!("/keys/{number}/{member}"), message))?;
        Ok(Self { carrier, keys, signer, forward: config.forward })
    }

    fn carrier(&self) -> Option<Carrier> {
        Some(self.carrier.clone())
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<Principal>, Fault> {
        match find(&self.carrier, cx.req).and_then(|key| self.judge(&key, cx.call)) {
            Ok(principal) => {
                if !self.forward {
                    let fault = |_| Fault::new("api_key.strip", "the request without the key cannot be sent");
                    self.carrier.strip(cx.req).map_err(fault)?;
                }
                Ok(Flow::Next(principal))
            }
            Err(answer) => Ok(Flow::Stop(answer.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey realm=\"api\"")))),
        }
    }
}

impl ApiKey {
    fn judge(&self, key: &str, call: &Call) -> Result<Principal, Answer> {
        match &self.signer {
            Some(signer) if is_signed(key) => signer.find(key, call),
            _ => self.keys.find(key, call),
        }
    }
}
