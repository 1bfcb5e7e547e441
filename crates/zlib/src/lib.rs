//! Pingora asks `flate2` for its zlib-ng back end, and that one's crate calls cmake, which a fresh machine does not have.
//! This crate takes its place through `[patch.crates-io]`: stock zlib, built by the C compiler alone, under the names that
//! `flate2` uses. Both crates are generated from the same bindings. Nothing in Tollgate compresses on the request's way.

pub use libz_sys::*;

/// Version that `flate2` hands to the initialisers.
///
/// # Safety
/// None is needed: the library returns a pointer to a constant.
#[allow(unsafe_code)]
pub unsafe fn zlibng_version() -> *const std::os::raw::c_char {
    // SAFETY: `zlibVersion` takes nothing and returns a pointer to a string literal.
    unsafe { libz_sys::zlibVersion() }
}
