use serde_json::json;

use super::*;
use crate::rules::reference;

const XML: &str = "application/xml";

/// A document is that value and no other.
#[track_caller]
fn reads(schema: &Value, document: &str, value: Value) {
    let fitting = Judge::one(XML, json!({"allOf": [schema, {"const": value}]}));
    let other = Judge::one(XML, json!({"allOf": [schema, {"not": {"const": value}}]}));
    assert_eq!(fitting.told(XML, document), [""; 0], "{document}");
    assert_eq!(other.told(XML, document), ["not"], "{document}");
}

#[test]
fn elements_are_members_of_the_type_of_their_schema() {
    let schema = json!({"type": "object", "properties": {
        "id": {"type": "integer"}, "price": {"type": "number"}, "sold": {"type": "boolean"}, "name": {"type": "string"},
        "home": {"type": "object", "properties": {"zip": {"type": "string"}}}, "any": {}, "none": {"type": ["string", "null"]}}});
    reads(&schema, "<pet/>", json!({}));
    reads(
        &schema,
        "<pet><id> 1 </id><price>1.50</price><sold>true</sold><name> 12 </name></pet>",
        json!({"id": 1, "price": 1.5, "sold": true, "name": " 12 "}),
    );
    reads(
        &schema,
        "<?xml version='1.0' encoding=\"UTF-8\"?>\n<!-- c -->\n<pet>\n  <home><zip>0<!-- c -->1<![CDATA[<2]]>&lt;&#51;</zip></home>\n</pet>",
        json!({"home": {"zip": "01<2<3"}}),
    );
    reads(&schema, "<pet><home/><name/></pet>", json!({"home": {}, "name": ""}));
    reads(
        &schema,
        "<pet><any><a>1</a><a>2</a><b c='3'>x</b></any></pet>",
        json!({"any": {"a": ["1", "2"], "b": {"@c": "3", "#text": "x"}}}),
    );
    reads(&schema, "<pet xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><none i:nil='true'/></pet>", json!({"none": null}));
    reads(&json!({"type": "integer"}), "<n>12</n>", json!(12));
}

#[test]
fn names_attributes_and_texts_are_those_of_the_xml_object() {
    let schema = json!({"type": "object", "xml": {"name": "Pet"}, "properties": {
        "id": {"type": "integer", "xml": {"attribute": true}}, "kind": {"type": "string", "xml": {"nodeType": "attribute", "name": "type"}},
        "label": {"type": "string", "xml": {"name": "Label"}}}});
    reads(&schema, "<Pet type='cat' id='7'><Label>x</Label></Pet>", json!({"id": 7, "kind": "cat", "label": "x"}));
    for nothing in ["text", "cdata"] {
        let text = json!({"type": "object", "properties": {
            "unit": {"type": "string", "xml": {"attribute": true}}, "amount": {"type": "number", "xml": {"nodeType": nothing}}}});
        reads(&text, "<price unit='EUR'>\n1.5</price>", json!({"unit": "EUR", "amount": 1.5}));
    }
}

#[test]
fn lists_are_siblings_or_within_an_element_of_their_own() {
    let list = |array: Value, items: Value| {
        let items = json!({"type": "integer", "xml": items});
        json!({"type": "object", "properties": {"n": {"type": "array", "items": items, "xml": array}, "a": {"type": "string"}}})
    };
    let expected = || json!({"n": [1, 2], "a": "x"});
    reads(&list(json!({}), json!({})), "<r><n>1</n><a>x</a><n>2</n></r>", expected());
    reads(&list(json!({"name": "ignored"}), json!({})), "<r><n>1</n><a>x</a><n>2</n></r>", expected());
    reads(&list(json!({"nodeType": "none"}), json!({"name": "i"})), "<r><i>1</i><a>x</a><i>2</i></r>", expected());
    reads(&list(json!({"wrapped": true}), json!({})), "<r><n><n>1</n><n>2</n></n><a>x</a></r>", expected());
    reads(&list(json!({"wrapped": true, "name": "all"}), json!({})), "<r><all><all>1</all><all>2</all></all><a>x</a></r>", expected());
    reads(
        &list(json!({"nodeType": "element", "name": "all"}), json!({"name": "i"})),
        "<r><all><i>1</i><i>2</i></all><a>x</a></r>",
        expected(),
    );
    reads(&list(json!({"wrapped": true}), json!({"name": "i"})), "<r><n/></r>", json!({"n": []}));
    reads(&list(json!({}), json!({})), "<r><n>1</n></r>", json!({"n": [1]}));
    reads(&json!({"type": "array", "items": {"type": "integer"}}), "<r><x>1</x><x>2</x></r>", json!([1, 2]));
    let nested =
        json!({"type": "array", "items": {"type": "array", "xml": {"name": "row"}, "items": {"type": "integer", "xml": {"name": "cell"}}}});
    reads(&nested, "<t><row><cell>1</cell></row><row/></t>", json!([[1], []]));
}

