//! A program's text to what runs, or to a sentence that says what is wrong with it and where.

use jaq_core::Compiler;
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, Error, File, Loader};
use jaq_json::Val;

use crate::functions::{definitions, functions};

pub type Filter = jaq_core::compile::Filter<jaq_core::Native<JustLut<Val>>>;

/// # Errors
/// Everything that is wrong, each with its line and column.
pub fn compile(text: &str) -> Result<Filter, String> {
    let (arena, loader) = (Arena::default(), Loader::new(definitions()));
    let modules = loader.load(&arena, File { code: text, path: () }).map_err(|errors| {
        let wrong = errors.iter().flat_map(|(_, error)| unreadable(text, error));
        wrong.collect::<Vec<_>>().join("; ")
    })?;
    let compiler = Compiler::default().with_funs(functions());
    compiler.compile(modules).map_err(|errors| {
        let wrong = errors.iter().flat_map(|(_, errors)| errors);
        let words = wrong.map(|(name, kind)| format!("{}: there is no {} `{name}`", place(text, name), kind.as_str()));
        words.collect::<Vec<_>>().join("; ")
    })
}

fn unreadable(text: &str, error: &Error<&str>) -> Vec<String> {
    let expected = |at: &str, what: &str| format!("{}: expected {what}", place(text, at));
    match error {
        Error::Io(modules) => modules.iter().map(|(path, _)| format!("{}: there are no modules to import", place(text, path))).collect(),
        Error::Lex(errors) => errors.iter().map(|(what, at)| expected(at, what.as_str())).collect(),
        Error::Parse(errors) => errors.iter().map(|(what, at)| expected(at, what.as_str())).collect(),
    }
}

/// Line and column, from 1, of a part of the text.
fn place(text: &str, part: &str) -> String {
    let offset = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    let Some(before) = text.get(..offset) else { return "in a definition".to_owned() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
