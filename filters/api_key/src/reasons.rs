//! Every way in which the filter ends a request.

use tollgate_filter_api::Reason;

macro_rules! reasons {
    ($($name:ident = $meaning:ident($id:literal, $status:literal, $code:literal, $title:literal, $help:literal);)*) => {
        $(pub(crate) const $name: Reason = Reason::$meaning(concat!("api_key.", $id), $status, $code, $title, $help);)*
        pub(crate) const ALL: &[Reason] = &[$($name),*];
    };
}

reasons! {
    MISSING = absent("missing", 401, 900_902, "An API key is required", "It is not where the definition says, or empty.");
    TWO = refused("two_credentials", 400, 0, "The request carries more than one credential", "The key occurs more than once.");
    UNKNOWN = refused("unknown", 401, 900_901, "The API key is not accepted", "Nobody has that key, it is signed by somebody else, or it cannot be read. The log says which.");
    TIME = refused("time", 401, 900_901, "The API key is not valid at this time", "It has ended, or does not begin yet.");
    API = refused("api", 401, 900_901, "The API key is for another API", "`apis` of the key, or `allowedAPIs` and `subscribedAPIs` of a signed one, do not name this API in this version.");
}
