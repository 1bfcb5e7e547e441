//! Services and their options, in the words of OpenAPI.

use prost_reflect::{DynamicMessage, FileDescriptor, MethodDescriptor, ServiceDescriptor, Value};
use tollgate_document::{Form, Written};
use tollgate_filter_api::{Problem, Problems};

use super::lines::Lines;

/// The version of every service: files have none.
const VERSION: &str = "1.0.0";
/// The header that carries an API key.
const KEY_HEADER: &str = "api_key";

/// Field numbers, of which paths to lines consist.
const SERVICE: i32 = 6;
const SERVICE_OPTIONS: i32 = 3;
const METHOD: i32 = 2;
const METHOD_OPTIONS: i32 = 4;

/// What `JWT` and `OAUTH2` are in OpenAPI.
const TOKEN: &str = "oauth2";

/// Values of `wso2.security`.
const NONE: i32 = 0;
const BASIC: i32 = 1;
const API_KEY: i32 = 4;

/// A file's services, each under its full name. `None` stands for a file with problems, which has none.
pub(super) fn tree(file: Option<&FileDescriptor>, name: &str, problems: &mut Problems) -> Written {
    let mut members = Vec::new();
    let lines = file.map(Lines::of).unwrap_or_default();
    for service in file.into_iter().flat_map(FileDescriptor::services) {
        let mut reader = Reader { path: vec![SERVICE, index(service.index())], file: name, lines: &lines, problems };
        members.push((service.full_name().to_owned(), reader.service(&service)));
    }
    Written { line: 1, value: Form::Map(members) }
}

struct Reader<'r> {
    /// Of the service.
    path: Vec<i32>,
    file: &'r str,
    lines: &'r Lines<'r>,
    problems: &'r mut Problems,
}

/// An option: its number and its value.
struct Found<'o> {
    number: i32,
    value: &'o Value,
}

