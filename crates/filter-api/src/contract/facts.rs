//! What is known of a request: typed, written once, by the one who owns it.

use std::{fmt, net::IpAddr, sync::Arc};

use serde_json::{Map, Value};

/// One thing that may be known of a request.
pub trait Fact: Sized + Send + Sync + 'static {
    /// Name in messages and in the manual.
    const NAME: &'static str;
    #[doc(hidden)]
    fn read(facts: &Facts) -> Option<&Self>;
    #[doc(hidden)]
    fn write(self, facts: &mut Facts);
}

/// Nothing, one fact, or several: what a filter needs or gives.
pub trait FactSet: Sized + Send + 'static {
    /// References to the facts, for as long as the request's facts are borrowed.
    type View<'a>: Send;
    /// Their names.
    const NAMES: &'static [&'static str];
    #[doc(hidden)]
    fn view(facts: &Facts) -> Option<Self::View<'_>>;
    #[doc(hidden)]
    fn store(self, facts: &mut Facts);
}

impl FactSet for () {
    type View<'a> = ();
    const NAMES: &'static [&'static str] = &[];
    fn view(_: &Facts) -> Option<()> {
        Some(())
    }
    fn store(self, _: &mut Facts) {}
}

impl<A: Fact> FactSet for A {
    type View<'a> = &'a A;
    const NAMES: &'static [&'static str] = &[A::NAME];
    fn view(facts: &Facts) -> Option<&A> {
        A::read(facts)
    }
    fn store(self, facts: &mut Facts) {
        self.write(facts);
    }
}

impl<A: Fact, B: Fact> FactSet for (A, B) {
    type View<'a> = (&'a A, &'a B);
    const NAMES: &'static [&'static str] = &[A::NAME, B::NAME];
    fn view(facts: &Facts) -> Option<(&A, &B)> {
        Some((A::read(facts)?, B::read(facts)?))
    }
    fn store(self, facts: &mut Facts) {
        self.0.write(facts);
        self.1.write(facts);
    }
}

/// The facts of one request. The gateway owns it; filters see what they declared.
#[derive(Debug, Default)]
pub struct Facts {
    peer: Option<Peer>,
    principal: Option<Principal>,
    further: Vec<Principal>,
}

impl Facts {
    /// Records a fact.
    pub fn set<F: Fact>(&mut self, fact: F) {
        fact.write(self);
    }

    /// Reads a fact, if it is known by now.
    pub fn get<F: Fact>(&self) -> Option<&F> {
        F::read(self)
    }

    /// Records the credentials that were verified, in place of those recorded before: the first is the principal. Its key is for the
    /// sandbox as soon as one of them is; a certificate, say, says nothing of that.
    pub fn set_credentials(&mut self, credentials: impl IntoIterator<Item = Principal>) {
        let mut credentials = credentials.into_iter();
        self.principal = credentials.next();
        self.further.clear();
        self.further.extend(credentials);
        if let Some(principal) = &mut self.principal
            && self.further.iter().any(|further| further.key_type == KeyType::Sandbox)
        {
            *principal = Principal::new(PrincipalParts { key_type: KeyType::Sandbox, ..PrincipalParts::clone(principal) });
        }
    }
}

/// What a filter needs to see every credential: see [`Credentials`]. Nobody can give it.
#[derive(Debug)]
pub enum AllCredentials {}

/// Every credential that was verified for a request: the principal's first, then those that the same requirement asked for
/// besides. On an open operation it is the anonymous principal alone.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The principal.
    pub first: &'a Principal,
    /// What else was verified.
    pub further: &'a [Principal],
}

impl<'a> Credentials<'a> {
    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = &'a Principal> {
        std::iter::once(self.first).chain(self.further)
    }
}

impl FactSet for AllCredentials {
    type View<'a> = Credentials<'a>;
    const NAMES: &'static [&'static str] = &[Principal::NAME];

    fn view(facts: &Facts) -> Option<Credentials<'_>> {
        Some(Credentials { first: facts.principal.as_ref()?, further: &facts.further })
    }

    fn store(self, _: &mut Facts) {
        match self {}
    }
}

impl<B: Fact> FactSet for (AllCredentials, B) {
    type View<'a> = (Credentials<'a>, &'a B);
    const NAMES: &'static [&'static str] = &[Principal::NAME, B::NAME];

    fn view(facts: &Facts) -> Option<(Credentials<'_>, &B)> {
        Some((AllCredentials::view(facts)?, B::read(facts)?))
    }

    fn store(self, _: &mut Facts) {
        match self.0 {}
    }
}

/// Who is at the other end of the connection, as far as TLS knows. Always given.
#[derive(Clone, Debug)]
pub enum Peer {
    /// No verified certificate, and why.
    Anonymous(NoCertificate),
    /// A certificate that chains to the listener's trust store.
    Certified(Arc<Certificate>),
}

/// Why a connection has no client identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCertificate {
    /// The connection is not encrypted.
    Plain,
    /// The listener does not ask for certificates.
    NotAsked,
    /// The client sent none.
    NotSent,
    /// The client sent one that does not verify; it is never an identity.
    NotTrusted {
        /// SHA-256 of the leaf, when there is one to read: for the log alone.
        sha256: Option<[u8; 32]>,
    },
}

impl fmt::Display for NoCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "it is not encrypted",
            Self::NotAsked => "the listener asks for none",
            Self::NotSent => "the client sent none",
            Self::NotTrusted { .. } => "the client's is not trusted",
        })
    }
}

