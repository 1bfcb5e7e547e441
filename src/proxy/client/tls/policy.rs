//! The policies that a client's chain may be good for (RFC 5280 §6.1.1 (c)): any.
//!
//! OpenSSL processes policies only when it is told to, and then takes an empty set of acceptable ones for none. The bindings have no
//! function that fills the set, so that one is declared here.

use std::ffi::c_int;

use foreign_types::ForeignTypeRef;
use openssl::{
    error::ErrorStack,
    x509::verify::{X509VerifyFlags, X509VerifyParamRef},
};
use openssl_sys::{ASN1_OBJECT, NID_any_policy, OBJ_nid2obj, X509_VERIFY_PARAM};

#[allow(unsafe_code)]
unsafe extern "C" {
    /// `openssl/x509_vfy.h`, the same since 0.9.8: takes the object over, and returns 1 when it is in the set.
    fn X509_VERIFY_PARAM_add0_policy(param: *mut X509_VERIFY_PARAM, policy: *mut ASN1_OBJECT) -> c_int;
}

/// Has the policies of chains processed: any will do, unless a certificate of the chain asks for certain ones.
///
/// # Errors
/// When memory is short.
#[allow(unsafe_code)]
pub fn process(param: &mut X509VerifyParamRef) -> Result<(), ErrorStack> {
    param.set_flags(X509VerifyFlags::POLICY_CHECK)?;
    // SAFETY: `param` is borrowed for writing and so is alive and nobody else's meanwhile. The object is one of OpenSSL's static ones,
    // which live as long as the process and which its `ASN1_OBJECT_free` leaves alone, so that taking it over frees nothing. A null, which
    // the call would return for an unknown number, is not passed on.
    let added = unsafe {
        let any = OBJ_nid2obj(NID_any_policy);
        !any.is_null() && X509_VERIFY_PARAM_add0_policy(param.as_ptr(), any) == 1
    };
    if added { Ok(()) } else { Err(ErrorStack::get()) }
}
