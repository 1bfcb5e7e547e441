//! Requests that were made to break something.

use super::*;

const SECRET: &str = "zq9secret";

#[test]
fn broken_escapes_and_bytes_that_are_not_utf_8_are_told() {
    let string = json!({"type": "string"});
    for (place, style, text) in [
        (Place::Query, Style::Form, "n=%"),
        (Place::Query, Style::Form, "n=%4"),
        (Place::Query, Style::Form, "n=%zz"),
        (Place::Query, Style::Form, "n=%+1"),
        (Place::Query, Style::Form, "n=%ff"),
        (Place::Query, Style::Form, "n=%c0%af"),
        (Place::Query, Style::Form, "n=%ed%a0%80"),
        (Place::Path, Style::Simple, "%ff"),
        (Place::Path, Style::Matrix, ";n=%ff"),
        (Place::Cookie, Style::Form, "n=100%"),
    ] {
        refuses(&rule(place, style), &string, text, "encoding");
    }
    let found = judged(&rule(Place::Query, Style::Form), &string, "%zz=1&%ff=1");
    assert_eq!((found.rules(), found.findings[0].name.as_deref()), (vec!["encoding", "encoding"], None));
    let mut head = request(Place::Query, "");
    head.append(HeaderName::from_static("n"), HeaderValue::from_bytes(b"\xff").unwrap());
    let parameters = compiled(&[rule(Place::Header, Style::Simple)], "/x", &[string]);
    assert_eq!(judge(&parameters, &head).rules(), ["encoding"]);
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn mutated(&mut self, seed: &str, alphabet: &[u8]) -> Vec<u8> {
        let mut text = seed.as_bytes().to_vec();
        for _ in 0..=self.below(6) {
            let (at, byte) = (self.below(text.len().max(1)), alphabet[self.below(alphabet.len())]);
            match self.below(3) {
                0 if !text.is_empty() => drop(text.remove(at)),
                1 if !text.is_empty() => text[at] = byte,
                _ => text.insert(at, byte),
            }
        }
        text
    }
}

/// One parameter for each style of a place, of which the schemas are integers, lists, objects and any of them.
fn all(place: Place, styles: &[Style]) -> (Vec<ParameterRule>, Vec<Value>) {
    let integer = json!({"type": "integer"});
    let list = json!({"type": "array", "items": integer});
    let object = json!({"type": "object", "properties": {"R": integer, "L": list}, "additionalProperties": integer});
    let schemas = vec![integer.clone(), list.clone(), object.clone(), json!({"oneOf": [integer, list, object, {"type": "string"}]})];
    let mut rules = Vec::new();
    for style in styles {
        for schema in 0..schemas.len() as u32 {
            rules.push(named(&format!("n{}", rules.len()), ParameterRule { schema: Some(schema), ..rule(place, *style) }));
        }
    }
    (rules, schemas)
}

#[test]
fn no_query_makes_it_panic_and_none_is_repeated_in_a_finding() {
    let styles = [Style::Form, Style::FormExplode, Style::SpaceDelimited, Style::PipeDelimited, Style::TabDelimited, Style::DeepObject];
    let (rules, schemas) = all(Place::Query, &styles);
    let parameters = compiled(&rules, "/x", &schemas);
    let seeds = [
        format!("n0=1&n1=1,2&n2=R,1&n3={SECRET}&n9=1%202&n13=1%7C2&n22[R]=1&n22[{SECRET}]=2&R=1&{SECRET}=3"),
        "n4=1&n5=1&n5=2&L=1&L=2&n8=+&n10=R%201&n17=%09&n18=R%091&n22%5BL%5D=1&n23[a][b]=c&&=&=1".to_owned(),
    ];
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    for round in 0..10_000 {
        let text = dice.mutated(&seeds[round % 2], b"&=%,|+[]n0129R.;fF7C20-e\"");
        let text = String::from_utf8(text).unwrap();
        let Ok(head) = RequestHead::build("GET", &format!("/x?{text}")) else { continue };
        let found = judge(&parameters, &head);
        assert!(found.findings.len() <= MOST);
        for finding in &found.findings {
            assert!(!finding.told().to_string().contains(SECRET), "{text}: {finding:?}");
        }
        if found.findings.is_empty() { good += 1 } else { bad += 1 }
    }
    assert!(good + bad > 9_000 && bad > 5_000, "{good} {bad}");
}

#[test]
fn no_cookie_and_no_field_makes_it_panic_and_none_is_repeated_in_a_finding() {
    let (cookies, schemas) = all(Place::Cookie, &[Style::Form, Style::FormExplode, Style::Cookie, Style::CookieExplode]);
    let (fields, _) = all(Place::Header, &[Style::Simple, Style::SimpleExplode]);
    let parameters = compiled(&[cookies, fields].concat(), "/x", &schemas);
    let seed = format!("n0=1; n1=1,2; n2=R,1; n3={SECRET}; n4=1;n5=1;n5=2; n8=%31; {SECRET}=1; R=1; L=2; n12; =; n14=R=1");
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut judged = 0;
    for _ in 0..10_000 {
        let mut head = RequestHead::build("GET", "/x").unwrap();
        let Ok(cookie) = HeaderValue::from_bytes(&dice.mutated(&seed, b";=%,\" \t\xff\xc3\xa9n019RL")) else { continue };
        head.append(HeaderName::from_static("cookie"), cookie);
        for name in ["n0", "n1", "n2", "n3", "n6"] {
            let Ok(value) = HeaderValue::from_bytes(&dice.mutated(SECRET, b",= \t\xffR1")) else { continue };
            head.append(HeaderName::from_static(name), value);
        }
        let found = judge(&parameters, &head);
        judged += usize::from(!found.findings.is_empty());
        assert!(!format!("{:?}", found.findings).contains(SECRET), "{head:?} {:?}", found.findings);
    }
    assert!(judged > 9_000, "{judged}");
}

#[test]
fn no_path_makes_it_panic() {
    let styles = [Style::Simple, Style::SimpleExplode, Style::Label, Style::LabelExplode, Style::Matrix, Style::MatrixExplode];
    let (rules, schemas) = all(Place::Path, &styles);
    let template: String =
        (0..rules.len()).map(|number| if number % 2 == 0 { format!("/{{n{number}}}") } else { format!("/a{{n{number}}}.b%2F") }).collect();
    let parameters = compiled(&rules, &template, &schemas);
    let seed = template.replace(['{', '}'], "");
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..2_000 {
        let text = String::from_utf8(dice.mutated(&seed, b"/;.,=%aF2n01")).unwrap();
        let Ok(head) = RequestHead::build("GET", &format!("/{text}")) else { continue };
        assert!(!judge(&parameters, &head).findings.is_empty());
    }
}