#[test]
fn a_list_has_nothing_but_its_items() {
    let array = json!({"type": "array", "items": {"type": "integer", "xml": {"name": "i"}}, "xml": {"wrapped": true}});
    let judge = Judge::one(XML, json!({"properties": {"n": array}}));
    assert!(judge.told(XML, "<r><n>\n<i>1</i>\n</n></r>").is_empty());
    for bad in
        ["<r><n><i>1</i><j>1</j></n></r>", "<r><n>x<i>1</i></n></r>", "<r><n a='1'><i>1</i></n></r>", "<r><n><i xmlns='u'>1</i></n></r>"]
    {
        assert_eq!(judge.told(XML, bad), ["xml"], "{bad}");
    }
    let unnamed = Judge::one(XML, json!({"properties": {"n": {"type": "array", "xml": {"wrapped": true}}}}));
    assert!(unnamed.told(XML, "<r><n><n>1</n></n></r>").is_empty());
    assert_eq!(unnamed.told(XML, "<r><n><i>1</i></n></r>"), ["xml"]);
    assert_eq!(judge.told(XML, "<r><n/><n/></r>"), ["duplicate-name"]);
    assert_eq!(judge.told(XML, "<r><n><i>1</i><i>x</i></n></r>"), ["type /n/1"]);
}

#[test]
fn namespaces_are_compared_and_prefixes_are_not() {
    let schema = json!({"type": "object", "xml": {"name": "pet", "namespace": "urn:a", "prefix": "p"}, "additionalProperties": false, "properties": {
        "id": {"type": "integer", "xml": {"namespace": "urn:b", "prefix": "q"}}, "name": {"type": "string"},
        "lang": {"type": "string", "xml": {"attribute": true, "namespace": "urn:b"}}}});
    for document in [
        "<x:pet xmlns:x='urn:a' xmlns:y='urn:b' y:lang='e'><y:id>1</y:id><name>n</name></x:pet>",
        "<pet xmlns='urn:a' xmlns:y='urn:b' y:lang='e'><id xmlns='urn:b'>1</id><name>n</name></pet>",
        "<pet xmlns='urn:a' xmlns:y='urn:b' y:lang='e'><y:id>1</y:id><name xmlns=''>n</name></pet>",
    ] {
        reads(&schema, document, json!({"id": 1, "name": "n", "lang": "e"}));
    }
    let judge = Judge::one(XML, schema);
    for (document, told) in [
        ("<pet/>", "xml"),
        ("<p:pet xmlns:p='urn:b'/>", "xml"),
        ("<other xmlns='urn:a'/>", "xml"),
        ("<pet xmlns='urn:a'><id>1</id></pet>", "additionalProperties"),
        ("<pet xmlns='urn:a'><name xmlns='urn:c'>1</name></pet>", "additionalProperties"),
        ("<pet xmlns='urn:a' lang='e'/>", "additionalProperties"),
    ] {
        assert_eq!(judge.told(XML, document), [told], "{document}");
    }
}

