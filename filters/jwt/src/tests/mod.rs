//! The checklists J1–J24 and B1–B13 of the project's reference, one test or more for each item, and published vectors.
//!
//! Keys, certificates and tokens are made when a test runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod absent;
mod b01_certificates;
mod b06_proofs;
mod b07_keys;
mod b11_nonces;
mod clocks;
mod cost;
mod discovery;
mod j01_signatures;
mod j07_headers;
mod j12_claims;
mod j17_revocation;
mod j18_requests;
mod j21_keys;
mod kit;
mod manual;
mod settings;
mod vectors;
