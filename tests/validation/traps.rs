//! What others' validators got wrong, by the public reports of it; each test says which trap it is.

mod exchanges;
mod parameters;
mod places;
mod schemas;
