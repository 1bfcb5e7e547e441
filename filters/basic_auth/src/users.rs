//! Who may call, by name: out of the settings, and out of a file that may change.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use tollgate_filter_api::{Document, DocumentPolicy, Env, Interval, Location, Problem};
use tollgate_password::Hash;

use crate::config::{self, Htpasswd};

/// Hashes by name.
pub(crate) type Hashes = BTreeMap<String, Arc<Hash>>;

const MAX_BYTES: usize = 1 << 20;

/// Everybody who may call at a time.
pub(crate) struct Users {
    hashes: Hashes,
    /// Compared with in place of the hash that a name nobody has does not have: the costliest, so that the time says nothing.
    pub(crate) decoy: Arc<Hash>,
    /// The version of the file, so that nothing is remembered beyond it; 0 without one.
    pub(crate) version: u64,
}

impl Users {
    /// Those of the settings, and those of a file. A name of both is that of the settings. `None` when there is nobody.
    pub(crate) fn new(settings: &Hashes, file: Hashes, version: u64) -> Option<Self> {
        let mut hashes = file;
        hashes.extend(settings.iter().map(|(name, hash)| (name.clone(), hash.clone())));
        let decoy = hashes.values().max_by_key(|hash| hash.cost()).cloned()?;
        Some(Self { hashes, decoy, version })
    }

    /// The hash of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Hash>> {
        self.hashes.get(name)
    }
}

/// A file of users, and those of the settings with them.
pub(crate) struct File {
    location: Location,
    source: Arc<dyn Document>,
    settings: Hashes,
    read: ArcSwap<Users>,
}

impl File {
    pub(crate) fn new(htpasswd: &Htpasswd, settings: Hashes, env: &Env) -> Result<Self, Problem> {
        let location = Location::File(htpasswd.file.clone());
        let policy = DocumentPolicy {
            refresh: Interval::seconds(10).0,
            least_gap: Interval::seconds(1).0,
            timeout: Interval::seconds(5).0,
            max_bytes: MAX_BYTES,
        };
        let at = |message: String, hint: &str| Problem::setting("/htpasswd/file", message).hint(hint);
        let readable = "write the path of a file that the gateway may read, of at most 1 MiB";
        let source = env.world.document(&location, policy).map_err(|problem| at(problem.message, readable))?;
        let version = source.version().ok_or_else(|| at(format!("`{location}` cannot be read"), readable))?;
        let hashes = parse(&version.bytes).map_err(|wrong| at(format!("`{location}`, line {}: {}", wrong.line, wrong.why), wrong.hint))?;
        warn_of_weak(&hashes);
        let nobody = || at(format!("`{location}` has no user, and neither have the settings"), "add one: `htpasswd -B FILE NAME`");
        let users = Users::new(&settings, hashes, version.number).ok_or_else(nobody)?;
        Ok(Self { location, source, settings, read: ArcSwap::from_pointee(users) })
    }

    /// Who may call now. A new version that cannot be read leaves the old one in force.
    pub(crate) fn users(&self) -> Arc<Users> {
        let read = self.read.load_full();
        if read.version == self.source.number() {
            return read;
        }
        let Some(version) = self.source.version() else { return read };
        let hashes = parse(&version.bytes).unwrap_or_else(|wrong| {
            log::warn!("basic_auth: {}, line {}: {}; the users that it held stay in force", self.location, wrong.line, wrong.why);
            read.hashes.clone()
        });
        let Some(users) = Users::new(&self.settings, hashes, version.number).map(Arc::new) else {
            log::warn!(
                "basic_auth: {} has no user any more, and neither have the settings; those that it held stay in force",
                self.location
            );
            return read;
        };
        self.read.store(users.clone());
        users
    }
}

/// Says whose passwords are easily guessed by a thief.
pub(crate) fn warn_of_weak(hashes: &Hashes) {
    let weak: Vec<&str> = hashes.iter().filter(|(_, hash)| hash.is_weak()).map(|(name, _)| name.as_str()).collect();
    if !weak.is_empty() {
        log::warn!(
            "basic_auth: the passwords of {} users are stored as plain digests, which are guessed fast once they are stolen: {}; \
             `tollgate password` makes better ones",
            weak.len(),
            weak.join(", ")
        );
    }
}

