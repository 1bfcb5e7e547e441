//! What the tables cannot say: members that exclude or need each other.

use std::collections::HashSet;

use tollgate_document::{Node, Shape as Kind};
use tollgate_filter_api::Problem;

use super::judge::Judge;
use super::shape::{FROM31, V20, V30, V31, V32};
use super::text;
use crate::input::sources::short;

const EXCLUSIVE: &str = "structure.exclusive";
const MISSING: &str = "structure.missing";
const VALUE: &str = "structure.value";

fn text_of<'a>(node: Node<'a>, key: &str) -> Option<&'a str> {
    node.get(key).and_then(|n| n.as_str())
}

/// Reports when both members are there.
fn not_both<'a>(judge: &mut Judge<'a>, node: Node<'a>, one: &'static str, other: &'static str) {
    if let (Some(_), Some(second)) = (node.get(one), node.get(other)) {
        let message = format!("`{one}` and `{other}` exclude each other");
        judge.report_member(other, second, Problem::error(EXCLUSIVE, message).hint("remove one of the two"));
    }
}

fn needs<'a>(judge: &mut Judge<'a>, node: Node<'a>, key: &str, why: &str) {
    if node.get(key).is_none() {
        judge.error(node, MISSING, format!("`{key}` is missing; {why} needs it"));
    }
}

pub(super) fn document<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let containers = ["paths", "components", "webhooks"];
    if judge.version & FROM31 != 0 && !containers.iter().any(|c| node.get(c).is_some()) {
        judge.error(node, MISSING, "one of `paths`, `components` and `webhooks` must be there");
    }
    let mut names = HashSet::new();
    for (index, tag) in node.get("tags").into_iter().flat_map(|tags| tags.items()).enumerate() {
        if let Some(name) = text_of(tag, "name")
            && !names.insert(name)
        {
            let message = format!("the tag `{}` stands here twice", short(name));
            judge.report_item("tags", index, tag, Problem::error("tag.duplicate", message));
        }
    }
}

pub(super) fn license<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "identifier", "url");
}

pub(super) fn server<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let Some(url) = text_of(node, "url") else { return };
    let variables = placeholders(url);
    let literal: String = url.chars().filter(|c| !matches!(c, '{' | '}')).collect();
    if variables.is_none() || !text::is_uri_reference(&literal) {
        let place = node.get("url").unwrap_or(node);
        judge.within("url", place, |judge, place| {
            judge.error(place, "structure.format", format!("`{}` is not the URL of a server", short(url)));
        });
        return;
    }
    for name in variables.unwrap_or_default() {
        if node.get("variables").and_then(|v| v.get(name)).is_none() {
            let message = format!("the server variable `{}` is not defined", short(name));
            judge.report(node, Problem::warning("server.variable", message).hint("define it under `variables`"));
        }
    }
}

/// Names between braces; `None` when the braces do not match.
pub(crate) fn placeholders(url: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        if before.contains('}') || name.is_empty() || name.contains('{') {
            return None;
        }
        names.push(name);
        rest = tail;
    }
    (!rest.contains('}')).then_some(names)
}

pub(super) fn server_variable<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let (Some(values), Some(default)) = (node.get("enum"), text_of(node, "default")) else { return };
    if values.items().all(|v| v.as_str() != Some(default)) {
        let message = format!("the default `{}` is not one of the values of `enum`", short(default));
        let problem = if judge.version == V30 { Problem::warning(VALUE, message) } else { Problem::error(VALUE, message) };
        judge.report(node, problem);
    }
}

pub(super) fn path_item<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    if let Some(reference) = node.get("$ref")
        && reference.as_str().is_some()
        && let Err(lost) = judge.follow(node)
    {
        judge.within("$ref", reference, |judge, reference| {
            judge.report(reference, Problem { hint: lost.hint, ..Problem::error(lost.code, lost.message) });
        });
    }
    unique_parameters(judge, node);
}

pub(super) fn operation<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    unique_parameters(judge, node);
    if let Some(id) = text_of(node, "operationId") {
        if id.chars().any(char::is_control) {
            let problem = Problem::error("operation.id", format!("the operationId `{}` has a control character", short(id)));
            judge.report(node, problem.hint("it stands in logs and tables, on one line"));
        }
        let place = judge.place(node);
        match judge.operation_ids.get(id) {
            Some(first) if *first != place => {
                let message = format!("the operationId `{}` is used twice", short(id));
                let hint = format!("it was first used on line {} ({})", first.1, first.0);
                judge.report(node, Problem::error("operation.duplicate_id", message).hint(hint));
            }
            Some(_) => {}
            None => {
                judge.operation_ids.insert(id, place);
            }
        }
    }
}

