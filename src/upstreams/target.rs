//! What somebody says of one endpoint.

/// Largest weight.
pub const MOST_WEIGHT: u32 = 1000;

/// One endpoint that somebody says a group has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub url: String,
    /// Its share of the requests beside those of the others, 1 to [`MOST_WEIGHT`]; more counts as that. With 0 it takes no new requests.
    pub weight: u32,
    /// Where it stands; requests stay in the gateway's own zone where they can.
    pub zone: Option<String>,
    /// 0 comes first. Later ones are used when not enough of those before them are ready.
    pub priority: u8,
}

impl Target {
    /// An endpoint like any other.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), weight: 1, zone: None, priority: 0 }
    }
}