/// Those of the settings.
pub(crate) fn of_settings(users: &BTreeMap<String, config::User>) -> Result<Hashes, Problem> {
    let named = |(name, user): (&String, &config::User)| match is_name(name) {
        true => Ok((name.clone(), Arc::new(user.hash.0.clone()))),
        false => Err(Problem::setting("/users", format!("expected a name without colons and control characters, found {name:?}"))),
    };
    users.iter().map(named).collect()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(':') && !name.chars().any(char::is_control)
}

/// What is wrong with a file. It repeats nothing of a hash.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: usize,
    why: String,
    hint: &'static str,
}

/// Reads `NAME:HASH` or `NAME:HASH:COMMENT` on each line. Lines that are empty or begin with `#` are nobody.
fn parse(bytes: &[u8]) -> Result<Hashes, Wrong> {
    const AGAIN: &str = "make the line anew with bcrypt: `htpasswd -B FILE NAME`";
    let mut hashes = Hashes::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let wrong = |why: &str, hint| Wrong { line: at + 1, why: why.to_owned(), hint };
        let line = str::from_utf8(line).map_err(|_| wrong("it is not UTF-8", "write the file in UTF-8"))?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, rest) = line.split_once(':').ok_or_else(|| wrong("there is no colon between name and hash", AGAIN))?;
        if !is_name(name) {
            return Err(wrong("the name is empty or holds control characters", "write a name before the colon"));
        }
        let text = rest.split(':').next().unwrap_or(rest);
        let hash = Hash::parse(text).map_err(|_| wrong(unusable(text), AGAIN))?;
        if hashes.insert(name.to_owned(), Arc::new(hash)).is_some() {
            return Err(wrong(&format!("{name:?} stands twice"), "keep one of the two lines"));
        }
    }
    Ok(hashes)
}

/// Why a hash is none that can be compared with.
fn unusable(text: &str) -> &'static str {
    match text {
        _ if text.starts_with("$apr1$") || text.starts_with("$1$") => "its hash is one of MD5, which is not accepted",
        _ if text.starts_with("$5$") || text.starts_with("$6$") => "its hash is one of SHA-crypt, which is not accepted",
        _ if text.starts_with("{SSHA}") => "its hash is a salted SHA-1, which is not accepted",
        _ if text.starts_with("$2") => "its hash is not bcrypt with a cost of 4 to 16",
        _ if text.len() == 13 => "its hash is one of crypt, which is not accepted, or it is no hash",
        _ => "there is no hash behind the colon",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    const SHA: &str = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=";

    #[test]
    fn names_and_hashes_stand_on_lines() {
        let text = format!("# people\nalice:{BCRYPT}\r\n\nbob smith:{SHA}:a comment\n");
        let hashes = parse(text.as_bytes()).expect("it can be read");
        assert_eq!(hashes.keys().collect::<Vec<_>>(), ["alice", "bob smith"]);
        assert!(hashes["alice"].matches(b"U*U") && hashes["bob smith"].matches(b"password"));
        assert!(parse(b"").expect("it is nobody").is_empty());
    }

    #[test]
    fn what_cannot_be_compared_with_is_refused_and_not_repeated() {
        for (line, word) in [
            ("eve:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "MD5"),
            ("eve:$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJu", "SHA-crypt"),
            ("eve:{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "salted"),
            ("eve:rqXexS6ZhobKA", "crypt"),
            ("eve:$2y$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "bcrypt"),
            ("eve:hunter2", "no hash"),
            ("eve:{PLAIN}hunter2", "no hash"),
            ("eve:", "no hash"),
            ("eve", "colon"),
            (":hunter2", "name"),
            ("alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "twice"),
        ] {
            let wrong = parse(format!("alice:{SHA}\n{line}\n").as_bytes()).expect_err(line);
            assert!(wrong.line == 2 && wrong.why.contains(word), "{line}: {wrong:?}");
            assert!(!wrong.why.contains("hunter2") && !wrong.hint.is_empty(), "{wrong:?}");
        }
        assert_eq!(parse(b"a\xff:b").expect_err("it is not UTF-8").line, 1);
    }
}
