//! What the traffic manager is told of a request that was let through.

use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{
    decisions::conditions::number,
    keys::{Caller, Place},
};

/// Something else that conditions may ask for: a name and its value, of a header, a parameter, a claim or the operator's choice.
pub type Property<'a> = (&'a str, &'a str);

/// One request.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The request's id.
    pub id: &'a str,
    /// Where it went.
    pub place: &'a Place,
    /// Who sent it.
    pub caller: &'a Caller<'a>,
    /// What else is known of it.
    pub properties: &'a [Property<'a>],
}

impl Event<'_> {
    /// The JSON that the traffic manager's `throttleEventReceiver` takes.
    pub fn json(&self) -> Vec<u8> {
        let envelope = Nested("event", Envelope(Payload(self)));
        // Neither texts nor numbers fail to be written to memory.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }

    fn properties(&self) -> String {
        serde_json::to_string(&Properties(self)).unwrap_or_default()
    }
}

/// An object with one member.
struct Nested<T>(&'static str, T);

impl<T: Serialize> Serialize for Nested<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Nothing {}

struct Envelope<'a>(Payload<'a>);

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("metaData", &Nothing {})?;
        map.serialize_entry("correlationData", &Nothing {})?;
        map.serialize_entry("payloadData", &self.0)?;
        map.end()
    }
}

struct Payload<'a>(&'a Event<'a>);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { id, place, caller, .. } = self.0;
        let [mut application, mut subscription] = [const { String::new() }; 2];
        caller.application_key(&mut application);
        caller.subscription_key(place, &mut subscription);
        let mut map = serializer.serialize_map(Some(17))?;
        for (name, value) in [
            ("messageID", *id),
            ("appKey", &application),
            ("appTier", &caller.application_tier),
            ("apiKey", &place.api_key),
            ("apiTier", &place.api_tier),
            ("subscriptionKey", &subscription),
            ("subscriptionTier", &caller.subscription_tier),
            ("resourceKey", place.counted_by()),
            ("resourceTier", &place.resource_tier),
            ("userId", &caller.user),
            ("apiContext", &place.context),
            ("apiVersion", &place.version),
            ("appTenant", &caller.application_tenant),
            ("apiTenant", &place.tenant),
            ("appId", &caller.application),
            ("apiName", &place.api_name),
            ("properties", &self.0.properties()),
        ] {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Properties<'a>(&'a Event<'a>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { caller, properties, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        match caller.client.to_canonical() {
            IpAddr::V4(address) => {
                map.serialize_entry("ip", &u32::from(address))?;
                map.serialize_entry("ipv6", &0)?;
            }
            // A text: few readers of JSON keep 128 bits.
            address @ IpAddr::V6(_) => {
                map.serialize_entry("ipv6", &number(address).to_string())?;
                map.serialize_entry("ip", &0)?;
            }
        }
        properties.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

#[cfg(test)]
#[path = "tests/event.rs"]
mod tests;
