//! Where the running Plan comes from: asked at start, and again at every reload.

use tollgate_filter_api::Problems;
use tollgate_plan::Plan;

/// A Plan and what is known about its origin.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The Plan.
    pub plan: Plan,
    /// SHA-256 of the artifact, in hex; for a project that was compiled in memory, of its Plan.
    pub digest: String,
    /// Ed25519 keys (raw, hex) whose signature over the artifact was verified.
    pub signers: Vec<String>,
    /// Machine code of modules, by the SHA-256 of each: out of an artifact with such signers, and of no other.
    pub code: Vec<([u8; 32], Vec<u8>)>,
}

/// Something that yields a Plan: an artifact, or a project folder that is compiled on the spot.
pub trait PlanSource: Send + Sync {
    /// Reads everything anew.
    ///
    /// # Errors
    /// Every problem that keeps the Plan from being served.
    fn load(&self) -> Result<Loaded, Problems>;
}
