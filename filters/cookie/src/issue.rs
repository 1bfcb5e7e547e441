//! What goes to the browser: cookies that begin a session, cookies that end it, and who may keep the answer.

use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CACHE_CONTROL, SET_COOKIE};
use tollgate_filter_api::{Fault, HeaderName, HeaderValue, ResponseHead};
use tollgate_jose::Jws;

use crate::{
    config::Config,
    session::{Seal, Session},
};

/// Name and value together; browsers drop a longer cookie (RFC 6265bis §5.6).
const MAX_COOKIE: usize = 4096;

/// A session that is to begin.
pub(crate) struct Issue {
    token: String,
    ends: u64,
    /// Seconds from the request to the end.
    age: u64,
}

/// Writes the cookies.
pub(crate) struct Issuer {
    name: String,
    csrf_cookie: String,
    csrf_header: HeaderName,
    /// What follows the value of the session cookie, and of the other.
    attributes: [String; 2],
    max_age: u64,
}

impl Issuer {
    pub(crate) fn new(config: &Config, csrf_header: HeaderName) -> Self {
        let common = format!("Path=/; Secure; SameSite={}", config.same_site.as_str());
        Self {
            name: config.name.clone(),
            csrf_cookie: config.csrf_cookie.clone(),
            csrf_header,
            attributes: [format!("{common}; HttpOnly"), common],
            max_age: config.max_age.0.as_secs(),
        }
    }

    /// Name of the session cookie.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Whether a cookie is one of the two.
    pub(crate) fn is_ours(&self, name: &[u8]) -> bool {
        name == self.name.as_bytes() || name == self.csrf_cookie.as_bytes()
    }

    /// Whether a sealed session of that length makes a cookie that browsers keep.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.name.len() + 1 + length <= MAX_COOKIE
    }

    /// The session for a token: it ends when the token does, or when `max_age` is over. `None` when the token says that it is over. Nobody
    /// verified the token yet; the answer must be 2xx before anything is issued.
    pub(crate) fn plan(&self, token: &str, now: SystemTime) -> Option<Issue> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let ends = end_of(token).unwrap_or(u64::MAX).min(now.saturating_add(self.max_age));
        let age = ends.checked_sub(now).filter(|age| *age > 0)?;
        Some(Issue { token: token.to_owned(), ends, age })
    }

    /// Writes the cookies that begin the session, and its CSRF token for a page of another origin, which cannot read them.
    ///
    /// # Errors
    /// When the session cannot be sealed.
    pub(crate) fn issue(&self, seal: &Seal, issue: &Issue, resp: &mut ResponseHead) -> Result<(), Fault> {
        let fault = |cause: &'static str| Fault::new("cookie.not_made", cause);
        let session = Session::new(&issue.token, issue.ends).map_err(|_| fault("there is no randomness"))?;
        let sealed = seal.seal(&session).map_err(|_| fault("the session could not be sealed"))?;
        let sealed = sealed.ok_or_else(|| fault("there is no key"))?;
        let csrf = session.csrf_text();
        let token = HeaderValue::try_from(&csrf).map_err(|_| fault("the CSRF token is no text"))?;
        for cookie in self.cookies([&sealed, &csrf], issue.age) {
            resp.append(SET_COOKIE, cookie.ok_or_else(|| fault("the cookie is no text"))?);
        }
        resp.set(self.csrf_header.clone(), token);
        resp.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(())
    }

    /// Writes the cookies that end the session.
    pub(crate) fn clear(&self, resp: &mut ResponseHead) {
        self.cleared().into_iter().for_each(|(name, value)| resp.append(name, value));
    }

    /// The cookies that end the session, for an answer.
    pub(crate) fn cleared(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.cookies(["", ""], 0).into_iter().flatten().map(|cookie| (SET_COOKIE, cookie)).collect()
    }

    fn cookies(&self, values: [&str; 2], age: u64) -> [Option<HeaderValue>; 2] {
        let names = [&self.name, &self.csrf_cookie];
        [0, 1].map(|at| {
            let (name, value, attributes) = (names[at], values[at], &self.attributes[at]);
            let mut cookie = HeaderValue::try_from(format!("{name}={value}; Max-Age={age}; {attributes}")).ok()?;
            cookie.set_sensitive(true);
            Some(cookie)
        })
    }
}

/// When a token says it ends; `None` for one that says nothing, as opaque tokens do.
fn end_of(token: &str) -> Option<u64> {
    let payload = Jws::parse(token, true).ok()?.payload;
    let end = tollgate_jose::object(&payload).ok()?.remove("exp")?;
    // An end with a fraction is legal (RFC 7519 §2); the conversion cuts it off, and holds at both ends.
    end.as_u64().or_else(|| end.as_f64().map(|seconds| seconds as u64))
}

/// A shared cache keeps no answer to a request with `Authorization` (RFC 9111 §3.5), but one before this gateway sees a cookie only, and
/// the upstream, which saw a token, relies on that rule. Answers that say themselves who may keep them stay as they are.
pub(crate) fn make_private(resp: &mut ResponseHead) {
    const SAID: [&str; 5] = ["private", "no-store", "public", "must-revalidate", "s-maxage"];
    let said = resp.get_all(&CACHE_CONTROL).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|directive| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        SAID.iter().any(|said| name.eq_ignore_ascii_case(said))
    });
    if !said {
        resp.append(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}
