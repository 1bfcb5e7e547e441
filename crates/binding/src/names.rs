//! What differs between the filters that judge proofs.

/// What a filter calls what is made here for it; each begins with its ID.
#[derive(Debug)]
pub struct Names {
    /// View of the proofs that were used.
    pub proofs: &'static str,
    /// Metric of proofs that were used twice.
    pub replays: &'static str,
    /// Metric of proofs for which there was no room.
    pub full: &'static str,
    /// Fault of a proof for which there was no room.
    pub no_room: &'static str,
    /// Fault of a nonce that could not be made.
    pub no_nonce: &'static str,
}
