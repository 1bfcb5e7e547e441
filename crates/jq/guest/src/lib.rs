//! jq in WebAssembly: one program an instance, one JSON text in, one out.
//!
//! It looks neither at a clock nor at an environment and reads no second input: what could is not among its functions. It does not bound itself:
//! time, memory and stack are bounded from outside.
//!
//! The host writes what it gives to where [`input`] says, calls [`compile`] once and [`run`] as often as it likes, and reads what comes out
//! at [`output`]. Both return the outcome in the upper half of 64 bits and the length of the output in the lower.

mod functions;
mod program;

use std::cell::RefCell;

use jaq_core::data::JustLut;
use jaq_core::{Ctx, Vars, unwrap_valr};
use jaq_json::{Val, read};
use program::Filter;

/// The output is one JSON text.
const DONE: u32 = 0;
/// The program is wrong; the output says how.
const WRONG_PROGRAM: u32 = 1;
/// The program raised an error; the output says which.
const RAISED: u32 = 2;
/// The program has no output for this input.
const NOTHING: u32 = 3;
/// The program has more than one output for this input.
const MORE: u32 = 4;
/// The output of the program is no JSON: a number that JSON does not have, or bytes that are no text.
const NOT_JSON: u32 = 5;
/// What was given is no JSON.
const WRONG_INPUT: u32 = 6;

#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    filter: Option<Filter>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Where to write as many bytes of program or input.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    STATE.with_borrow_mut(|state| {
        state.input.clear();
        state.input.resize(length, 0);
        state.input.as_mut_ptr()
    })
}

/// Where the output lies.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    STATE.with_borrow(|state| state.output.as_ptr())
}

/// Makes the input the program of this instance.
#[unsafe(no_mangle)]
pub extern "C" fn compile() -> u64 {
    STATE.with_borrow_mut(|state| {
        let made = str::from_utf8(&state.input).map_err(|error| error.to_string()).and_then(program::compile);
        state.output.clear();
        match made {
            Ok(filter) => {
                state.filter = Some(filter);
                state.done(DONE)
            }
            Err(words) => state.say(WRONG_PROGRAM, &words),
        }
    })
}

/// Runs the program on the input.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u64 {
    STATE.with_borrow_mut(State::run)
}

impl State {
    fn run(&mut self) -> u64 {
        self.output.clear();
        let Some(filter) = &self.filter else { return self.say(WRONG_PROGRAM, "nothing was compiled") };
        let value = match read::parse_single(&self.input) {
            Ok(value) => value,
            Err(error) => return self.say(WRONG_INPUT, &error.to_string()),
        };
        let context = Ctx::<JustLut<Val>>::new(&filter.lut, Vars::new([]));
        let mut outputs = filter.id.run((context, value)).map(unwrap_valr);
        let first = match outputs.next() {
            None => return self.done(NOTHING),
            Some(Err(error)) => {
                let words = error.to_string();
                drop(outputs);
                return self.say(RAISED, &words);
            }
            Some(Ok(value)) => value,
        };
        // An error after an output is one too.
        match outputs.next() {
            None => {}
            Some(Ok(_)) => return self.done(MORE),
            Some(Err(error)) => {
                let words = error.to_string();
                drop(outputs);
                return self.say(RAISED, &words);
            }
        }
        drop(outputs);
        let written = jaq_json::write::write(&mut self.output, &Default::default(), 0, &first);
        if written.is_err() || !is_json(&first) || str::from_utf8(&self.output).is_err() {
            self.output.clear();
            return self.done(NOT_JSON);
        }
        self.done(DONE)
    }

    fn say(&mut self, outcome: u32, words: &str) -> u64 {
        self.output.extend_from_slice(words.as_bytes());
        self.done(outcome)
    }

    fn done(&self, outcome: u32) -> u64 {
        u64::from(outcome) << 32 | self.output.len() as u64
    }
}

/// Whether JSON has such a value: jq here also has bytes, keys of any kind, and numbers that are none.
fn is_json(value: &Val) -> bool {
    match value {
        Val::Null | Val::Bool(_) | Val::TStr(_) => true,
        Val::Num(jaq_json::Num::Float(number)) => number.is_finite(),
        Val::Num(_) => true,
        Val::BStr(_) => false,
        Val::Arr(items) => items.iter().all(is_json),
        Val::Obj(members) => members.iter().all(|(key, value)| matches!(key, Val::TStr(_)) && is_json(value)),
    }
}
