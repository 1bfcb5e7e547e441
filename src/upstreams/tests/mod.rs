//! Groups built from small Plans and configurations, with a resolver and variables that the test holds in its hand.

mod balancing;
mod cost;
mod environment;
mod order;
mod pool;
mod room;
mod secured;
mod supply;
mod world;
