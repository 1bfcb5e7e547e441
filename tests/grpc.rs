//! gRPC through the gateway: a real client, a real server.

mod calls;
mod deadlines;
mod definitions;
mod faults;
mod refusals;
mod world;
