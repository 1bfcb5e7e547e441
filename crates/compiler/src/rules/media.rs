//! Bodies by their media types.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_validation::rules::{BodyRule, Encoding, MediaRule, Style, reference};

use super::Context;
use super::bundle::{Bundle, Way};
use crate::input::spot::Spot;
use crate::structure::Version;

/// More media types than anybody writes for one body; what follows is not read.
const MAX: usize = 100;

/// What the body of an operation's requests must be.
pub(super) fn body<'a>(context: &Context<'_, 'a>, operation: &Spot<'a>, bundle: &mut Bundle<'a>) -> Option<BodyRule> {
    if context.version == Version::V20 {
        return old::body(context, operation, bundle);
    }
    let spot = context.sources.follow(operation.get("requestBody")?).ok()?;
    let content = content(context, &spot, Way::Request, bundle);
    // 3.0 says of these methods that a body "shall be ignored": nobody has to send one. One that is sent is what the author wrote.
    let bodiless = ["get", "head", "delete"].iter().any(|method| operation.pointer.ends_with(&format!("/{method}")));
    let required = spot.node.get("required").and_then(|required| required.as_bool()) == Some(true);
    let required = required && !(context.version == Version::V30 && bodiless);
    (required || !content.is_empty()).then(|| BodyRule { required, content, source: spot.written() })
}

/// Each media type of a `content`.
pub(super) fn content<'a>(context: &Context<'_, 'a>, spot: &Spot<'a>, way: Way, bundle: &mut Bundle<'a>) -> Vec<MediaRule> {
    let Some(content) = spot.get("content") else { return Vec::new() };
    let entries: Vec<_> = content.entries().filter(|(range, _)| range.contains('/')).take(MAX).collect();
    let mut rules = Vec::new();
    for (range, entry) in entries {
        let Ok(media) = context.sources.follow(entry) else { continue };
        let mut schema = |key: &str| media.get(key).map(|schema| bundle.number(&schema, way, Default::default(), context.version));
        let (schema, item_schema) = (schema("schema"), schema("itemSchema"));
        let encoding = encodings(context, &media);
        rules.push(MediaRule { range: range.to_owned(), schema, item_schema, encoding, source: media.written() });
    }
    rules
}

/// How the members of a form are written.
fn encodings(context: &Context<'_, '_>, media: &Spot<'_>) -> BTreeMap<String, Encoding> {
    let Some(encodings) = media.get("encoding") else { return BTreeMap::new() };
    let _ = context;
    encodings.entries().map(|(name, spot)| (name.to_owned(), encoding(&spot))).collect()
}

fn encoding(spot: &Spot<'_>) -> Encoding {
    let types = spot.text("contentType").unwrap_or_default();
    let content_types = types.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
    let style = spot.text("style");
    let explode = spot.node.get("explode").and_then(|explode| explode.as_bool());
    let style = match (style.as_deref(), explode) {
        (None, None) => None,
        (Some("spaceDelimited"), _) => Some(Style::SpaceDelimited),
        (Some("pipeDelimited"), _) => Some(Style::PipeDelimited),
        (Some("deepObject"), _) => Some(Style::DeepObject),
        (_, Some(false)) => Some(Style::Form),
        _ => Some(Style::FormExplode),
    };
    Encoding { content_types, style }
}

/// OpenAPI 2.0: parameters in the body.
pub(super) mod old {
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data";

