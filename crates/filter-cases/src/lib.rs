//! Runs a filter without a network: plain values in, plain values out, a fake world; and case files against it.
//!
//! [`Harness`] builds a filter from its settings as the gateway does and runs requests through it. [`check()`] runs one case of a [`CaseFile`] and
//! says what differs. Users' own filters are tried with it by `tollgate test`, and those of the catalogue by their tests.
//!
//! What it does not show: how a filter behaves behind other filters (that is the chain's test), how fast it is, and what
//! Pingora does with the heads it changed.

mod case;
mod cause;
mod check;
mod harness;
mod options;
mod poll;
mod request;
mod run;
mod world;

pub use case::{Case, CaseFile, CaseRequest, Expected, HeaderText};
pub use check::{check, request};
pub use harness::{Harness, Setup, principal};
pub use options::{OptionDoc, Tree, options};
pub use request::Request;
pub use run::Run;
pub use world::{Answerer, Failure, FakeClock, FakeDocument, FakeWorld, START};
