use super::*;

fn written(body: &str) -> String {
    xml(Convention::Wso2, &json!({}), body)
}

fn read(document: &str) -> String {
    json_of(Convention::Wso2, &json!({}), document)
}

#[test]
fn json_becomes_what_the_reference_product_writes() {
    for (body, document) in [
        (
            "{\"Store\":{\"@id\":\"AST\",\"name\":\"Anne\",\"address\":{\"street\":\"Main\",\"city\":\"94\"},\"codes\":[\"4\",\"8\"]}}",
            "<Store id=\"AST\"><name>Anne</name><address><street>Main</street><city>94</city></address><codes><root>4</root><root>8</root></codes></Store>",
        ),
        ("{\"a\":null}", "<a xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/>"),
        ("{\"a\":{}}", "<a/>"),
        ("{\"a\":[]}", "<a/>"),
        ("{\"a\":\"\"}", "<a></a>"),
        ("{\"a\":{\"b\":1.10,\"@c\":true}}", "<a c=\"true\"><b>1.10</b></a>"),
        ("[{\"a\":1}]", "<root><a>1</a></root>"),
        ("{\"a\":\"<&>\"}", "<a>&lt;&amp;&gt;</a>"),
    ] {
        assert_eq!(written(body), document);
    }
}

#[test]
fn what_is_no_document_there_is_refused() {
    let roots = "would have no outermost element, or several: a document has one at \"\"";
    for body in ["{\"name\":\"John\",\"age\":30}", "{}", "[]", "[1,2]", "null", "\"text\"", "12"] {
        assert_eq!(written(body), roots, "{body}");
    }
    assert_eq!(written("{\"@a\":1}"), "has a name that is none in XML at \"/@a\"");
    assert_eq!(written("{\"a\":{\"b:c\":1}}"), "has a name that is none in XML at \"/a/b:c\"");
    assert_eq!(written("{\"a\":{\"@b\":[]}}"), "has an object or an array where only an attribute or a text can be at \"/a/@b\"");
    assert_eq!(written("{\"a\":{\"@b\":null}}"), "has an object or an array where only an attribute or a text can be at \"/a/@b\"");
}

#[test]
fn xml_becomes_what_the_reference_product_writes() {
    for (document, body) in [
        ("<name>supun</name>", "{\"name\":\"supun\"}"),
        ("<a x='1'>t</a>", "{\"a\":\"t\", \"@x\":\"1\"}"),
        ("<a x='1'/>", "{\"@x\":\"1\"}"),
        ("<a/>", "{\"a\":\"\"}"),
        ("<a><!-- c --></a>", "{\"a\":{}}"),
        ("<root><hello-0>1</hello-0><hello-1>2</hello-1></root>", "{\"root\":{\"hello-0\":\"1\", \"hello-1\":\"2\"}}"),
        ("<root><hello>1</hello><hello>2</hello></root>", "{\"root\":{\"hello\":[\"1\", \"2\"]}}"),
        ("<root><!--c--><hello>1</hello><!--c--><hello>2</hello><!--c--></root>", "{\"root\":{\"hello\":[\"1\", \"2\"]}}"),
        ("<root><hello attr0='hello'></hello><hello></hello></root>", "{\"root\":{\"hello\":[{\"@attr0\":\"hello\"}, []]}}"),
        ("<foo><bar>2</bar><car></car></foo>", "{\"foo\":{\"bar\":\"2\", \"car\":\"\"}}"),
        ("<a>\n<b>1</b>t</a>", "{\"a\":[\"\\n\", {\"b\":\"1\"}, \"t\"]}"),
        ("<a xmlns='u' xmlns:p='v' p:b='1' c='2'/>", "{\"@xmlns:p\":\"v\", \"@xmlns\":\"u\", \"@p:b\":\"1\", \"@c\":\"2\"}"),
        ("<p:a xmlns:p='v'><p:b>1</p:b></p:a>", "{\"p:a\":{\"p:b\":{\"p:b\":\"1\", \"@xmlns:p\":\"v\"}}, \"@xmlns:p\":\"v\"}"),
        ("<a xmlns='u'><b>1</b><b>2</b></a>", "{\"a\":{\"{u}b\":[\"1\", \"2\"]}, \"@xmlns\":\"u\"}"),
        ("<a xml:lang='e'/>", "{\"@xmlns:xml\":\"http://www.w3.org/XML/1998/namespace\", \"@xml:lang\":\"e\"}"),
        ("<a b = \"'>\" c='\"&lt;'>t</a>", "{\"a\":\"t\", \"@b\":\"'>\", \"@c\":\"\\\"<\"}"),
    ] {
        assert_eq!(read(document), body, "{document}");
    }
}

/// The reference product's own test, whose declarations are written on the outermost element alone.
#[test]
fn a_whole_invoice_keeps_its_spaces_prefixes_and_attributes() {
    let document = "<Invoice xmlns=\"example.com\" attr=\"attr-val\" xmlns:ns=\"ns.com\" ns:attr=\"ns-attr-val\">\n  <Line><Code discount=\"22%\">200777</Code><Count>7</Count></Line>\n  <Address xmlns=\"\"><Zip>00300</Zip></Address>\n</Invoice>";
    let body = "{\"Invoice\":[\"\\n  \", {\"Line\":{\"Code\":{\"Code\":\"200777\", \"@discount\":\"22%\"}, \"Count\":\"7\"}}, \"\\n  \", {\"Address\":{\"Zip\":\"00300\"}, \"@xmlns\":\"\"}, \"\\n\"], \"@xmlns:ns\":\"ns.com\", \"@xmlns\":\"example.com\", \"@attr\":\"attr-val\", \"@ns:attr\":\"ns-attr-val\"}";
    assert_eq!(read(document), body);
}

#[test]
fn an_element_that_would_be_lost_is_an_error() {
    let told = "repeats an element among others, of which only the last would remain";
    assert_eq!(read("<a><b>1</b><c>2</c><b>3</b></a>"), told);
    assert_eq!(read("<p:a xmlns:p='u'><d><b>1</b><c/><b>3</b></d></p:a>"), told);
    assert_eq!(read("<a>t<b>1</b><c>2</c><b>3</b></a>"), "{\"a\":[\"t\", {\"b\":\"1\"}, {\"c\":\"2\"}, {\"b\":\"3\"}]}");
}
