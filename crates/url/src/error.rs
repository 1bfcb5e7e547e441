//! What is wrong with a URL.

use std::fmt;

/// Why a text is no URL of a server. Reads on after `the URL …`, and repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum UrlError {
    /// Another scheme than those that are understood there, or none.
    #[error("does not begin with {}", Choice(.0))]
    Scheme(&'static [&'static str]),
    /// Characters that no URL holds as they are.
    #[error("holds characters that must be percent-encoded, or a name that must be written in its ASCII form")]
    Characters,
    /// A name and perhaps a password.
    #[error("holds user information; credentials have settings of their own, so that they end up in no log")]
    UserInformation,
    /// `#` and what follows.
    #[error("has a fragment, which is never sent")]
    Fragment,
    /// No host.
    #[error("has no host")]
    NoHost,
    /// A host that is neither a name nor an address.
    #[error("has a host that is neither a name nor an address")]
    Host,
    /// A port that is none.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    /// A query where none is understood.
    #[error("has a query, which means nothing there")]
    Query,
    /// A path where none is understood.
    #[error("has a path, which means nothing there")]
    Path,
    /// Longer than a URL may be.
    #[error("is too long")]
    Length,
}

/// `a://`, `b://` or `c://`.
struct Choice<'a>(&'a [&'static str]);

impl fmt::Display for Choice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scheme) in self.0.iter().enumerate() {
            let before = match i {
                0 => "",
                _ if i + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}{scheme}://")?;
        }
        Ok(())
    }
}
