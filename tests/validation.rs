//! What may pass: the real binary with `validate` in its chain, judged by what reaches the upstream.

mod suite;
mod world;
