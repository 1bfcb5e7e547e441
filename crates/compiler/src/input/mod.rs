//! What is compiled: the files of a project, their references, and places in them.

pub mod files;
pub mod project;
pub mod sources;
pub mod spot;