#[test]
fn what_is_not_declared_is_additional_and_never_what_is() {
    let properties = json!({"id": {"type": "integer"}, "key": {"type": "integer", "xml": {"name": "k", "attribute": true}}});
    let closed = Judge::one(XML, json!({"type": "object", "properties": properties, "additionalProperties": false}));
    assert!(closed.told(XML, "<r k='1'><id>1</id></r>").is_empty());
    for bad in [
        "<r id='1'/>",
        "<r><k>1</k></r>",
        "<r><key>1</key></r>",
        "<r key='1'/>",
        "<r>text</r>",
        "<r><other/></r>",
        "<r xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:type='t'/>",
    ] {
        assert_eq!(closed.told(XML, bad), ["additionalProperties"], "{bad}");
    }
    assert!(closed.told(XML, "<r xml:lang='en' xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:schemaLocation='a b'/>").is_empty());
    let typed = Judge::one(XML, json!({"type": "object", "properties": properties, "additionalProperties": {"type": "integer"}}));
    assert!(typed.told(XML, "<r a='1'><b>2</b></r>").is_empty());
    assert_eq!(typed.told(XML, "<r><secret>x</secret></r>"), ["type /*"]);
    assert_eq!(typed.told(XML, "<r><b>1</b><b>1</b></r>"), ["duplicate-name"]);
}

#[test]
fn what_is_no_text_is_not_read_as_one() {
    let judge = Judge::one(XML, json!({"properties": {"id": {"type": "string"}}}));
    for bad in
        ["<r><id><a/></id></r>", "<r><id a='1'>x</id></r>", "<r xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><id i:nil='1'/></r>"]
    {
        assert_eq!(judge.told(XML, bad), ["type /id"], "{bad}");
    }
    assert_eq!(judge.told(XML, "<r><id>1</id><id>1</id></r>"), ["duplicate-name"]);
}

#[test]
fn a_schema_that_refers_to_itself_is_read_as_deep_as_the_limits_allow() {
    let tree =
        json!({"type": "object", "properties": {"n": {"type": "integer"}, "child": {"type": "array", "items": {"$ref": reference(0)}}}});
    let judge = Judge::one(XML, tree);
    let nested = |levels: usize, value: &str| format!("<r>{}<n>{value}</n>{}</r>", "<child>".repeat(levels), "</child>".repeat(levels));
    assert!(judge.told(XML, nested(20, "1")).is_empty());
    assert_eq!(judge.told(XML, nested(1, "x")), ["type /child/0/n"]);
    assert_eq!(judge.told(XML, nested(100_000, "1")), ["depth"]);
    let mut deep = judge;
    deep.limits.json.depth = usize::MAX;
    assert!(deep.told(XML, nested(100, "1")).is_empty());
    assert_eq!(deep.told(XML, nested(30_000, "1")), ["depth"]);
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    let judge = Judge::one(XML, json!({}));
    for (bad, told) in [
        ("", "xml"),
        ("<a>", "xml"),
        ("<a/><b/>", "xml"),
        ("<a/>text", "xml"),
        ("<a b='1' b='2'/>", "xml"),
        ("<p:a/>", "xml"),
        ("<a xmlns='u' xmlns='v'/>", "xml"),
        ("<!DOCTYPE a><a/>", "xml"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "xml"),
        ("<a>&b;</a>", "xml"),
        ("<a>&#0;</a>", "xml"),
        ("<a>&#xD800;</a>", "xml"),
        ("<a b='&#x110000;'/>", "xml"),
        ("<a>\u{1}</a>", "xml"),
        ("<1a/>", "xml"),
        ("<a:b:c xmlns:a='u'/>", "xml"),
        ("<a b='<'/>", "xml"),
        ("<a>]]></a>", "xml"),
        ("text<a/>", "xml"),
        ("<a/><?xml version='1.0'?>", "xml"),
        (" <?xml version='1.0'?><a/>", "xml"),
        ("<?XML version='1.0'?><a/>", "xml"),
        ("<?xml version='1.1'?><a/>", "xml"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "charset"),
        ("\u{feff}<?xml version='1.0'\n encoding = \"utf-16\" ?><a/>", "charset"),
    ] {
        assert_eq!(judge.told(XML, bad), [told], "{bad}");
    }
    assert_eq!(judge.told(XML, b"<a>\xff</a>"), ["utf-8"]);
    assert_eq!(judge.told("application/xml; charset=iso-8859-1", "<a/>"), ["charset"]);
    for good in [
        "\u{feff}<a/>",
        "<?xml version=\"1.0\" encoding='utf-8' standalone='yes'?><a/>",
        "<a>\u{e9}<?other encoding='x'?><![CDATA[&#D800]]></a>",
    ] {
        assert!(judge.told("application/xml; charset=utf-8", good).is_empty(), "{good}");
    }
    assert!(Judge::one("application/*+xml", json!({})).told("application/atom+xml", "<a/>").is_empty());
}

