//! `tollgate key`: API keys, opaque and signed.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{rand::rand_bytes, sha::sha256};
use serde_json::{Value, json};
use tollgate_filter_api::{Interval, Problem};
use tollgate_jose::SigningKey;
use tollgate_pem::File;

use super::{
    Format,
    report::{Failure, print, print_json},
};

/// Make API keys for `api_key`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, clap::Subcommand)]
enum Kind {
    New(New),
    Issue(Issue),
}

/// Print a random key, and the entry that lets the gateway know it.
///
/// The key is printed once and stored nowhere. The entry holds its digest, from which the key cannot be found.
#[derive(Debug, clap::Args)]
struct New {
    /// What the key is called in logs, and when it is revoked.
    #[arg(long, value_name = "ID")]
    id: String,
    /// An API it is for, `TITLE` or `TITLE:VERSION`; `*` for all. May be given several times.
    #[arg(long = "api", value_name = "API", required = true)]
    apis: Vec<String>,
}

/// Print a signed key, as the reference product issues them.
#[derive(Debug, clap::Args)]
#[command(override_usage = "tollgate key issue --key FILE --issuer ISSUER --subject NAME --api API")]
struct Issue {
    /// The private key to sign with, PEM.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// `iss`, as `signed.issuer` names it.
    #[arg(long, value_name = "ISSUER")]
    issuer: String,
    /// Whose key it is.
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// An API it is for, `TITLE:VERSION`, or `TITLE` for all versions. May be given several times.
    #[arg(long = "api", value_name = "API", required = true)]
    apis: Vec<String>,
    /// How long it is valid, such as 30d. Without it, for ever: it can then only be revoked.
    #[arg(long, value_name = "TIME")]
    valid: Option<String>,
    /// For the sandbox endpoints.
    #[arg(long)]
    sandbox: bool,
    /// `kid` of its header.
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    match &args.kind {
        Kind::New(new) => opaque(new, format),
        Kind::Issue(issue) => print(&signed(issue)?),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    rand_bytes(&mut bytes).map_err(|error| Problem::error("key.random", error.to_string()))?;
    Ok(bytes)
}

fn opaque(new: &New, format: Format) -> Result<(), Failure> {
    let key = format!("tg_{}", URL_SAFE_NO_PAD.encode(random::<32>()?));
    let digest = hex::encode(sha256(key.as_bytes()));
    let entry = json!({ "id": new.id, "sha256": digest, "apis": new.apis });
    match format {
        Format::Json => print_json(&json!({ "key": key, "entry": entry })),
        // JSON in one line is YAML, whatever the names hold.
        Format::Text => print(&format!("{key}\n- {entry}")),
    }
}

fn signed(issue: &Issue) -> Result<String, Failure> {
    let file = File::read(&issue.key).map_err(|error| Failure::Cannot(error.to_string()))?;
    let signer = SigningKey::from_pem(file.content(), None)
        .map_err(|error| Problem::error("key.file", error.to_string()).at(issue.key.display().to_string(), 0, ""))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let jti = hex::encode(random::<16>()?);
    let mut claims = json!({
        "sub": issue.subject, "iss": issue.issuer, "jti": jti, "iat": now.as_secs(),
        "keytype": if issue.sandbox { "SANDBOX" } else { "PRODUCTION" },
        "allowedAPIs": issue.apis.iter().map(|api| name_and_version(api)).collect::<Vec<_>>(),
    });
    if let Some(valid) = &issue.valid {
        claims["exp"] = (now + interval(valid)?).as_secs().into();
    }
    let mut header = json!({ "typ": "JWT" });
    if let Some(kid) = &issue.kid {
        header["kid"] = kid.as_str().into();
    }
    let (Value::Object(header), Value::Object(claims)) = (header, claims) else { return Ok(String::new()) };
    Ok(signer.seal(&header, &claims).map_err(|error| Problem::error("key.sign", error.to_string()))?)
}

fn name_and_version(api: &str) -> Value {
    let (name, version) = api.rsplit_once(':').unwrap_or((api, "*"));
    json!({ "name": name, "version": version })
}

fn interval(text: &str) -> Result<Duration, Problem> {
    let read = serde_json::from_value::<Interval>(Value::from(text));
    read.map(|interval| interval.0).map_err(|error| Problem::error("key.valid", error.to_string()))
}
