//! What programs may call: all of jq but what looks out of the program.

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::native::Fun;
use jaq_json::Val;

/// Functions that read an environment, a clock or the machine's time zone, write where somebody else reads, or end the process.
const REFUSED: [&str; 8] = ["env", "now", "localtime", "strflocaltime", "halt", "debug_empty", "stderr_empty", "input_filename"];
/// Definitions that call them.
const REFUSED_DEFINITIONS: [&str; 4] = ["debug", "stderr", "halt", "halt_error"];

pub fn functions() -> impl Iterator<Item = Fun<JustLut<Val>>> {
    let all = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    all.filter(|(name, ..)| !REFUSED.contains(name))
}

pub fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    all.filter(|definition| !REFUSED_DEFINITIONS.contains(&definition.name))
}
