//! What the tests ask of every OpenID provider, however it is made.

use std::path::Path;

use serde_json::Value;

use crate::{
    jwk::SigningKey,
    oauth::{Login, Server, Tokens},
};

/// The audience of the API under test, as a resource that clients ask tokens for.
pub const API: &str = "https://api.example";
/// Somebody else's.
pub const OTHER: &str = "https://other.example";
/// What the providers know scopes by.
pub const SCOPES: [&str; 2] = ["read", "write"];
/// The user that can log in, and its password.
pub const USER: (&str, &str) = ("alice", "correct horse");
/// The client that gets tokens, for itself and for the user.
pub const APP: Login = Login { id: "app", secret: "app-secret" };

/// The client that only asks about others' tokens.
pub const GATEWAY: Login = Login { id: "gateway", secret: "gateway-secret" };

/// A running provider with one API, one user and one client; ended when dropped.
pub trait OpenId {
    /// With one signing key.
    fn start(key: &SigningKey) -> Self
    where
        Self: Sized;

    /// As its clients see it.
    fn server(&self) -> &Server;

    /// Certificates to trust, when it speaks TLS.
    fn ca(&self) -> Option<&Path>;

    /// Where [`GATEWAY`] gets a token to ask with, in the form of `introspection.client.token`, when its secret is not enough.
    fn own_token(&self) -> Value;

    /// An access token that tells nothing to who does not ask, and its audience.
    fn opaque(&self, scope: &str) -> (String, &'static str);

    /// Logs the user in, whose tokens come with one to refresh them; the audience is [`audience`](Self::audience).
    fn log_in(&self, scope: &str) -> Tokens;

    /// Which audience a user's tokens of a scope have.
    fn audience<'a>(&self, scope: &'a str) -> &'a str;

    /// Has these keys from now on; the first one signs.
    fn publish(&mut self, keys: &[&SigningKey]);

    /// Ends it at once.
    fn kill(&mut self);
}
