//! The thin model: paths, operations, parameters, security schemes and servers of any version, in the words of 3.1.
//!
//! 2.0 and 3.0 are lifted here: `host`, `basePath` and `schemes` become a server, `securityDefinitions` become schemes.
//! Schemas are not modelled: whoever needs them reads the raw document. Reading is lenient, since the form has been
//! judged already: what does not fit is left out, never a reason to stop.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use tollgate_document::Shape;
use tollgate_filter_api::{Problem, Severity};

use crate::input::sources::Sources;
use crate::input::spot::Spot;
use crate::media_types::{self, MediaTypes};
use crate::structure::{self, Version};

/// A definition.
#[derive(Debug)]
pub(crate) struct Definition<'a> {
    pub version: Version,
    /// It is a service of gRPC.
    pub grpc: bool,
    /// It was written for the reference product, which judged less.
    pub lenient: bool,
    pub root: Spot<'a>,
    pub title: String,
    /// `info.version`.
    pub version_text: String,
    pub servers: Vec<Server<'a>>,
    pub schemes: BTreeMap<String, Scheme>,
    pub paths: Vec<PathItem<'a>>,
    /// There are more operations than are read.
    pub truncated: bool,
}

impl Definition<'_> {
    /// A problem that the specification calls an error and the reference product let pass.
    pub(crate) fn strict(&self, mut problem: Problem) -> Problem {
        if self.lenient {
            problem.severity = Severity::Warning;
        }
        problem
    }
}

/// A server, its variables replaced by their defaults.
#[derive(Clone, Debug)]
pub(crate) struct Server<'a> {
    pub url: String,
    pub spot: Spot<'a>,
}

/// A security scheme: the filter that checks it and what the filter must know.
#[derive(Debug)]
pub(crate) struct Scheme {
    pub filter: String,
    pub settings: BTreeMap<String, Value>,
}

/// A path template and what stands under it.
#[derive(Debug)]
pub(crate) struct PathItem<'a> {
    pub template: &'a str,
    pub spot: Spot<'a>,
    /// The item itself, then what its `$ref` leads to.
    pub levels: Vec<Spot<'a>>,
    pub servers: Vec<Server<'a>>,
    /// Names of the item's own parameters in the path.
    pub path_parameters: Vec<(String, Spot<'a>)>,
    pub operations: Vec<Operation<'a>>,
}

/// One method.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// Upper case.
    pub method: String,
    pub spot: Spot<'a>,
    pub servers: Vec<Server<'a>>,
    /// Names of its own parameters in the path.
    pub path_parameters: Vec<(String, Spot<'a>)>,
    /// What its bodies are declared to be.
    pub media_types: MediaTypes,
}

const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

/// Reads a service that was written in a `.proto` file, from its tree.
pub(crate) fn service<'a>(sources: &'a Sources, root: Spot<'a>) -> Definition<'a> {
    Definition { grpc: true, ..read(sources, root, Version::V30) }
}

/// Reads the definition that begins there.
pub(crate) fn read<'a>(sources: &'a Sources, root: Spot<'a>, version: Version) -> Definition<'a> {
    let info = root.get("info");
    let text = |key| info.as_ref().and_then(|info| info.text(key)).unwrap_or_default();
    let (paths, truncated) = root.get("paths").map(|paths| read_paths(sources, &root, &paths, version)).unwrap_or_default();
    Definition {
        version,
        grpc: false,
        lenient: structure::is_for_reference(&root),
        title: text("title"),
        version_text: text("version"),
        servers: if version == Version::V20 { swagger_server(&root) } else { servers(&root) },
        schemes: schemes(sources, &root, version),
        paths,
        truncated,
        root,
    }
}

/// Only the first servers are looked at: one is used.
const MAX_SERVERS: usize = 100;
/// No URL is longer.
const MAX_URL: usize = 8192;

fn servers<'a>(level: &Spot<'a>) -> Vec<Server<'a>> {
    let Some(list) = level.get("servers") else { return Vec::new() };
    let servers = list.items().take(MAX_SERVERS).filter_map(|spot| Some(Server { url: expand(&spot, &spot.text("url")?), spot }));
    servers.collect()
}

/// The URL with its variables replaced by their defaults; as written when that makes it too long.
fn expand(server: &Spot<'_>, url: &str) -> String {
    let variables = server.get("variables");
    let mut expanded = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        expanded.push_str(before);
        match variables.as_ref().and_then(|v| v.get(name)).and_then(|v| v.text("default")) {
            Some(default) => expanded.push_str(&default),
            None => expanded.push_str(&format!("{{{name}}}")),
        }
        if expanded.len() > MAX_URL {
            return url.to_owned();
        }
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

/// `host`, `schemes` and `basePath` as one server; https where there is a choice or nothing said.
fn swagger_server<'a>(root: &Spot<'a>) -> Vec<Server<'a>> {
    let Some(host) = root.get("host") else { return Vec::new() };
    let Some(name) = host.node.as_str() else { return Vec::new() };
    let schemes: Vec<&str> = root.node.get("schemes").map(|s| s.items().filter_map(|i| i.as_str()).collect()).unwrap_or_default();
    let plain = schemes.contains(&"http") && !schemes.contains(&"https");
    let scheme = if plain { "http" } else { "https" };
    let base = root.text("basePath").unwrap_or_default();
    let base = base.trim_end_matches('/');
    let slash = if base.is_empty() || base.starts_with('/') { "" } else { "/" };
    vec![Server { url: format!("{scheme}://{name}{slash}{base}"), spot: host }]
}

