//! What ties a request to an endpoint: a key of its own, or the cookie that an earlier answer gave to its client.
//!
//! The cookie says which endpoint it was by a digest of its URL. Who guesses URLs can check guesses, and who writes the cookie chooses among the
//! group's endpoints: neither is a secret that protects anything.

use std::{net::IpAddr, time::Instant};

use http::HeaderValue;
use serde_json::{Map, Value};
use tollgate_filter_api::RequestHead;

use super::{
    Choice, Group, Selection,
    policy::{Key, Sticky},
};

/// What a request may be assigned by.
pub struct Asking<'a> {
    /// The time.
    pub now: Instant,
    /// Its head.
    pub head: &'a RequestHead,
    /// The claims of its verified credential.
    pub claims: Option<&'a Map<String, Value>>,
    /// The client's address.
    pub client: Option<IpAddr>,
}

impl<C> Group<C> {
    /// What a request brings along for the choice of its endpoint.
    pub fn choice(&self, asking: &Asking<'_>) -> Choice {
        let balancing = &self.policy().balancing;
        Choice {
            now: asking.now,
            key: balancing.key.as_ref().and_then(|key| key.digest(asking)),
            stick: balancing.sticky.as_ref().and_then(|sticky| sticky.read(asking.head)),
        }
    }
}

impl Key {
    fn digest(&self, asking: &Asking<'_>) -> Option<u64> {
        match self {
            Self::Carried(carrier) => carrier.values(asking.head).first().map(|value| Choice::digest(value)),
            Self::Claim(name) => asking.claims?.get(name)?.as_str().map(|claim| Choice::digest(claim.as_bytes())),
            Self::Address => asking.client.map(|address| match address.to_canonical() {
                IpAddr::V4(address) => Choice::digest(&address.octets()),
                IpAddr::V6(address) => Choice::digest(&address.octets()),
            }),
        }
    }
}

impl Sticky {
    fn read(&self, head: &RequestHead) -> Option<u64> {
        let values = self.carrier.values(head);
        let text = std::str::from_utf8(values.first()?).ok().filter(|text| text.len() == 16)?;
        u64::from_str_radix(text, 16).ok()
    }

    fn write(&self, token: u64, secure: bool) -> Option<HeaderValue> {
        let keep = self.keep.map(|keep| format!("; Max-Age={}", keep.as_secs())).unwrap_or_default();
        let secure = if secure { "; Secure" } else { "" };
        let cookie = format!("{}={token:016x}; Path=/; HttpOnly; SameSite=Lax{keep}{secure}", self.cookie);
        HeaderValue::try_from(cookie).ok()
    }
}

impl<C> Selection<C> {
    /// The cookie that keeps the client with the endpoint that has answered; `None` when it has it already, or there is none in this group.
    pub fn cookie(&self, secure: bool) -> Option<HeaderValue> {
        let sticky = self.set().policy().balancing.sticky.as_ref()?;
        let endpoint = self.endpoint()?;
        (self.stick() != Some(endpoint.token)).then(|| sticky.write(endpoint.token, secure)).flatten()
    }
}
