//! Everything that is known of a request, by the names of the facts, for templates.

use std::borrow::Cow;

use http::header;
use serde_json::{Map, Value, json};
use tollgate_filter_api::{KeyType, Principal};

use super::{
    fact::{Fact, Seen},
    request,
};

/// All facts as one document: `principal.subject`, `claim.NAME`, `path.NAME`, `query.NAME`, `header.NAME`, `cookie.NAME` and the others. What is
/// not known is not in it. Of a header or a parameter that stands several times it has none, as facts have none.
pub fn known(seen: &Seen<'_>) -> Map<String, Value> {
    let operation = &seen.call.operation;
    let mut known = Map::new();
    let mut put = |name: &str, value: Value| drop(known.insert(name.to_owned(), value));
    put("client", json!({ "address": seen.call.client.to_string() }));
    put("operation", json!({ "id": operation.id, "method": operation.method, "template": operation.template }));
    put("api", json!({ "title": operation.api, "version": operation.version, "base_path": operation.base_path }));
    put("request", request_facts(seen));
    if let Some(caller) = seen.caller.filter(|caller| !caller.principal.is_anonymous()) {
        put("principal", principal(caller.principal));
        put("claim", Value::Object(caller.principal.claims.clone()));
    }
    let Some(head) = seen.head else { return known };
    let names = operation.template.split('{').skip(1).filter_map(|part| part.split('}').next());
    put("path", texts(names.map(|name| (name.to_owned(), request::path(seen.call, head, name)))));
    let names = head.query().into_iter().flat_map(|query| query.split('&')).map(|pair| pair.split('=').next().unwrap_or_default());
    let names = names.filter_map(request::form).map(text);
    put("query", texts(names.map(|name| (name.clone(), request::query(head, &name)))));
    put("header", texts(head.fields().keys().map(|name| (name.as_str().to_owned(), request::header(head, name)))));
    let cookies = head.get_all(&header::COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|field| field.split(';'));
    let names = cookies.filter_map(|pair| pair.trim().split_once('=')).map(|(name, _)| name.to_owned());
    put("cookie", texts(names.map(|name| (name.clone(), request::cookie(head, &name)))));
    known
}

fn request_facts(seen: &Seen<'_>) -> Value {
    let mut facts = Map::from_iter([("id".to_owned(), seen.call.request_id.to_string().into())]);
    if let Some(head) = seen.head {
        facts.extend(Fact::asked().filter_map(|(name, asked)| Some((name.to_owned(), asked.text(seen.call, head)?.into()))));
    }
    Value::Object(facts)
}

fn principal(principal: &Principal) -> Value {
    let mut known = Map::new();
    for (name, value) in [("subject", &principal.subject), ("issuer", &principal.issuer), ("client", &principal.client)] {
        known.extend(value.as_ref().map(|value| (name.to_owned(), Value::from(value.as_str()))));
    }
    known.insert("scopes".to_owned(), json!(principal.scopes));
    let sandbox = principal.key_type == KeyType::Sandbox;
    known.insert("key_type".to_owned(), if sandbox { "sandbox" } else { "production" }.into());
    Value::Object(known)
}

fn texts<'t>(named: impl Iterator<Item = (String, Option<Cow<'t, [u8]>>)>) -> Value {
    Value::Object(named.filter_map(|(name, value)| Some((name, text(value?).into()))).collect())
}

fn text(bytes: Cow<'_, [u8]>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::seeing;

    #[test]
    fn a_template_finds_facts_by_their_names() {
        let known = seeing("/v1/pets/7%20a?q=x+y&q=z&%61=1", Some("sid=1; sid=2; t=3"), known);
        let known = Value::Object(known);
        assert_eq!(known["path"], json!({ "id": "7 a" }));
        assert_eq!(known["query"], json!({ "q": "x y", "a": "1" }));
        assert_eq!(known["cookie"], json!({ "t": "3" }));
        assert_eq!(known["header"], json!({ "cookie": "sid=1; sid=2; t=3" }));
        assert_eq!(known["client"]["address"], "192.0.2.7");
        let of_request = &known["request"];
        assert_eq!(
            (&of_request["scheme"], &of_request["host"], &of_request["port"]),
            (&json!("https"), &json!("a.example"), &json!("443"))
        );
        assert_eq!((&of_request["path"], &of_request["rest"]), (&json!("/v1/pets/7%20a"), &json!("/pets/7%20a")));
        assert_eq!(of_request["search"], "?q=x+y&q=z&%61=1");
        assert!(known.get("principal").is_none(), "nobody is known");
    }
}
