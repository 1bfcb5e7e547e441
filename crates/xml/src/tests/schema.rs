use super::*;

#[test]
fn members_are_attributes_texts_elements_and_lists_as_the_schema_says() {
    let schema = json!({"type": "object", "xml": {"name": "Pet"}, "properties": {
        "id": {"type": "integer", "xml": {"attribute": true}}, "price": {"type": "number"}, "sold": {"type": "boolean"},
        "none": {"type": ["string", "null"]}, "tags": {"type": "array", "items": {"type": "string", "xml": {"name": "tag"}}},
        "sizes": {"type": "array", "xml": {"name": "all", "wrapped": true}, "items": {"type": "integer", "xml": {"name": "size"}}},
        "unit": {"type": "object", "properties": {"of": {"type": "string", "xml": {"nodeType": "attribute"}},
                                                  "amount": {"type": "number", "xml": {"nodeType": "text"}}}}}});
    both(
        schema,
        "{\"id\":7,\"price\":1.10,\"sold\":true,\"none\":null,\"tags\":[\"a\",\"b\"],\"sizes\":[1,2],\"unit\":{\"of\":\"EUR\",\"amount\":12345678901234567890123}}",
        "<Pet id=\"7\"><price>1.10</price><sold>true</sold><none xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>\
         <tag>a</tag><tag>b</tag><all><size>1</size><size>2</size></all><unit of=\"EUR\">12345678901234567890123</unit></Pet>",
    );
}

#[test]
fn without_a_schema_every_text_is_a_string_and_lists_repeat_their_element() {
    both(
        json!({}),
        "{\"@id\":\"1\",\"a\":[\"1\",\"2\"],\"b\":{\"@c\":\"3\",\"d\":\"\",\"#text\":\"x\"},\"n\":null}",
        "<root id=\"1\"><a>1</a><a>2</a><b c=\"3\">x<d/></b><n xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/></root>"
            .replace("x<d/>", "<d/>x")
            .as_str(),
    );
}

#[test]
fn a_whole_list_has_items_of_the_name_of_the_schema_or_of_the_settings() {
    let rows = json!({"type": "array", "xml": {"name": "rows"}, "items": {"type": "array", "xml": {"name": "row"}, "items": {"type": "integer", "xml": {"name": "cell"}}}});
    both(rows, "[[1],[]]", "<rows><row><cell>1</cell></row><row></row></rows>");
    both(json!({"type": "array", "items": {"type": "integer"}}), "[1,2]", "<root><item>1</item><item>2</item></root>");
}

#[test]
fn namespaces_are_declared_where_they_are_first_needed_and_taken_back_where_they_do_not_hold() {
    let schema = json!({"type": "object", "xml": {"name": "pet", "namespace": "urn:a"}, "properties": {
        "lang": {"type": "string", "xml": {"attribute": true, "namespace": "urn:b"}},
        "id": {"type": "integer", "xml": {"namespace": "urn:b", "prefix": "q"}},
        "home": {"type": "object", "xml": {"namespace": "urn:c", "prefix": "q"}, "properties": {
            "zip": {"type": "string"}, "kind": {"type": "string", "xml": {"attribute": true, "namespace": "urn:d", "prefix": "q"}}}},
        "name": {"type": "string"}}});
    both(
        schema,
        "{\"lang\":\"e\",\"id\":1,\"home\":{\"kind\":\"k\",\"zip\":\"0\"},\"name\":\"n\"}",
        "<pet xmlns=\"urn:a\" xmlns:ns0=\"urn:b\" ns0:lang=\"e\"><q:id xmlns:q=\"urn:b\">1</q:id>\
         <q:home xmlns:q=\"urn:c\" xmlns:ns1=\"urn:d\" ns1:kind=\"k\"><zip xmlns=\"\">0</zip></q:home><name>n</name></pet>",
    );
    both(
        json!({}),
        "{\"{urn:a}b\":{\"c\":\"1\",\"{urn:d}e\":\"2\"}}",
        "<root><b xmlns=\"urn:a\"><c>1</c><e xmlns=\"urn:d\">2</e></b></root>",
    );
}

#[test]
fn what_would_be_markup_or_lost_is_escaped() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string", "xml": {"attribute": true}}, "t": {"type": "string"}}});
    both(
        schema,
        "{\"a\":\"<&>\\\"'\\t\\n\\r\\\\\",\"t\":\"<a>&amp;]]>\\r\\n \\\"\u{1f600}\"}",
        "<root a=\"&lt;&amp;>&quot;'&#x9;&#xa;&#xd;\\\"><t>&lt;a&gt;&amp;amp;]]&gt;&#xd;\n \"\u{1f600}</t></root>",
    );
}

#[test]
fn what_has_no_place_in_a_document_is_refused_with_its_pointer() {
    let schema = json!({"type": "object", "properties": {"id": {"type": "integer", "xml": {"attribute": true}},
        "t": {"type": "string", "xml": {"nodeType": "text"}}, "r": {"type": "string", "xml": {"name": "renamed"}}}});
    for (body, told) in [
        ("{\"x\":{\"a b\":1}}", "has a name that is none in XML at \"/x/a b\""),
        ("{\"\":1}", "has a name that is none in XML at \"/\""),
        ("{\"@xmlns\":\"u\"}", "has a name that is none in XML at \"/@xmlns\""),
        ("{\"{http://www.w3.org/2000/xmlns/}a\":1}", "has a name that is none in XML at \"/{http:~1~1www.w3.org~12000~1xmlns~1}a\""),
        ("{\"x\":[1,\"\\u0001\"]}", "has a character that XML cannot hold at \"/x/1\""),
        ("{\"x\":\"\\uffff\"}", "has a character that XML cannot hold at \"/x\""),
        ("{\"id\":[1]}", "has an object or an array where only an attribute or a text can be at \"/id\""),
        ("{\"t\":{}}", "has an object or an array where only an attribute or a text can be at \"/t\""),
        ("{\"id\":1,\"@id\":2}", "has two members that are one in XML at \"/@id\""),
        ("{\"renamed\":\"a\"}", "has two members that are one in XML at \"/renamed\""),
        ("{\"#text\":\"a\"}", "has two members that are one in XML at \"/#text\""),
        ("{\"a\":1,\"a\":2}", "has an object with the same name twice at \"\""),
        ("{", "cannot be read at \"\""),
    ] {
        assert_eq!(xml(Convention::Schema, &schema, body), told, "{body}");
    }
    let many: Value = (0..257).map(|n| (format!("@a{n}"), json!(1))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(xml(Convention::Schema, &json!({}), &many.to_string()), "has too many attributes at \"/@a256\"");
}