impl Reader<'_> {
    fn service(&mut self, service: &ServiceDescriptor) -> Written {
        let name = service.full_name();
        let line = self.lines.at(&self.path, 0);
        let options = service.options();
        let mut members = vec![
            ("info".to_owned(), map(line, vec![("title", text(line, name)), ("version", text(line, VERSION))])),
            ("x-wso2-basePath".to_owned(), text(line, &format!("/{name}"))),
        ];
        for (option, extension) in
            [("wso2.production_endpoints", "x-wso2-production-endpoints"), ("wso2.sandbox_endpoints", "x-wso2-sandbox-endpoints")]
        {
            let found = option_of(&options, option).and_then(|found| self.endpoints(option, &found));
            members.extend(found.map(|endpoints| (extension.to_owned(), endpoints)));
        }
        if let Some(tier) = option_of(&options, "wso2.throttling_tier") {
            members.push(("x-wso2-throttling-tier".to_owned(), self.text_of(&tier)));
        }
        let tokens = self.security(service, &options, &mut members);
        let methods = service.methods().map(|method| (format!("/{}", method.name()), self.method(&method, tokens))).collect();
        members.push(("paths".to_owned(), Written { line, value: Form::Map(methods) }));
        Written { line, value: Form::Map(members) }
    }

    fn method(&mut self, method: &MethodDescriptor, tokens: bool) -> Written {
        let mut path = self.path.clone();
        path.extend([METHOD, index(method.index())]);
        let line = self.lines.at(&path, 0);
        let options = method.options();
        let mut members = vec![("operationId", text(line, method.name()))];
        path.push(METHOD_OPTIONS);
        let mut said = |option, extension| {
            let Found { number, value } = option_of(&options, option)?;
            path.push(number);
            let line = self.lines.at(&path, 0);
            path.pop();
            members.push((extension, text(line, value.as_str().unwrap_or_default())));
            Some(line)
        };
        said("wso2.method_throttling_tier", "x-wso2-throttling-tier");
        if let Some(line) = said("wso2.method_scopes", "x-scope").filter(|_| !tokens) {
            let message = "`wso2.method_scopes` asks for scopes, and the service takes no token that could have them";
            let problem = Problem::error("grpc.scopes", message).at(self.file, line, "");
            self.problems.push(problem.hint("add `option (wso2.security) = JWT;` to the service"));
        }
        map(line, vec![("post", map(line, members))])
    }

    /// One URL, and what else there is to say of it.
    fn endpoints(&mut self, option: &str, found: &Found<'_>) -> Option<Written> {
        let line = self.line_of(found, 0);
        let message = found.value.as_message()?;
        let urls = message.get_field_by_name("url")?;
        let urls = urls.as_list()?;
        if urls.len() != 1 {
            let problem = Problem::error("grpc.endpoint", format!("`{option}` needs exactly one `url`")).at(self.file, line, "");
            self.problems.push(problem.hint(format!("write `option ({option}) = {{ url: \"https://backend:8443\" }};`")));
        }
        let first = text(line, urls.first()?.as_str()?);
        let mut members = vec![("urls", Written { line, value: Form::List(vec![first]) })];
        if message.has_field_by_name("advanceEndpointConfig") {
            let advanced = message.get_field_by_name("advanceEndpointConfig")?;
            let timeout = advanced.as_message()?.get_field_by_name("timeoutInMillis")?.as_i32()?;
            let timeout = Written { line, value: Form::Number(timeout.into()) };
            members.push(("advanceEndpointConfig", map(line, vec![("timeoutInMillis", timeout)])));
        }
        Some(map(line, members))
    }

    /// What callers may present. Whether that may be a token comes back.
    fn security(&mut self, service: &ServiceDescriptor, options: &DynamicMessage, members: &mut Vec<(String, Written)>) -> bool {
        let found = option_of(options, "wso2.security");
        let said: Vec<(i32, u32)> = found.iter().flat_map(|found| self.kinds(found)).collect();
        let first = said.first().map_or_else(|| self.lines.at(&self.path, 0), |(_, line)| *line);
        self.judge_security(service, &said, first);
        let types = types(&said);
        if types.is_empty() {
            members.push(("x-wso2-disable-security".to_owned(), Written { line: first, value: Form::Bool(true) }));
            return false;
        }
        let tokens = types.iter().any(|(name, _)| *name == TOKEN);
        let key = [("type", "apiKey"), ("in", "header"), ("name", KEY_HEADER)].map(|(key, value)| (key, text(first, value)));
        let schemes = map(first, vec![("api_key", map(first, key.into()))]);
        members.push(("components".to_owned(), map(first, vec![("securitySchemes", schemes)])));
        let types = types.into_iter().map(|(name, line)| text(line, name)).collect();
        let types = Written { line: first, value: Form::List(types) };
        members.push(("x-wso2-application-security".to_owned(), map(first, vec![("security-types", types)])));
        tokens
    }

    /// Each value of `wso2.security`, and its line.
    fn kinds(&self, found: &Found<'_>) -> Vec<(i32, u32)> {
        let numbers = found.value.as_list().into_iter().flatten().filter_map(Value::as_enum_number);
        numbers.enumerate().map(|(nth, kind)| (kind, self.line_of(found, nth))).collect()
    }

    fn judge_security(&mut self, service: &ServiceDescriptor, said: &[(i32, u32)], first: u32) {
        if let Some((_, line)) = said.iter().find(|(kind, _)| *kind == NONE).filter(|_| said.len() > 1) {
            let problem = Problem::error("grpc.security", "`NONE` opens the service, and another `wso2.security` closes it");
            self.problems.push(problem.at(self.file, *line, "").hint("keep one of the two"));
        }
        if said.is_empty() {
            let message = format!("`{}` says nothing of `wso2.security`, so it is open to everybody", service.full_name());
            let problem = Problem::warning("grpc.open", message).at(self.file, first, "");
            self.problems.push(problem.hint("write `option (wso2.security) = JWT;`, or `NONE` when it is meant to be open"));
        }
    }

    fn text_of(&self, found: &Found<'_>) -> Written {
        text(self.line_of(found, 0), found.value.as_str().unwrap_or_default())
    }

    /// The line of a service's option; of one that may be repeated, the nth.
    fn line_of(&self, found: &Found<'_>, nth: usize) -> u32 {
        let mut path = self.path.clone();
        path.extend([SERVICE_OPTIONS, found.number]);
        self.lines.at(&path, nth)
    }
}

/// The words of `security-types`, each once.
fn types(said: &[(i32, u32)]) -> Vec<(&'static str, u32)> {
    let mut types: Vec<(&str, u32)> = Vec::new();
    for (kind, line) in said.iter().filter(|(kind, _)| *kind != NONE) {
        let name = match *kind {
            BASIC => "basic",
            API_KEY => "api_key",
            // What is new to us is a token until somebody says otherwise.
            _ => TOKEN,
        };
        if types.iter().all(|(known, _)| *known != name) {
            types.push((name, *line));
        }
    }
    types
}

/// An option by its full name, when it is set.
fn option_of<'o>(options: &'o DynamicMessage, name: &str) -> Option<Found<'o>> {
    let (extension, value) = options.extensions().find(|(extension, _)| extension.full_name() == name)?;
    Some(Found { number: i32::try_from(extension.number()).ok()?, value })
}

fn index(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

fn text(line: u32, text: &str) -> Written {
    Written { line, value: Form::Text(text.to_owned()) }
}

fn map(line: u32, members: Vec<(&str, Written)>) -> Written {
    Written { line, value: Form::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()) }
}