/// A parameter is identified by its name and place.
fn unique_parameters<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let Some(list) = node.get("parameters") else { return };
    let mut known = HashSet::new();
    let (mut whole, mut queries) = (0, 0);
    for (index, parameter) in list.items().enumerate() {
        let target = judge.follow(parameter).map_or(parameter, |spot| spot.node);
        let (Some(name), Some(place)) = (text_of(target, "name"), text_of(target, "in")) else { continue };
        whole += usize::from(place == "body" || place == "querystring");
        queries += usize::from(place == "query");
        if !known.insert((name, place)) {
            let message = format!("the parameter `{}` in {} stands here twice", short(name), short(place));
            judge.report_item("parameters", index, parameter, Problem::error("parameter.duplicate", message));
        }
    }
    if whole > 1 {
        let message = "there can be only one parameter in the body or for the whole query string";
        judge.report_member("parameters", list, Problem::error("parameter.duplicate", message));
    }
    if judge.version == V32 && whole > 0 && queries > 0 {
        let message = "a parameter for the whole query string and one in the query exclude each other";
        judge.report_member("parameters", list, Problem::error(EXCLUSIVE, message));
    }
}

pub(super) fn parameter<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let place = text_of(node, "in").unwrap_or_default();
    let by_content = node.get("content").is_some();
    if place == "querystring" {
        needs(judge, node, "content", "a parameter in the query string");
        not_both(judge, node, "content", "schema");
        content_alone(judge, node);
    } else {
        schema_or_content(judge, node);
    }
    if place == "path" && node.get("required").and_then(|r| r.as_bool()) != Some(true) {
        let message = "a path parameter must say `required: true`";
        let lenient = by_content && judge.version & FROM31 != 0;
        let problem = if lenient { Problem::warning(MISSING, message) } else { Problem::error(MISSING, message) };
        judge.report(node, problem);
    }
    styles(judge, node, place);
    let name = text_of(node, "name").unwrap_or_default();
    if place == "header" && !name.is_empty() && !text::is_token(name) {
        let message = format!("`{}` is not the name of a header", short(name));
        let problem = if judge.version == V32 { Problem::error(VALUE, message) } else { Problem::warning(VALUE, message) };
        judge.report(node, problem);
    }
}

fn styles<'a>(judge: &mut Judge<'a>, node: Node<'a>, place: &str) {
    let styles: &[&str] = match place {
        "path" => &["simple", "label", "matrix"],
        "query" => &["form", "spaceDelimited", "pipeDelimited", "deepObject"],
        "header" => &["simple"],
        "cookie" if judge.version == V32 => &["form", "cookie"],
        "cookie" => &["form"],
        _ => return,
    };
    if let Some(style) = text_of(node, "style")
        && !styles.contains(&style)
    {
        let message = format!("the style `{}` is not one of {} for a parameter in {place}", short(style), styles.join(", "));
        judge.error(node, VALUE, message);
    }
    if let Some(empty) = node.get("allowEmptyValue")
        && place != "query"
        && judge.version & FROM31 != 0
    {
        let message = format!("`allowEmptyValue` is for query parameters, not for {place}");
        judge.report_member("allowEmptyValue", empty, Problem::error(EXCLUSIVE, message));
    }
    let reserved = match judge.version {
        V31 => place == "query",
        V32 => place == "query" || place == "path" || (place == "cookie" && text_of(node, "style") != Some("cookie")),
        _ => true,
    };
    if let (Some(allow), false) = (node.get("allowReserved"), reserved) {
        let message = format!("`allowReserved` is not for parameters in {place}");
        judge.report_member("allowReserved", allow, Problem::error(EXCLUSIVE, message));
    }
}

pub(super) fn header<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    schema_or_content(judge, node);
}

fn schema_or_content<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "example", "examples");
    not_both(judge, node, "schema", "content");
    let Some(content) = node.get("content") else {
        if node.get("schema").is_none() {
            judge.error(node, MISSING, "one of `schema` and `content` must be there");
        }
        return;
    };
    content_alone(judge, node);
    if content.shape() == Kind::Object && content.len() != 1 {
        judge.report_member("content", content, Problem::error(VALUE, "`content` must have exactly one media type here"));
    }
}

