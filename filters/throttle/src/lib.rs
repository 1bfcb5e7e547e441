//! Counts requests and refuses what is over a limit.
//!
//! What it protects against: callers who take more than their share, be they many or few, as long as something tells them apart that they
//! cannot choose. What it does not protect against: a client that has many addresses, and work that one request makes. Gateways count
//! together only what a policy says they share; they count the rest each for itself.

mod blocks;
mod config;
mod decided;
mod fields;
mod filter;
mod limits;
mod open;
mod reasons;
mod slices;
mod traffic;

pub use config::Config;
pub use filter::Throttle;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Throttle>(
    include_str!("../README.md"),
    &[
        ("api.yaml", include_str!("../cases/api.yaml")),
        ("away.yaml", include_str!("../cases/away.yaml")),
        ("blocks.yaml", include_str!("../cases/blocks.yaml")),
        ("conditions.yaml", include_str!("../cases/conditions.yaml")),
        ("full.yaml", include_str!("../cases/full.yaml")),
        ("limits.yaml", include_str!("../cases/limits.yaml")),
        ("named_tiers.yaml", include_str!("../cases/named_tiers.yaml")),
        ("shield.yaml", include_str!("../cases/shield.yaml")),
        ("shadow.yaml", include_str!("../cases/shadow.yaml")),
        ("spike_arrest.yaml", include_str!("../cases/spike_arrest.yaml")),
        ("tiers.yaml", include_str!("../cases/tiers.yaml")),
        ("traffic_manager.yaml", include_str!("../cases/traffic_manager.yaml")),
        ("volume.yaml", include_str!("../cases/volume.yaml")),
    ],
);
