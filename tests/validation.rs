//! What may pass: the real binary with `validate` in its chain, judged by what reaches the upstream.

mod answers;
mod bodies;
mod curl;
mod forms_of_a_body;
mod hostile_bodies;
mod real;
mod scenarios;
mod suite;
mod traps;
mod versions;
mod world;