/// What says how a schema is written does not go with a media type.
fn content_alone<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    for key in ["style", "explode", "allowReserved"] {
        not_both(judge, node, "content", key);
    }
}

pub(super) fn media_type<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "example", "examples");
    encoding(judge, node);
}

pub(super) fn encoding<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "encoding", "prefixEncoding");
    not_both(judge, node, "encoding", "itemEncoding");
}

pub(super) fn responses<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    if node.entries().all(|(key, _)| key.starts_with("x-")) {
        judge.error(node, "structure.empty", "at least one response must be described");
    }
}

pub(super) fn example<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "value", "externalValue");
    not_both(judge, node, "value", "dataValue");
    not_both(judge, node, "value", "serializedValue");
    not_both(judge, node, "serializedValue", "externalValue");
}

pub(super) fn link<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    not_both(judge, node, "operationRef", "operationId");
    if node.get("operationRef").is_none() && node.get("operationId").is_none() {
        judge.error(node, MISSING, "one of `operationRef` and `operationId` must be there");
    }
}

/// What 3.0 says of a schema beyond its members.
pub(super) fn old_schema<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    if judge.version == V30 && text_of(node, "type") == Some("array") {
        // The specification wants it; without it any item is allowed, as in JSON Schema.
        if node.get("items").is_none() {
            let problem = Problem::warning(MISSING, "`items` is missing, so that an array may hold anything");
            judge.report(node, problem.hint("write `items: {}` when that is meant"));
        }
    }
}

pub(super) fn xml<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    if judge.version == V32 {
        not_both(judge, node, "nodeType", "attribute");
        not_both(judge, node, "nodeType", "wrapped");
    }
}

/// Members of a scheme by its type: those it needs, and those it may have besides.
fn scheme_members(kind: &str, bearer: bool) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "apiKey" => (&["name", "in"], &[]),
        "http" if bearer => (&["scheme"], &["bearerFormat"]),
        "http" => (&["scheme"], &[]),
        "oauth2" => (&["flows"], &["oauth2MetadataUrl"]),
        "openIdConnect" => (&["openIdConnectUrl"], &[]),
        "mutualTLS" => (&[], &[]),
        _ => return None,
    })
}

pub(super) fn security_scheme<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    const OWN: [&str; 7] = ["name", "in", "scheme", "bearerFormat", "flows", "openIdConnectUrl", "oauth2MetadataUrl"];
    let kind = text_of(node, "type").unwrap_or_default();
    let bearer = text_of(node, "scheme").is_some_and(|s| s.eq_ignore_ascii_case("bearer"));
    let Some((needed, allowed)) = scheme_members(kind, bearer) else { return };
    for key in needed {
        needs(judge, node, key, &format!("a scheme of type {kind}"));
    }
    for (key, value) in node.entries() {
        if OWN.contains(&key) && !needed.contains(&key) && !allowed.contains(&key) {
            let problem = Problem::error("structure.unknown_key", format!("`{key}` is not for a scheme of this type"));
            judge.report_member(key, value, problem);
        }
    }
}

pub(super) fn security_scheme_20<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    let keys: &[&str] = match (text_of(node, "type"), text_of(node, "flow")) {
        (Some("apiKey"), _) => &["name", "in"],
        (Some("oauth2"), None) => &["flow"],
        (Some("oauth2"), Some("implicit")) => &["authorizationUrl"],
        (Some("oauth2"), Some("accessCode")) => &["authorizationUrl", "tokenUrl"],
        (Some("oauth2"), Some(_)) => &["tokenUrl"],
        _ => &[],
    };
    for key in keys {
        needs(judge, node, key, "this type of scheme");
    }
}

pub(super) fn parameter_20<'a>(judge: &mut Judge<'a>, node: Node<'a>) {
    debug_assert_eq!(judge.version, V20);
    let place = text_of(node, "in").unwrap_or_default();
    if place == "body" {
        needs(judge, node, "schema", "a body parameter");
        return;
    }
    needs(judge, node, "type", "a parameter outside the body");
    if text_of(node, "type") == Some("array") {
        needs(judge, node, "items", "an array");
    }
    if text_of(node, "type") == Some("file") && place != "formData" {
        judge.error(node, VALUE, "a file can only be a form parameter");
    }
    if place == "path" && node.get("required").and_then(|r| r.as_bool()) != Some(true) {
        judge.error(node, MISSING, "a path parameter must say `required: true`");
    }
}
