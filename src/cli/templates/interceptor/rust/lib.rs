//! What happens to a request on its way to the upstream, and to the answer on its way back.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Interceptor));
}}

/// One request and its answer.
struct Interceptor;

impl Context for Interceptor {}

impl HttpContext for Interceptor {
    fn on_http_request_headers(&mut self, _fields: usize, _end_of_stream: bool) -> Action {
        // Names are in lower case. Values are bytes: one that is not UTF-8 would make `get_http_request_header` panic.
        if self.get_http_request_header_bytes("x-blocked").is_some() {
            self.send_http_response(403, vec![("content-type", "text/plain")], Some(b"blocked\n"));
            return Action::Pause;
        }
        self.set_http_request_header("x-intercepted", Some("request"));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _fields: usize, _end_of_stream: bool) -> Action {
        self.set_http_response_header("x-intercepted", Some("response"));
        Action::Continue
    }
}
