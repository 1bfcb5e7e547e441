//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

macro_rules! reasons {
    ($($name:ident = $meaning:ident($id:literal, $status:literal, $code:literal, $title:literal, $help:literal);)*) => {
        $(pub(crate) const $name: Reason = Reason::$meaning(concat!("basic_auth.", $id), $status, $code, $title, $help);)*
        pub(crate) const ALL: &[Reason] = &[$($name),*];
    };
}

reasons! {
    MISSING = absent("missing", 401, 900_902, "A user name and a password are required", "The header is absent, empty, or has nothing behind the scheme.");
    SCHEME = absent("scheme", 401, 900_917, "The authentication scheme is not accepted here", "The header carries another scheme than `Basic`.");
    TWO = refused("two_credentials", 400, 0, "The request carries more than one credential", "The header occurs more than once.");
    MALFORMED = refused("malformed", 401, 900_918, "The credential is malformed", "It is no base64, no UTF-8, holds control characters, or is longer than 5,500 characters.");
    NO_COLON = refused("no_colon", 401, 900_912, "The credential is malformed", "There is no colon between name and password.");
    WRONG = refused("wrong", 401, 900_911, "The user name or the password is wrong", "Nobody has that name, or the password is another. Which of the two is not said.");
}
