//! Changes to the head of a request.

use http::{HeaderValue, Method};
use tollgate_changes::{
    cookies,
    facts::{Place, Seen, Template, Unknown},
    heads::{Rendered, Rules},
    query,
};
use tollgate_filter_api::{Answer, Problem, RequestHead};

use crate::{config::Request, reasons};

/// The changes, judged.
#[derive(Debug)]
pub struct Head {
    method: Option<Method>,
    path: Option<Vec<Template>>,
    query: query::Rules,
    fields: Rules,
    cookies: cookies::Rules,
}

/// What they come to for one request.
pub struct Changed {
    path: Option<String>,
    query: Option<Option<String>>,
    fields: Rendered,
    cookies: Option<Option<HeaderValue>>,
}

impl Head {
    /// Judges what is written.
    ///
    /// # Errors
    /// What no request may have.
    pub fn parse(config: &Request) -> Result<Self, Problem> {
        Ok(Self {
            method: config.method.as_deref().map(method).transpose()?,
            path: config.path.as_deref().map(path).transpose()?,
            query: query::Rules::parse(&config.query, "/request/query")?,
            fields: Rules::parse(&config.headers, "request/headers")?,
            cookies: cookies::Rules::parse(&config.cookies, "/request/cookies")?,
        })
    }

    /// Makes all values of the request as it came.
    ///
    /// # Errors
    /// The request's refusal: a value that cannot be made.
    pub fn render(&self, seen: &Seen<'_>) -> Result<Changed, Answer> {
        let path = self.path.as_ref().map(|segments| made(segments, seen)).transpose()?;
        let query = seen.head.and_then(|head| head.query());
        let changed = (!self.query.is_empty()).then(|| self.query.apply(query, seen)).transpose();
        let cookies = (!self.cookies.is_empty()).then(|| self.cookies.render(seen)).transpose();
        Ok(Changed {
            path,
            query: changed.map_err(|_| reasons::too_long("/request/query"))?,
            fields: self.fields.render(seen).map_err(|_| reasons::too_long("/request/headers"))?,
            cookies: cookies.map_err(|_| reasons::too_long("/request/cookies"))?,
        })
    }

    /// Does all changes; `base` is the API's base path.
    ///
    /// # Errors
    /// The request's refusal: a method that cannot be changed.
    pub fn apply(&self, head: &mut RequestHead, changed: Changed, base: &str) -> Result<(), Answer> {
        if let Some(method) = self.method.as_ref().filter(|method| *method != head.method()) {
            head.set_method(method.clone()).map_err(|_| reasons::no_method())?;
        }
        if let Some(path) = changed.path {
            let path = format!("{}{path}", base.trim_end_matches('/'));
            head.set_path(&path).map_err(|_| reasons::no_path("it is no path"))?;
        }
        if let Some(query) = changed.query {
            head.set_query(query.as_deref()).map_err(|_| reasons::no_path("it is no query"))?;
        }
        if let Some(cookies) = changed.cookies {
            self.cookies.apply(head, cookies);
        }
        self.fields.apply(head, changed.fields);
        Ok(())
    }
}

fn method(written: &str) -> Result<Method, Problem> {
    let wrong =
        |why: String| Problem::setting("/request/method", why).hint("write GET, POST, PUT, PATCH, DELETE or another token in capitals");
    let method: Method = written.parse().map_err(|_| wrong(format!("`{written}` is not a method")))?;
    if written.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(wrong(format!("`{written}` is not in capitals, and methods are told apart by that (RFC 9110 §9.1)")));
    }
    match method {
        Method::HEAD | Method::CONNECT => Err(wrong(format!("no request can become `{written}`, whose answers are framed otherwise"))),
        method => Ok(method),
    }
}

/// A path, by its segments.
fn path(written: &str) -> Result<Vec<Template>, Problem> {
    let wrong = |why: &str| Problem::setting("/request/path", why);
    let Some(rest) = written.strip_prefix('/') else {
        return Err(wrong("the path does not begin with `/`").hint("it is the path below the API's base path"));
    };
    let segment = |text: &str| {
        if matches!(text, "." | "..") {
            return Err(wrong("the path has a dot segment"));
        }
        Template::parse(text, Place::Segment).map_err(|(message, hint)| wrong(&message).hint(hint))
    };
    segments(rest).into_iter().map(segment).collect()
}

/// Between slashes, but for those in the name of a fact.
fn segments(path: &str) -> Vec<&str> {
    let (mut found, mut begin, mut in_fact) = (Vec::new(), 0, false);
    for (at, c) in path.char_indices() {
        match c {
            '{' if path[..at].ends_with('$') => in_fact = true,
            '}' => in_fact = false,
            '/' if !in_fact => {
                found.push(&path[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(&path[begin..]);
    found
}

fn made(segments: &[Template], seen: &Seen<'_>) -> Result<String, Answer> {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        match segment.render(seen) {
            Ok(text) if matches!(text.as_str(), "." | "..") => return Err(reasons::no_path("it would be a dot segment")),
            Ok(text) => path.push_str(&text),
            Err(Unknown::Fact) => return Err(reasons::no_path("it is not known, or empty")),
            Err(Unknown::TooLong) => return Err(reasons::too_long("/request/path")),
        }
    }
    Ok(path)
}
