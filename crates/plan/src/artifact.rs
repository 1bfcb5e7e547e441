//! Artifact.
