use super::*;

/// Numbers that look random and are the same each time.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn one<'v>(&mut self, of: &[&'v str]) -> &'v str {
        of[self.below(of.len())]
    }

    /// An `xml` object; a list that is not wrapped could not be told from none when it is empty.
    fn xml(&mut self, is_list: bool) -> Value {
        let mut xml = serde_json::Map::new();
        if self.below(3) == 0 {
            xml.insert("name".to_owned(), json!(format!("n{}", self.below(1000))));
        }
        if self.below(3) == 0 {
            xml.insert("namespace".to_owned(), json!(self.one(&["urn:a", "urn:b"])));
        }
        if self.below(3) == 0 {
            xml.insert("prefix".to_owned(), json!(self.one(&["p", "q"])));
        }
        if is_list {
            xml.insert("wrapped".to_owned(), json!(true));
        }
        xml.into()
    }

    /// A scalar of that type, as JSON text, numbers with all their digits.
    fn scalar(&mut self, kind: &str) -> String {
        match kind {
            "integer" => self.one(&["0", "-7", "12345678901234567890123"]).to_owned(),
            "number" => self.one(&["1.10", "-0.000", "1e5", "7", "123456789.000000000100"]).to_owned(),
            "boolean" => self.one(&["true", "false"]).to_owned(),
            _ => json!(self.one(&["", " ", "a", "<&>\"'", "\r\n\t", "12", "true", "\u{e9}\u{1f600}", "]]>", "&#0;"])).to_string(),
        }
    }

    /// A schema, and a value of it as JSON text. `depth`: objects and lists in each other that may follow.
    fn pair(&mut self, depth: usize) -> (Value, String) {
        match self.below(if depth == 0 { 1 } else { 3 }) {
            0 => {
                let kind = self.one(&["integer", "number", "boolean", "string"]);
                let is_null = self.below(8) == 0;
                let text = if is_null { "null".to_owned() } else { self.scalar(kind) };
                (json!({"type": [kind, "null"], "xml": self.xml(false)}), text)
            }
            1 => {
                // Items of one schema: that of the first value, with other scalars where it is one.
                let (items, first) = self.pair(depth - 1);
                let mut texts = vec![first; self.below(3)];
                if let Some(kind) = items["type"][0].as_str() {
                    texts.iter_mut().for_each(|text| *text = self.scalar(kind));
                }
                (json!({"type": "array", "items": items, "xml": self.xml(true)}), format!("[{}]", texts.join(",")))
            }
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> (Value, String) {
        let (mut properties, mut attributes, mut elements) = (serde_json::Map::new(), Vec::new(), Vec::new());
        for number in 0..self.below(5) {
            let name = format!("m{number}");
            if self.below(4) == 0 {
                let kind = self.one(&["integer", "number", "boolean", "string"]);
                let mut xml = self.xml(false);
                xml["attribute"] = json!(true);
                xml["name"] = json!(name);
                attributes.push(format!("\"{name}\":{}", self.scalar(kind)));
                properties.insert(name, json!({"type": kind, "xml": xml}));
            } else {
                let (mut schema, text) = self.pair(depth);
                // Two members of one element would not be told apart.
                schema["xml"]["name"] = json!(format!("e{number}"));
                elements.push(format!("\"{name}\":{text}"));
                properties.insert(name, schema);
            }
        }
        attributes.extend(elements);
        (json!({"type": "object", "properties": properties, "xml": self.xml(false)}), format!("{{{}}}", attributes.join(",")))
    }
}

/// Whatever the schema, a value of it is the same after a way through XML, to the digit.
#[test]
fn a_value_of_a_schema_comes_back_as_it_was() {
    let mut random = Random(42);
    let mut written = 0;
    for number in 0..3_000 {
        let (schema, body) = if number % 2 == 0 { random.object(4) } else { random.pair(4) };
        let document = xml(Convention::Schema, &schema, &body);
        assert!(document.starts_with("<?xml"), "{document}: {schema} {body}");
        assert_eq!(json_of(Convention::Schema, &schema, &document), body, "{schema} {document}");
        written += document.len();
    }
    assert!(written > 300_000, "too little was tried: {written}");
}
