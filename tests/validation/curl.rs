//! The requests that `curl` would send, read from its command line as a shell reads it.

use super::world::Asked;

/// The request of a command.
///
/// # Panics
/// At an option that it does not know: a request that was read wrong proves nothing.
pub fn request(id: &str, command: &str) -> Asked {
    let words = words(command);
    let mut read = Read::default();
    let mut rest = words[1..].iter();
    while let Some(word) = rest.next() {
        let mut argument = || rest.next().cloned().unwrap_or_else(|| panic!("{id}: {word} lacks its argument"));
        match word.as_str() {
            "-H" | "--header" => read.header(&argument()),
            "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" => read.data.push(argument()),
            "--data-urlencode" => read.data.push(encoded(&argument())),
            "-F" | "--form" => read.parts.push(argument()),
            "-u" | "--user" => read.header(&format!("Authorization: Basic {}", openssl::base64::encode_block(argument().as_bytes()))),
            "-X" | "--request" => read.method = Some(argument()),
            "--head" | "-I" => read.head = true,
            "--include" | "--silent" => {}
            short if short.starts_with('-') && !short.starts_with("--") => {
                let rest = short[1..].trim_start_matches(['i', 's', 'S', 'k', 'I']);
                match rest.strip_prefix('X') {
                    _ if rest.is_empty() => {}
                    Some("") => read.method = Some(argument()),
                    Some(method) => read.method = Some(method.to_owned()),
                    None => panic!("{id}: an unknown option {short}"),
                }
            }
            url if !url.starts_with('-') => read.target = target(url),
            unknown => panic!("{id}: an unknown option {unknown}"),
        }
    }
    read.asked(id)
}

#[derive(Default)]
struct Read {
    method: Option<String>,
    head: bool,
    target: String,
    fields: Vec<String>,
    data: Vec<String>,
    parts: Vec<String>,
}

impl Read {
    fn header(&mut self, line: &str) {
        // A name without a value takes the field away.
        if !line.ends_with(':') {
            self.fields.push(line.to_owned());
        }
    }

    fn named(&mut self, name: &str) -> Option<&mut String> {
        self.fields.iter_mut().find(|field| field.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    fn asked(mut self, id: &str) -> Asked {
        let mut body = self.data.join("&").into_bytes();
        if !self.parts.is_empty() {
            body = multipart(&self.parts);
            match self.named("content-type") {
                Some(field) => field.push_str(&format!("; boundary={BOUNDARY}")),
                None => self.fields.push(format!("Content-Type: multipart/form-data; boundary={BOUNDARY}")),
            }
        } else if !self.data.is_empty() && self.named("content-type").is_none() {
            self.fields.push("Content-Type: application/x-www-form-urlencoded".to_owned());
        }
        let implied = if self.head {
            "HEAD"
        } else if body.is_empty() {
            "GET"
        } else {
            "POST"
        };
        let method = self.method.unwrap_or_else(|| implied.to_owned());
        Asked { id: id.to_owned(), method, target: self.target, fields: self.fields, body, chunked: false }
    }
}

const BOUNDARY: &str = "------------------------b7a3d0c1";

fn multipart(parts: &[String]) -> Vec<u8> {
    let mut body = String::new();
    for part in parts {
        let (name, value) = part.split_once('=').unwrap();
        body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    body.into_bytes()
}

/// What follows the authority, without a fragment.
fn target(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split('#').next().unwrap().to_owned()
}

/// `content`, `=content` or `name=content`.
fn encoded(text: &str) -> String {
    let (name, content) = text.split_once('=').map_or(("", text), |(name, content)| (name, content));
    let mut written = if name.is_empty() { String::new() } else { format!("{name}=") };
    for byte in content.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// A command line in words: quotes of both kinds, and backslashes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = command.trim().chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (end, Some(open)) if end == open => quote = None,
            ('\\', None) => match letters.next() {
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().push(next),
            },
            ('\\', Some('"')) if letters.peek().is_some_and(|next| ['"', '\\', '$', '`', '\n'].contains(next)) => {
                word.get_or_insert_default().extend(letters.next().filter(|next| *next != '\n'));
            }
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (space, None) if space.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[test]
fn commands_are_read_as_a_shell_and_curl_read_them() {
    let asked = request("x", r#"curl -sIXGET -H "x-age: old" -H 'b: "c"' http://127.0.0.1:4010/recipes\?a\=b"#);
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/recipes?a=b"));
    assert_eq!(asked.fields, ["x-age: old", "b: \"c\""]);
    let asked = request("x", r#"curl -i -X POST http://localhost/path --data '{"a":1}' --data-urlencode "a/b""#);
    assert_eq!((asked.method.as_str(), asked.body.as_slice()), ("POST", br#"{"a":1}&a%2Fb"#.as_slice()));
    let asked = request("x", r#"curl http://localhost -F "id=1" -H "Content-Type: multipart/form-data""#);
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/"));
    assert_eq!(asked.fields, [format!("Content-Type: multipart/form-data; boundary={BOUNDARY}")]);
}