fn schemes(sources: &Sources, root: &Spot<'_>, version: Version) -> BTreeMap<String, Scheme> {
    let list = match version {
        Version::V20 => root.get("securityDefinitions"),
        _ => root.get("components").and_then(|c| c.get("securitySchemes")),
    };
    let Some(list) = list else { return BTreeMap::new() };
    list.entries().filter_map(|(name, spot)| Some((name.to_owned(), scheme(&sources.follow(spot).ok()?)?))).collect()
}

fn scheme(spot: &Spot<'_>) -> Option<Scheme> {
    let mut settings = BTreeMap::new();
    let filter = match spot.text("type")?.as_str() {
        "oauth2" | "openIdConnect" => "jwt".to_owned(),
        "basic" => "basic_auth".to_owned(),
        "mutualTLS" => "mtls".to_owned(),
        "apiKey" => {
            for key in ["in", "name"] {
                settings.insert(key.to_owned(), json!(spot.text(key)?));
            }
            "api_key".to_owned()
        }
        "http" => match spot.text("scheme")?.to_ascii_lowercase().as_str() {
            "bearer" | "jwt" => "jwt".to_owned(),
            "basic" => "basic_auth".to_owned(),
            other => format!("http_{other}"),
        },
        _ => return None,
    };
    Some(Scheme { filter, settings })
}

/// A definition with more operations than this was not written by anybody.
const MAX_OPERATIONS: usize = 150_000;

/// The path items, and whether there are too many operations.
fn read_paths<'a>(sources: &'a Sources, root: &Spot<'a>, paths: &Spot<'a>, version: Version) -> (Vec<PathItem<'a>>, bool) {
    let mut items = Vec::new();
    let mut operations = 0;
    for (template, spot) in paths.entries().filter(|(key, item)| key.starts_with('/') && item.is(Shape::Object)) {
        let item = read_item(sources, root, template, spot, version);
        operations += item.operations.len();
        if operations > MAX_OPERATIONS {
            return (items, true);
        }
        items.push(item);
    }
    (items, false)
}

fn read_item<'a>(sources: &'a Sources, root: &Spot<'a>, template: &'a str, spot: Spot<'a>, version: Version) -> PathItem<'a> {
    let mut levels = vec![spot.clone()];
    if spot.node.get("$ref").is_some()
        && let Ok(target) = sources.follow(spot.clone())
    {
        levels.push(target);
    }
    let path_parameters = levels.iter().flat_map(|level| path_parameters(sources, level)).collect();
    let mut operations = Vec::new();
    let mut known = HashSet::new();
    for level in &levels {
        for (method, spot) in methods(level, version) {
            if known.insert(method.clone()) {
                let (servers, path_parameters) = (servers(&spot), self::path_parameters(sources, &spot));
                let media_types = media_types::read(sources, root, &spot, version);
                operations.push(Operation { method, spot, servers, path_parameters, media_types });
            }
        }
    }
    let servers = levels.iter().flat_map(servers).collect();
    PathItem { template, spot, levels, servers, path_parameters, operations }
}

fn methods<'a>(level: &Spot<'a>, version: Version) -> Vec<(String, Spot<'a>)> {
    let known = |name: &&&str| **name != "query" || version == Version::V32;
    let mut found: Vec<_> = METHODS.iter().filter(known).filter_map(|name| Some((name.to_ascii_uppercase(), level.get(name)?))).collect();
    if version == Version::V32
        && let Some(more) = level.get("additionalOperations")
    {
        found.extend(more.entries().map(|(method, spot)| (method.to_owned(), spot)));
    }
    found.retain(|(_, spot)| spot.is(Shape::Object));
    found
}

/// Only the first parameters of a list are looked at.
const MAX_PARAMETERS: usize = 1000;

fn path_parameters<'a>(sources: &'a Sources, level: &Spot<'a>) -> Vec<(String, Spot<'a>)> {
    let Some(list) = level.get("parameters") else { return Vec::new() };
    list.items()
        .take(MAX_PARAMETERS)
        .filter_map(|item| {
            let target = sources.follow(item.clone()).ok()?;
            (target.text("in")? == "path").then_some((target.text("name")?, item))
        })
        .collect()
}
