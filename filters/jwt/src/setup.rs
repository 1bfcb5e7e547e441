//! From settings to what runs: every setting is judged here, and what operations can share is shared.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;
use tollgate_binding::{Dpop, Names};
use tollgate_filter_api::{DocumentPolicy, Env, Location, Problem, View};
use tollgate_jose::{Format, normal_type};
use tollgate_url::{Url, UrlError, redacted};

use crate::{
    cache::Cache,
    claims::Rules,
    config::{Config, IssuerConfig, KeySource},
    discovery::Discovered,
    keyset::KeyRing,
    kinds,
    source::{Meters, Source},
    verifier::{Issuer, Verifier},
};

/// Least time between two fetches of a key set, whoever asks: a flood of unknown `kid`s costs the issuer six requests a minute.
const LEAST_GAP: Duration = Duration::from_secs(10);
/// How long a fetch may take; a request with an unknown `kid` waits for it.
const FETCH_TIME: Duration = Duration::from_secs(3);
/// Real key sets are a few KiB.
const MAX_DOCUMENT: usize = 512 << 10;
const MIN_REFRESH: Duration = Duration::from_secs(1);

static NAMES: Names = Names {
    proofs: "jwt.dpop_proofs",
    replays: "jwt_dpop_replays_total",
    full: "jwt_dpop_store_full_total",
    no_room: "jwt.replay_store_full",
    no_nonce: "jwt.dpop_nonce",
};

/// The verifier of these settings, made once for all operations that have the same.
pub(crate) fn verifier(config: &Config, env: &Env) -> Result<Arc<Verifier>, Problem> {
    if config.issuers.is_empty() {
        return Err(Problem::setting("/issuers", "no issuer is configured, so no token could ever be accepted")
            .hint("name at least one issuer with its audiences and keys, or take `jwt` out of the chain"));
    }
    let config = &narrowed(config)?;
    for (i, issuer) in config.issuers.iter().enumerate() {
        check(issuer, i)?;
        if config.issuers[..i].iter().any(|other| other.issuer == issuer.issuer) {
            return Err(Problem::setting(format!("/issuers/{i}/issuer"), format!("the issuer {:?} is configured twice", issuer.issuer))
                .hint("write one entry with all audiences and a list of keys"));
        }
    }
    let same = (&config.issuers, &config.cache, config.max_token_bytes, config.padded, config.iat_in_ms);
    env.shared.get_or_make(&key("jwt.verifier", &same), || make_verifier(config, env))
}

/// The settings with the algorithms of each issuer that are accepted here, so that those who accept others share nothing.
fn narrowed(config: &Config) -> Result<Config, Problem> {
    let Some(accepted) = &config.algorithms else { return Ok(config.clone()) };
    let mut config = config.clone();
    for issuer in &mut config.issuers {
        issuer.algorithms.retain(|algorithm| accepted.contains(algorithm));
        if issuer.algorithms.is_empty() {
            return Err(Problem::setting("/algorithms", format!("none of them is among the `algorithms` of {:?}", issuer.issuer))
                .hint("list one that the issuer signs with, or leave `algorithms` out"));
        }
    }
    Ok(config)
}

/// What judges proofs, when they are accepted.
pub(crate) fn dpop(config: &Config, env: &Env) -> Result<Option<Dpop>, Problem> {
    let Some(dpop) = config.dpop.clone() else { return Ok(None) };
    if config.scheme.is_empty() {
        return Err(
            Problem::setting("/dpop", "without a scheme it cannot be told which tokens come with a proof").hint("leave `scheme` as it is")
        );
    }
    Dpop::new(dpop, &NAMES, env).map(Some)
}

