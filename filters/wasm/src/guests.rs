//! The guests of one request.

use std::sync::Arc;

use tollgate_filter_api::{Bytes, Fault};
use tollgate_proxy_wasm::{Program, Vm};

use crate::{config::BodyMode, load::Loaded};

/// A module in the chain of an operation.
#[derive(Debug)]
pub struct Stage {
    pub loaded: Arc<Loaded>,
    /// It runs on the way in.
    pub requests: bool,
    /// It runs on the way out.
    pub answers: bool,
    pub request_body: BodyMode,
    pub response_body: BodyMode,
}

impl Stage {
    pub fn program(&self) -> &Program {
        &self.loaded.program
    }
}

/// A guest that a request has, in the order of the stages.
#[derive(Debug, Default)]
pub struct Guest {
    /// Gone once it broke.
    pub vm: Option<Box<Vm>>,
    pub request: Pieces,
    pub answer: Pieces,
    pub seen: Seen,
}

/// A body that a guest gets piece by piece.
#[derive(Debug, Default)]
pub struct Pieces {
    /// It does.
    pub wanted: bool,
    /// What it holds back.
    pub held: Bytes,
    /// Whether it had a piece.
    pub began: bool,
}

/// Whether a guest has seen the head of the answer. It sees one for each request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    #[default]
    No,
    /// With the whole body.
    Whole,
    /// By itself, or it has passed once more.
    Head,
}

impl Guest {
    /// The instance, as long as it is well.
    pub fn vm(&mut self) -> Result<&mut Vm, Fault> {
        self.vm.as_deref_mut().ok_or_else(|| Fault::new("wasm.trap", "the guest had broken before"))
    }
}
