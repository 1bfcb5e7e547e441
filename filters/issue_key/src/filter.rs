//! The filter: judges who asks and for how long, signs, answers.

use std::time::{Duration, SystemTime};

use http::header;
use openssl::rand::rand_bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tollgate_filter_api::{
    AllCredentials, BodyUse, Bytes, Call, Cause, CauseKind, Cx, DocumentPolicy, Env, Fault, Filter, Flow, HeaderValue, KeyType, Location,
    Posture, Problem, Reason, Rule,
};
use tollgate_jose::SigningKey;

use crate::{
    config::Config,
    reasons::{ALL, ANONYMOUS, BODY, ISSUED, KEY, PLAIN},
};

/// The file is read when the filter is built, and not again.
const POLICY: DocumentPolicy = DocumentPolicy {
    refresh: Duration::from_secs(3600),
    least_gap: Duration::from_secs(3600),
    timeout: Duration::from_secs(3),
    max_bytes: 64 << 10,
};
/// `{"validityTime": 3600}` and some room.
const MOST: usize = 1024;

/// The `issue_key` filter.
pub struct IssueKey {
    signer: SigningKey,
    header: Map<String, Value>,
    issuer: String,
    apis: Value,
    valid: Option<Duration>,
    plain_http: bool,
}

/// What a caller may ask for. Other members are for somebody else.
#[derive(Deserialize)]
struct Wish {
    #[serde(rename = "validityTime")]
    validity: Option<i64>,
}

impl Filter for IssueKey {
    const ID: &'static str = "issue_key";
    const ANSWERS: bool = true;
    const BY_DEFAULT: bool = false;
    const REASONS: &'static [Reason] = ALL;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = AllCredentials;
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        !config.here
    }

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        if config.issuer.is_empty() {
            return Err(Problem::setting("/issuer", "expected the issuer of the keys, found none"));
        }
        if config.apis.is_empty() {
            return Err(Problem::setting("/apis", "expected at least one API, found none: the keys would be for nothing"));
        }
        let document = env.world.document(&Location::File(config.key.clone()), POLICY).map_err(|mut problem| {
            problem.pointer = "/key".to_owned();
            problem
        })?;
        let pem = document.version().ok_or_else(|| Problem::setting("/key", "the key cannot be read"))?;
        let signer = SigningKey::from_pem(&pem.bytes, None).map_err(|error| Problem::setting("/key", error.to_string()))?;
        let mut header = Map::from_iter([("typ".to_owned(), Value::from("JWT"))]);
        header.extend(config.kid.map(|kid| ("kid".to_owned(), Value::from(kid))));
        let apis = config.apis.iter().map(|api| json!({ "name": api.name, "version": api.version })).collect();
        let valid = config.valid.map(|valid| valid.0);
        Ok(Self { signer, header, issuer: config.issuer, apis, valid, plain_http: config.plain_http })
    }

    fn request_body(&self) -> BodyUse {
        BodyUse::Whole(MOST)
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let refused = match (
            cx.given.first.subject.as_deref().filter(|_| !cx.given.first.is_anonymous()),
            wish(cx.body.as_deref().map(|body| &**body)),
        ) {
            _ if !cx.call.secure && !self.plain_http => {
                PLAIN.because(Cause::new(CauseKind::NotAllowed, "connection without encryption", Rule::setting("/plain_http")))
            }
            (None, _) => ANONYMOUS.because(Cause::new(CauseKind::Missing, "credential", Rule::demand())),
            _ if cx.given.iter().any(|credential| credential.filter == "api_key") => {
                let cause = Cause::new(CauseKind::NotAllowed, "credential", Rule::Fixed("no key is issued for a key"));
                KEY.because(cause.seen("api_key"))
            }
            (_, Err(())) => BODY.because(Cause::new(CauseKind::Malformed, "body", Rule::Fixed("the reference product's form"))),
            (Some(subject), Ok(wish)) => {
                let key = self.issue(subject, cx.given.first.key_type, wish, cx.call)?;
                let answer = ISSUED.answer().header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                return Ok(Flow::Stop(answer.header(header::CACHE_CONTROL, HeaderValue::from_static("no-store")).body(Bytes::from(key))));
            }
        };
        Ok(Flow::Stop(refused))
    }
}

/// How long the caller wants the key to be valid. The reference product takes what is not positive for no wish.
fn wish(body: Option<&[u8]>) -> Result<Option<Duration>, ()> {
    let body = body.map(|body| body.trim_ascii()).unwrap_or_default();
    if body.is_empty() {
        return Ok(None);
    }
    let wish: Wish = serde_json::from_slice(body).map_err(|_| ())?;
    Ok(wish.validity.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0).map(Duration::from_secs))
}

impl IssueKey {
    fn issue(&self, subject: &str, kind: KeyType, wish: Option<Duration>, call: &Call) -> Result<String, Fault> {
        let mut jti = [0; 16];
        rand_bytes(&mut jti).map_err(|error| Fault::new("issue_key.random", error.to_string()))?;
        let jti = hex::encode(jti);
        let now = call.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        // Whoever may use the sandbox only gets no key for more.
        let kind = if kind == KeyType::Sandbox { "SANDBOX" } else { "PRODUCTION" };
        let mut claims = json!({
            "sub": subject, "iss": self.issuer, "jti": jti, "iat": now, "keytype": kind, "allowedAPIs": self.apis,
        });
        // What is longer than the gateway's own limit is cut to it.
        if let Some(valid) = wish.map(|wish| self.valid.map_or(wish, |valid| valid.min(wish))).or(self.valid) {
            claims["exp"] = now.saturating_add(valid.as_secs()).into();
        }
        let claims = claims.as_object().ok_or_else(|| Fault::new("issue_key.claims", "the claims are no object"))?;
        self.signer.seal(&self.header, claims).map_err(|error| Fault::new("issue_key.sign", error.to_string()))
    }
}