fn make_verifier(config: &Config, env: &Env) -> Result<Verifier, Problem> {
    let issuers: Result<Vec<_>, _> = config.issuers.iter().enumerate().map(|(i, issuer)| make_issuer(config, issuer, i, env)).collect();
    Ok(Verifier {
        issuers: issuers?,
        cache: Cache::new(config.cache.entries),
        max_token_bytes: usize::try_from(config.max_token_bytes.0).unwrap_or(usize::MAX),
        padded: config.padded,
        hits: env.metrics.counter("jwt_cache_hits_total", None),
        misses: env.metrics.counter("jwt_cache_misses_total", None),
    })
}

fn make_issuer(config: &Config, issuer: &IssuerConfig, i: usize, env: &Env) -> Result<Issuer, Problem> {
    let same = (&issuer.issuer, &issuer.keys, issuer.refresh, issuer.max_age);
    let keys = env.shared.get_or_make(&key("jwt.keys", &same), || key_ring(issuer, i, env))?;
    env.readiness.wait_for(&keys);
    Ok(Issuer {
        name: issuer.issuer.clone(),
        algorithms: issuer.algorithms.clone(),
        types: issuer.typ.iter().map(|typ| normal_type(typ)).collect(),
        keys: View::new("jwt.keys", keys),
        rules: Rules::new(issuer.clone(), i, config.iat_in_ms),
    })
}

fn key_ring(issuer: &IssuerConfig, i: usize, env: &Env) -> Result<KeyRing, Problem> {
    let refresh = issuer.refresh.0;
    let policy = DocumentPolicy { refresh, least_gap: LEAST_GAP.min(refresh), timeout: FETCH_TIME, max_bytes: MAX_DOCUMENT };
    let mut sources = Vec::new();
    let mut files = Vec::new();
    for (k, source) in issuer.keys.0.iter().enumerate() {
        if let KeySource::Discovery(url) = source {
            sources.push(discovered(url, issuer, &format!("/issuers/{i}/keys/{k}"), env, policy)?);
            continue;
        }
        let (location, format) = place(source);
        if matches!(location, Location::File(_)) {
            files.push((k, location.clone()));
        }
        let document = env.world.document(&location, policy).map_err(|mut problem| {
            problem.pointer = format!("/issuers/{i}/keys/{k}");
            problem
        })?;
        sources.push(Source { document, format, place: shown(&location) });
    }
    let label = Some(("issuer", issuer.issuer.as_str()));
    let meters = Meters {
        keys: env.metrics.gauge("jwt_keys", label),
        unreadable: env.metrics.counter("jwt_keys_unreadable_total", label),
        refreshes: env.metrics.counter("jwt_keys_asked_total", label),
        metrics: env.metrics.clone(),
    };
    let ring = KeyRing::new(&issuer.issuer, sources, issuer.max_age.0, meters, env.clock.instant());
    for (k, location) in files {
        if let Some(why) = ring.fault_of(k) {
            return Err(Problem::setting(
                format!("/issuers/{i}/keys/{k}"),
                format!("`{location}` holds no key that can verify a token: {why}"),
            )
            .hint("RSA of 2048 to 8192 bits, P-256, P-384, P-521 or Ed25519; public, for signatures, in the format that is named"));
        }
    }
    Ok(ring)
}

fn discovered(url: &str, issuer: &IssuerConfig, pointer: &str, env: &Env, policy: DocumentPolicy) -> Result<Source, Problem> {
    let (rules, at) = (issuer.clone(), pointer.to_owned());
    let allowed = Box::new(move |uri: &str| check_url(&rules, uri, &at));
    let document = Discovered::new(url, &issuer.issuer, allowed, env, policy).map_err(|mut problem| {
        problem.pointer = pointer.to_owned();
        problem
    })?;
    Ok(Source { document: Arc::new(document), format: Format::Jwks, place: redacted(url) })
}

fn place(source: &KeySource) -> (Location, Format) {
    match source {
        KeySource::Jwks(text) | KeySource::Discovery(text) if is_url(text) => (Location::Url(text.clone()), Format::Jwks),
        KeySource::Jwks(text) | KeySource::Discovery(text) => (Location::File(PathBuf::from(text)), Format::Jwks),
        KeySource::Pem(path) => (Location::File(path.clone()), Format::Pem),
        KeySource::Certificate(path) => (Location::File(path.clone()), Format::Certificate),
    }
}