    pub(super) fn body<'a>(context: &Context<'_, 'a>, operation: &Spot<'a>, bundle: &mut Bundle<'a>) -> Option<BodyRule> {
        let parameters = parameters(context, operation);
        let is = |spot: &&Spot<'a>, place: &str| spot.text("in").as_deref() == Some(place);
        if let Some(body) = parameters.iter().find(|spot| is(spot, "body")) {
            let schema = body.get("schema").map(|schema| bundle.number(&schema, Way::Request, Default::default(), context.version));
            let media = |range: String| MediaRule { range, schema, item_schema: None, encoding: BTreeMap::new(), source: body.written() };
            let content = listed(context, operation, "consumes").into_iter().map(media).collect();
            return Some(BodyRule { required: is_required(body), content, source: body.written() });
        }
        let fields: Vec<&Spot<'a>> = parameters.iter().filter(|spot| is(spot, "formData")).collect();
        let first = fields.first()?;
        let (schema, encoding) = form(context, &fields, bundle);
        let number = bundle.add(schema, first);
        let files = fields.iter().any(|field| field.text("type").as_deref() == Some("file"));
        let mut ranges = listed(context, operation, "consumes");
        ranges.retain(|range| [FORM, MULTIPART].iter().any(|form| range.eq_ignore_ascii_case(form)));
        if ranges.is_empty() {
            ranges.push(if files { MULTIPART } else { FORM }.to_owned());
        }
        let media = |range: String| MediaRule {
            range,
            schema: Some(number),
            item_schema: None,
            encoding: encoding.clone(),
            source: first.written(),
        };
        let required = fields.iter().any(|field| is_required(field));
        Some(BodyRule { required, content: ranges.into_iter().map(media).collect(), source: first.written() })
    }

    /// The fields of a form as the members of an object.
    fn form<'a>(context: &Context<'_, 'a>, fields: &[&Spot<'a>], bundle: &mut Bundle<'a>) -> (Value, BTreeMap<String, Encoding>) {
        let (mut members, mut required, mut encoding) = (Map::new(), Vec::new(), BTreeMap::new());
        for field in fields {
            let Some(name) = field.text("name") else { continue };
            let number = bundle.number(field, Way::Request, Default::default(), context.version);
            members.insert(name.clone(), json!({ "$ref": reference(number) }));
            if is_required(field) {
                required.push(name.clone());
            }
            let style = match field.text("collectionFormat").as_deref() {
                Some("multi") => None,
                Some("ssv") => Some(Style::SpaceDelimited),
                Some("tsv") => Some(Style::TabDelimited),
                Some("pipes") => Some(Style::PipeDelimited),
                _ => Some(Style::Form),
            };
            if field.text("type").as_deref() == Some("array") && style.is_some() {
                encoding.insert(name, Encoding { content_types: Vec::new(), style });
            }
        }
        let mut schema = json!({ "type": "object", "properties": members, "x-line": fields.first().map_or(0, |field| field.node.line()) });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        (schema, encoding)
    }

    fn is_required(spot: &Spot<'_>) -> bool {
        spot.node.get("required").and_then(|required| required.as_bool()) == Some(true)
    }

    /// The operation's own parameters, and those of its path that it does not name anew.
    fn parameters<'a>(context: &Context<'_, 'a>, operation: &Spot<'a>) -> Vec<Spot<'a>> {
        let mut found: Vec<Spot<'a>> = Vec::new();
        let path = operation.pointer.rsplit_once('/').map(|(path, _)| path.to_owned()).unwrap_or_default();
        let above = operation.node.document().at(&path).map(|node| Spot { file: operation.file, node, pointer: path });
        for level in [Some(operation.clone()), above].into_iter().flatten() {
            for item in level.get("parameters").iter().flat_map(|list| list.items().take(1000).collect::<Vec<_>>()) {
                let Ok(spot) = context.sources.follow(item) else { continue };
                let same = |known: &Spot<'a>| known.text("in") == spot.text("in") && known.text("name") == spot.text("name");
                if !found.iter().any(same) {
                    found.push(spot);
                }
            }
        }
        found
    }

    /// `consumes` or `produces` of the operation, or else of the document; anything when neither says.
    pub(in crate::rules) fn listed(context: &Context<'_, '_>, operation: &Spot<'_>, key: &str) -> Vec<String> {
        let list = operation.node.get(key).or_else(|| context.root.node.get(key));
        let names: Vec<String> = list.iter().flat_map(|list| list.items()).take(MAX).filter_map(|name| name.text()).collect();
        if names.is_empty() { vec!["*/*".to_owned()] } else { names }
    }
}
