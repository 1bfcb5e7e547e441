//! What runs: one token for each caller and API, signed when it is first needed.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tollgate_filter_api::{
    AllCredentials, Call, Credentials, Cx, DocumentPolicy, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Location, Posture, Problem,
    UpstreamCx,
};
use tollgate_jose::SigningKey;

use crate::{
    Config,
    cache::{Cache, CallerKey, Made},
    claims::claims,
};

/// A token that ends sooner is made anew: it must last to the upstream.
const MARGIN: Duration = Duration::from_secs(10);
/// Many upstreams take no longer field.
const MAX_TOKEN: usize = 8 << 10;
/// Keys change with the configuration; the file is looked at then.
const POLICY: DocumentPolicy = DocumentPolicy {
    refresh: Duration::from_secs(86_400),
    least_gap: Duration::from_secs(10),
    timeout: Duration::from_secs(3),
    max_bytes: 64 << 10,
};

/// The `backend_jwt` filter.
pub struct BackendJwt {
    config: Config,
    key: SigningKey,
    head: Map<String, Value>,
    header: HeaderName,
    cache: Arc<Cache>,
}

impl Filter for BackendJwt {
    const ID: &'static str = "backend_jwt";
    const BY_DEFAULT: bool = false;
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = AllCredentials;
    type Gives = ();
    type State = ();

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        let header = HeaderName::from_bytes(config.header.as_bytes())
            .map_err(|_| Problem::setting("/header", format!("{:?} is not the name of a header", config.header)))?;
        if config.lifetime.0 <= 2 * MARGIN {
            return Err(Problem::setting("/lifetime", "the token must be good for more than 20s").hint("leave it out for 5m"));
        }
        let document = env.world.document(&Location::File(config.key.clone()), POLICY).map_err(|mut problem| {
            problem.pointer = "/key".to_owned();
            problem
        })?;
        let pem = document.version().ok_or_else(|| Problem::setting("/key", "the key cannot be read"))?;
        let key = SigningKey::from_pem(&pem.bytes, config.algorithm).map_err(|error| Problem::setting("/key", error.to_string()))?;
        let mut head = Map::from_iter([("typ".to_owned(), Value::from("JWT"))]);
        head.extend(config.kid.iter().map(|kid| ("kid".to_owned(), Value::from(kid.as_str()))));
        let cache = Arc::new(Cache::new(config.cache_entries));
        Ok(Self { config, key, head, header, cache })
    }

    fn owned_headers(&self) -> Vec<HeaderName> {
        vec![self.header.clone()]
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        cx.req.remove(&self.header);
        Ok(Flow::Next(()))
    }

    fn on_upstream(&self, cx: UpstreamCx<'_, Self>) -> Result<(), Fault> {
        cx.req.remove(&self.header);
        if !cx.given.first.is_anonymous() {
            let token = self.token(cx.given, cx.call)?;
            cx.req.set(self.header.clone(), token);
        }
        Ok(())
    }
}

impl BackendJwt {
    fn token(&self, given: Credentials<'_>, call: &Call) -> Result<HeaderValue, Fault> {
        let key = CallerKey::of(given, &call.operation);
        let now = call.moment();
        if let Some(token) = self.cache.find(&key, |made| made.is_good(now, MARGIN).then(|| made.token.clone())) {
            return Ok(token);
        }
        let fault = |cause: &'static str| Fault::new("backend_jwt.not_made", cause);
        let mut id = [0; 16];
        openssl::rand::rand_bytes(&mut id).map_err(|_| fault("there is no randomness"))?;
        let id = format!("{:032x}", u128::from_be_bytes(id));
        let made = claims(&self.config, given, &call.operation, id, call.now);
        let (claims, until) = made.ok_or_else(|| fault("the clock is beyond all times"))?;
        let token = self.key.seal(&self.head, &claims).map_err(|_| fault("the token could not be signed"))?;
        if token.len() > MAX_TOKEN {
            return Err(fault("the token has more than 8 KiB: see `restricted_claims`"));
        }
        let mut token = HeaderValue::try_from(token).map_err(|_| fault("the token is no text"))?;
        token.set_sensitive(true);
        self.cache.put(key, Made::new(token.clone(), now, until));
        Ok(token)
    }
}