/// What logs say of a location: the query of a URL may hold a secret.
fn shown(location: &Location) -> String {
    match location {
        Location::Url(url) => redacted(url),
        Location::File(_) => location.to_string(),
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// What the decoder cannot see in one issuer's settings.
fn check(issuer: &IssuerConfig, i: usize) -> Result<(), Problem> {
    let at = |name: &str| format!("/issuers/{i}/{name}");
    if issuer.issuer.is_empty() {
        return Err(Problem::setting(at("issuer"), "the issuer is empty").hint("write the `iss` of its tokens, byte for byte"));
    }
    if issuer.audiences.is_empty() && !issuer.any_audience {
        return Err(Problem::setting(at("audiences"), format!("no audience is configured for {:?}", issuer.issuer))
            .hint("list what `aud` names this API by, or say `any_audience: true` to accept tokens made for others"));
    }
    if !issuer.audiences.is_empty() && issuer.any_audience {
        return Err(Problem::setting(at("any_audience"), "`any_audience` makes `audiences` meaningless").hint("leave out one of the two"));
    }
    if issuer.algorithms.is_empty() {
        return Err(Problem::setting(at("algorithms"), "no algorithm is accepted").hint("leave it out to accept every asymmetric one"));
    }
    if issuer.typ.is_empty() {
        return Err(Problem::setting(at("typ"), "no `typ` is accepted")
            .hint("leave it out, or list values; an empty one stands for a token without `typ`"));
    }
    if let Some(t) = issuer.typ.iter().position(|typ| kinds::is_other_type(&normal_type(typ))) {
        return Err(Problem::setting(at(&format!("typ/{t}")), format!("{:?} is the `typ` of tokens that let nobody in", issuer.typ[t]))
            .hint("list the `typ` of access tokens: `at+jwt`, `JWT`, or an empty one"));
    }
    if issuer.keys.0.is_empty() {
        return Err(Problem::setting(at("keys"), "no key source is configured")
            .hint("for instance `keys: { jwks: https://issuer.example/jwks.json }`"));
    }
    if issuer.refresh.0 < MIN_REFRESH || issuer.max_age.0 < issuer.refresh.0.saturating_mul(2) {
        return Err(Problem::setting(at("max_age"), "`refresh` must be at least 1s, and `max_age` at least twice `refresh`")
            .hint("one fetch that is late or fails must not make the keys too old"));
    }
    issuer.keys.0.iter().enumerate().try_for_each(|(k, source)| check_source(issuer, source, &at(&format!("keys/{k}"))))
}

fn check_source(issuer: &IssuerConfig, source: &KeySource, pointer: &str) -> Result<(), Problem> {
    match source {
        KeySource::Discovery(url) => check_url(issuer, url, pointer),
        KeySource::Jwks(text) if is_url(text) => check_url(issuer, text, pointer),
        _ => Ok(()),
    }
}

/// Whether keys, or what says where they are, may be fetched from there.
fn check_url(issuer: &IssuerConfig, text: &str, pointer: &str) -> Result<(), Problem> {
    let shown = redacted(text);
    let url = Url::parse_http(text).map_err(|error| {
        let problem = Problem::setting(pointer, format!("the URL `{shown}` {error}"));
        if matches!(error, UrlError::Scheme(_)) { problem.hint("a file is written as a plain path") } else { problem }
    })?;
    if url.is_https() || issuer.plain_http || url.is_loopback() {
        return Ok(());
    }
    Err(Problem::setting(pointer, format!("`{shown}` is fetched without encryption: whoever is on the way can put in keys"))
        .hint("use `https`, or say `plain_http: true`"))
}

/// A name for what has these settings and no other.
fn key(kind: &str, settings: &impl Serialize) -> String {
    let settings = serde_json::to_string(settings).expect("settings came out of JSON");
    format!("{kind} {settings}")
}
