//! A TLS session is resumed under the name that it was made for, and under no other (RFC 6066 §3).
//!
//! OpenSSL resumes TLS 1.2 under any name, and then reports the name of the first handshake. What it does compare is the session's
//! context. That is made here of the listener's policy and of the name as it stands in the ClientHello: under another name, or under
//! none, the handshake is a full one. TLS 1.3 leaves this to the server (RFC 8446 §4.6.1); here both versions do the same.

use std::{
    ffi::{c_int, c_uchar, c_uint},
    ptr,
};

use foreign_types::ForeignTypeRef;
use openssl::{
    error::ErrorStack,
    sha::Sha256,
    ssl::{ClientHelloResponse, SslAcceptorBuilder, SslRef},
};
use pingora::tls::ssl_sys::{SSL, SSL_client_hello_get0_ext};

/// Number of the extension `server_name`.
const SERVER_NAME: c_uint = 0;

/// Ties each session to a policy and to the name that its client asked for.
pub fn bind(builder: &mut SslAcceptorBuilder, policy: [u8; 32]) {
    builder.set_client_hello_callback(move |ssl, _| {
        let mut context = Sha256::new();
        context.update(&policy);
        if let Some(name) = server_name(ssl) {
            // An empty name is not the same as none.
            context.update(b"name");
            context.update(name);
        }
        set_context(ssl, &context.finish())?;
        Ok(ClientHelloResponse::SUCCESS)
    });
}

/// The extension's bytes, unread: two names never have the same.
///
/// Only for a callback that runs while OpenSSL holds the parsed ClientHello.
#[allow(unsafe_code)]
fn server_name(ssl: &SslRef) -> Option<&[u8]> {
    let (mut bytes, mut length) = (ptr::null(), 0);
    // SAFETY: `ssl` is alive, and both pointers are to locals. Without a ClientHello the function returns 0 and writes nothing.
    let found = unsafe { SSL_client_hello_get0_ext(ssl.as_ptr(), SERVER_NAME, &raw mut bytes, &raw mut length) };
    if found != 1 || bytes.is_null() {
        return None;
    }
    // SAFETY: 1 means that `bytes` points to `length` bytes of the ClientHello. OpenSSL frees it after the callback, which holds
    // the borrow of `ssl` that the slice lives as long as.
    Some(unsafe { std::slice::from_raw_parts(bytes, length) })
}

#[allow(unsafe_code)]
unsafe extern "C" {
    /// `openssl-sys` declares this for contexts only.
    fn SSL_set_session_id_context(ssl: *mut SSL, context: *const c_uchar, length: c_uint) -> c_int;
}

#[allow(unsafe_code)]
fn set_context(ssl: &mut SslRef, context: &[u8; 32]) -> Result<(), ErrorStack> {
    // SAFETY: `ssl` is alive, and OpenSSL copies the 32 bytes, the most that it takes, before it returns.
    let done = unsafe { SSL_set_session_id_context(ssl.as_ptr(), context.as_ptr(), 32) };
    if done == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}
