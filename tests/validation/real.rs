//! Real descriptions: for each of their operations a request made from the schemas passes, and one that breaks one rule is refused by it.

mod broken;
mod checked;
mod drive;
mod parameters;
mod sample;
mod schemas;
mod texts;
