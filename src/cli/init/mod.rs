//! `tollgate init`: a project folder to begin with, or an interceptor of a project.

mod interceptor;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use tollgate_document::{Document, Limits};

use super::{
    Format,
    report::{Failure, print, print_json},
    trial::{
        issuer::{AUDIENCE, ISSUER, Issuer},
        sample,
    },
};
use crate::stores::{Client, Fetched, ServerTrust, parse_url};

/// Time for a definition that is fetched.
const FETCH_TIME: Duration = Duration::from_secs(30);
/// How long the token of a new project is good.
const TOKEN_LIFETIME: Duration = Duration::from_secs(7 * 86_400);
const FOLDERS: [&str; 5] = ["api_definitions", "conf", "extensions", "grpc_definitions", "interceptors"];
const POLICIES: &str = include_str!("../templates/policies.yaml");
const README: &str = include_str!("../templates/README.md");
const SETTINGS: &str = include_str!("../templates/tollgate.yaml");
const GATEWAY: &str = include_str!("../templates/gateway.yaml");
/// What a gateway that was built without the filter does not know.
const INTERCEPTORS: &str = "  # Interceptors of the project.\n  - wasm\n";
const IGNORE: &str = "/target/\n/conf/dev-token\n";

/// Create a project folder, or an interceptor of a project.
///
/// Without -a, a project holds a small sample API, so that it can be built and
/// run right away. A key is made for the first tokens, and one token is stored;
/// the private key is not.
///
/// With --interceptor, run it in the project's folder. It writes the sources
/// of a WebAssembly module to interceptors/NAME, and one command there makes
/// interceptors/NAME.wasm of them.
#[derive(Debug, clap::Args)]
#[command(override_usage = "tollgate init [OPTIONS] <DIR>\n       tollgate init --interceptor <LANGUAGE> <NAME>")]
pub(super) struct Args {
    /// The folder to create, or the name of the interceptor.
    #[arg(value_name = "DIR|NAME")]
    folder: PathBuf,
    /// Write an interceptor in this language.
    #[arg(long, value_enum, value_name = "LANGUAGE", conflicts_with_all = ["api_definition", "force"])]
    interceptor: Option<interceptor::Language>,
    /// The OpenAPI definition to begin with.
    #[arg(short, long, value_name = "FILE|URL")]
    api_definition: Option<String>,
    /// Delete an existing project first, with everything in it.
    #[arg(short, long)]
    force: bool,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    if let Some(language) = args.interceptor {
        return interceptor::write(Path::new("."), &args.folder.to_string_lossy(), language, format);
    }
    let (file, definition) = match &args.api_definition {
        Some(location) => given(location)?,
        None => (sample::FILE.to_owned(), sample::DEFINITION.as_bytes().to_vec()),
    };
    make_room(&args.folder, args.force)?;
    for folder in FOLDERS {
        let path = args.folder.join(folder);
        fs::create_dir_all(&path).map_err(|error| Failure::io(path.display(), &error))?;
    }
    let issuer = Issuer::new()?;
    let mut gateway = GATEWAY.replace("ISSUER", ISSUER).replace("AUDIENCE", AUDIENCE);
    if tollgate_filters::find("wasm").is_none() {
        gateway = gateway.replace(INTERCEPTORS, "");
    }
    let files: [(String, Vec<u8>); 11] = [
        (format!("api_definitions/{file}"), definition),
        ("policies.yaml".to_owned(), POLICIES.into()),
        ("tollgate.yaml".to_owned(), SETTINGS.into()),
        ("gateway.yaml".to_owned(), gateway.into()),
        ("conf/dev-issuer.pem".to_owned(), issuer.public_pem()?),
        ("conf/dev-token".to_owned(), issuer.token(TOKEN_LIFETIME)?.into()),
        ("extensions/.gitkeep".to_owned(), Vec::new()),
        ("grpc_definitions/.gitkeep".to_owned(), Vec::new()),
        ("interceptors/.gitkeep".to_owned(), Vec::new()),
        (".gitignore".to_owned(), IGNORE.into()),
        ("README.md".to_owned(), readme(&args.folder).into()),
    ];
    for (name, content) in &files {
        let path = args.folder.join(name);
        fs::write(&path, content).map_err(|error| Failure::io(path.display(), &error))?;
    }
    let place = args.folder.display().to_string();
    match format {
        Format::Text => print(&format!("{place} is ready: `tollgate build {place}`; {place}/README.md says how to go on")),
        Format::Json => print_json(&json!({ "project": place, "files": files.iter().map(|(name, _)| name).collect::<Vec<_>>() })),
    }
}

fn readme(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned());
    README.replace("PROJECT", &name)
}

/// The folder does not exist afterwards, or is empty.
fn make_room(folder: &Path, force: bool) -> Result<(), Failure> {
    let mut entries = match folder.read_dir() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::io(folder.display(), &error)),
        Ok(entries) => entries,
    };
    if entries.next().is_none() {
        return Ok(());
    }
    let place = folder.display();
    if !force {
        return Err(Failure::Cannot(format!("{place} exists and is not empty; -f deletes and recreates it")));
    }
    if !folder.join("api_definitions").is_dir() {
        return Err(Failure::Cannot(format!("{place} does not look like a project (no api_definitions/), so -f leaves it alone")));
    }
    fs::remove_dir_all(folder).map_err(|error| Failure::io(place, &error))
}

/// Name and bytes of the definition; it must at least be YAML or JSON.
fn given(location: &str) -> Result<(String, Vec<u8>), Failure> {
    let limits = Limits::default();
    let bytes = if location.starts_with("http://") || location.starts_with("https://") {
        fetch(location, limits.bytes)?
    } else {
        let mut bytes = Vec::new();
        let file = fs::File::open(location).and_then(|file| file.take(limits.bytes as u64 + 1).read_to_end(&mut bytes));
        file.map_err(|error| Failure::io(location, &error))?;
        bytes
    };
    Document::parse(location, &bytes, &limits)?;
    let json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    Ok((file_name(location, json), bytes))
}

/// The last part of a path or URL, with an ending that the compiler looks for.
fn file_name(location: &str, json: bool) -> String {
    let path = location.split(['?', '#']).next().unwrap_or(location);
    let last = path.rsplit('/').next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
    let name = clean.trim_start_matches('.');
    let name = if name.is_empty() { "api" } else { name };
    let known = [".yaml", ".yml", ".json"].iter().any(|ending| name.len() > ending.len() && name.ends_with(ending));
    match (known, json) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{name}.json"),
        (false, false) => format!("{name}.yaml"),
    }
}

fn fetch(url: &str, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let target = parse_url(url)?;
    let client = Client::new(ServerTrust::System);
    client.check(&target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot fetch", &error))?;
    match runtime.block_on(client.get(&target, None, FETCH_TIME, max_bytes)) {
        Ok(Fetched::New(bytes, _)) => Ok(bytes.to_vec()),
        Ok(Fetched::Same) => Err(Failure::Cannot(format!("{target}: no content"))),
        Err(error) => Err(Failure::Cannot(format!("{target}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn a_definition_keeps_its_name_and_gets_an_ending_when_it_has_none() {
        for (location, json, name) in [
            ("apis/pets.yaml", false, "pets.yaml"),
            ("https://a.example/v2/swagger.json?x=/y", true, "swagger.json"),
            ("https://a.example/openapi", true, "openapi.json"),
            ("https://a.example/", false, "api.yaml"),
            ("../.yaml", false, "yaml.yaml"),
            ("a/..", false, "api.yaml"),
        ] {
            assert_eq!(file_name(location, json), name, "{location}");
        }
    }
}
