//! What a filter is: what it is asked, what it may know and say, and how the catalogue lists it.

pub mod body;
pub mod call;
pub mod cause;
pub mod facts;
pub mod fault;
pub mod filter;
pub mod kind;
pub mod page;
pub mod reason;
pub mod subscription;
