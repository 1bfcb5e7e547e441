//! FAPI 1.0 Advanced, FAPI 2.0 and the UK's Open Banking: the checklist F1–F18 of the project's reference, against a gateway that runs
//! on the example a bank begins with, `conf/openbanking.yaml`.
//!
//! Ports, and what a test is about, are changed in the example's text; everything else is as it stands there.

mod definitions;
mod messages;
mod operations;
mod tokens;
mod transport;
mod world;
