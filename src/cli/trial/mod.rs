//! A gateway to try things with: the commands `dev`, `demo` and `test`, and the issuer, the backends and the sample definition that they
//! and `init` bring along. Nothing here serves in earnest.

mod backend;
pub(super) mod demo;
pub(super) mod dev;
pub(super) mod issuer;
pub(super) mod sample;
pub(super) mod test;