/// The parser alone takes 50 seconds for 2,000 namespaces that 4,000 elements add to, and 1.7 for 20,000 attributes, which grows by the
/// square.
#[test]
fn a_document_that_costs_more_than_its_size_is_refused_at_once() {
    let judge = Judge::one(XML, json!({}));
    let attributes: String = (0..90_000).map(|n| format!(" a{n}=''")).collect();
    let many = |count: usize| (0..count).map(|n| format!(" xmlns:n{n}='u{n}'")).collect::<String>();
    let nested: String = (0..1_000).map(|n| format!("<b xmlns:n{n}='u'>")).collect();
    let timed = |document: String, told: &[&str]| {
        let begun = std::time::Instant::now();
        assert_eq!(judge.told(XML, document), told);
        assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
    };
    timed(format!("<a{attributes}/>"), &["xml"]);
    timed(format!("<a{}>{}</a>", many(200), "<b xmlns:x='y'/>".repeat(10_000)), &["xml"]);
    timed(format!("{nested}{}", "</b>".repeat(1_000)), &["xml"]);
    timed(format!("<a>{}</a>", "<b xmlns:x='y'/>".repeat(20_000)), &["xml"]);
    // Each element would have a name of a megabyte.
    timed(format!("<a xmlns:x='{}'>{}</a>", "u".repeat(1_000_000), "<x:b/>".repeat(50_000)), &["string"]);
    // What is let through.
    timed(format!("<a{}>{}</a>", many(63), "<b xmlns:x='y'/>".repeat(16_000)), &[]);
    timed(format!("<a{}>{}</a>", many(64), "<b></b>".repeat(90_000)), &[]);
}

#[test]
fn the_values_of_a_document_are_counted() {
    let mut few = Judge::one(XML, json!({}));
    few.limits.json = json::Limits { values: 5, ..json::Limits::default() };
    assert!(few.told(XML, "<a b='1' c='2'><d/></a>").is_empty());
    assert_eq!(few.told(XML, "<a b='1' c='2'><d/><e/><f/></a>"), ["values"]);
    assert_eq!(few.told(XML, "<a b='1' c='2' d='3' e='4' f='5' g='6'/>"), ["values"]);
    assert_eq!(few.told(XML, format!("<a>{}</a>", "<!-- c --><?p?>".repeat(20))), ["values"]);
}

#[test]
fn an_xml_object_that_cannot_be_read_is_not_compiled() {
    for node_type in ["none", "other"] {
        let schema = json!({"properties": {"a": {"type": "object", "xml": {"nodeType": node_type}}}});
        let broken = Bodies::compile(&[rule(XML, Some(0))], &library(&[schema]), None).unwrap_err();
        assert!(broken.message.contains("`a`"), "{broken}");
    }
}

/// The first body of a notation finds what reads it made, or makes it.
#[test]
fn a_range_is_read_in_every_notation() {
    let judge = Judge::one("*/*", json!({"type": "object", "properties": {"id": {"type": "integer"}}}));
    let form = "application/x-www-form-urlencoded";
    for _ in 0..2 {
        for (sent, good, bad) in
            [(XML, "<r><id>1</id></r>", "<r><id>x</id></r>"), (form, "id=1", "id=x"), ("application/json", "{\"id\":1}", "{\"id\":\"x\"}")]
        {
            assert!(judge.told(sent, good).is_empty(), "{sent}");
            assert_eq!(judge.told(sent, bad), ["type /id"], "{sent}");
        }
    }
    let unreadable = Judge::one("*/*", json!({"properties": {"a": {"type": "object", "xml": {"nodeType": "none"}}}}));
    assert_eq!(unreadable.told(XML, "<r/>"), ["content-type"]);
}