/// A verified client certificate.
#[derive(Clone, Debug, Default)]
pub struct Certificate {
    /// The leaf, DER.
    pub der: Vec<u8>,
    /// SHA-256 of the leaf.
    pub sha256: [u8; 32],
    /// Subject distinguished name, RFC 4514 form.
    pub subject: String,
    /// Issuer distinguished name, RFC 4514 form.
    pub issuer: String,
    /// DNS names of the subject alternative name extension.
    pub dns_names: Vec<String>,
    /// URIs of the same.
    pub uri_names: Vec<String>,
    /// Mail addresses of the same.
    pub email_names: Vec<String>,
    /// Addresses of the same.
    pub ip_names: Vec<IpAddr>,
    /// A load balancer that proved who it is forwarded it; the client's own handshake ended there.
    pub forwarded: bool,
}

impl Fact for Peer {
    const NAME: &'static str = "peer";
    fn read(facts: &Facts) -> Option<&Self> {
        facts.peer.as_ref()
    }
    fn write(self, facts: &mut Facts) {
        facts.peer = Some(self);
    }
}

/// Which endpoints a caller's key is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Production endpoints; also every caller that says nothing.
    #[default]
    Production,
    /// Sandbox endpoints.
    Sandbox,
}

/// Who is calling. Cheap to clone: a cached token hands out the same one.
#[derive(Clone, Debug)]
pub struct Principal(Arc<PrincipalParts>);

/// What a [`Principal`] is made of.
#[derive(Clone, Debug, Default)]
pub struct PrincipalParts {
    /// ID of the filter that vouches for it; empty for an anonymous caller.
    pub filter: &'static str,
    /// The subject; `None` for an anonymous caller.
    pub subject: Option<String>,
    /// Who issued the credential.
    pub issuer: Option<String>,
    /// The client application's key (`azp`, `client_id`, `consumerKey`).
    pub client: Option<String>,
    /// Scopes granted.
    pub scopes: Vec<String>,
    /// Production or sandbox.
    pub key_type: KeyType,
    /// All claims of the credential, verified.
    pub claims: Map<String, Value>,
    /// What the token, if the credential was one, can be revoked by.
    pub token: Option<Token>,
}

/// What names a token.
#[derive(Clone, Default)]
pub struct Token {
    /// `jti`.
    pub id: Option<String>,
    /// The signature part of a JWT as it was sent, or an opaque token whole: a secret, never shown.
    pub signature: Option<String>,
    /// The other signature with which the same token would be as good, in the same form: ECDSA has two, and anybody can make one from the
    /// other. As secret as that.
    pub twin: Option<String>,
    /// When it was issued, in seconds since 1970.
    pub issued: Option<i64>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<i64>,
}

impl Token {
    /// The signature part of what is a JWT by its form: whoever revokes a JWT as it was sent means the token of that signature.
    pub fn signature_part(token: &str) -> Option<&str> {
        let mut parts = token.split('.');
        let all = [parts.next()?, parts.next()?, parts.next()?];
        let encoded = |part: &&str| {
            let part = part.trim_end_matches('=');
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        (parts.next().is_none() && all.iter().all(encoded) && all[0].starts_with("eyJ")).then_some(all[2])
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("issued", &self.issued).field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Principal {
    /// A caller that a filter has verified.
    pub fn new(parts: PrincipalParts) -> Self {
        Self(Arc::new(parts))
    }

    /// A caller without a credential, on an operation that is open.
    pub fn anonymous() -> Self {
        static ANONYMOUS: std::sync::LazyLock<Principal> = std::sync::LazyLock::new(|| Principal::new(PrincipalParts::default()));
        ANONYMOUS.clone()
    }

    /// Whether nobody vouched for the caller.
    pub fn is_anonymous(&self) -> bool {
        self.0.filter.is_empty()
    }
}

impl std::ops::Deref for Principal {
    type Target = PrincipalParts;
    fn deref(&self) -> &PrincipalParts {
        &self.0
    }
}

impl Fact for Principal {
    const NAME: &'static str = "principal";
    fn read(facts: &Facts) -> Option<&Self> {
        facts.principal.as_ref()
    }
    fn write(self, facts: &mut Facts) {
        facts.principal = Some(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(filter: &'static str, key_type: KeyType) -> Principal {
        Principal::new(PrincipalParts { filter, key_type, ..PrincipalParts::default() })
    }

    #[test]
    fn one_credential_for_the_sandbox_is_enough_whichever_is_the_principal() {
        use KeyType::{Production, Sandbox};
        for (first, second, expected) in [
            (Production, Sandbox, Sandbox),
            (Sandbox, Production, Sandbox),
            (Sandbox, Sandbox, Sandbox),
            (Production, Production, Production),
        ] {
            let mut facts = Facts::default();
            facts.set_credentials([credential("mtls", first), credential("jwt", second)]);
            let principal = facts.get::<Principal>().unwrap();
            assert_eq!((principal.filter, principal.key_type), ("mtls", expected));
        }
    }

    #[test]
    fn only_three_encoded_parts_are_a_jwt() {
        assert_eq!(Token::signature_part("eyJhbGciOiJ9.eyJ9.c2ln"), Some("c2ln"));
        for other in ["eyJ.a", "a.b.c", "eyJ..c", "eyJ.b.", "eyJ.b.c.d", "eyJ.b.c d"] {
            assert_eq!(Token::signature_part(other), None, "{other}");
        }
    }
}
