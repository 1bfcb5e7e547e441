//! Reads, writes, adds and removes fields of a request and of its answer.
//!
//! It reads a value as text, as most filters do: a value that is not UTF-8 makes the SDK panic.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Headers));
}}

struct Headers;

impl Context for Headers {}

impl HttpContext for Headers {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let name = self.get_http_request_header("x-name").unwrap_or_else(|| "nobody".to_owned());
        self.set_http_request_header("x-greeting", Some(&format!("hello, {name}")));
        self.add_http_request_header("x-added", "one");
        self.add_http_request_header("x-added", "two");
        self.set_http_request_header("x-secret", None);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let status = self.get_http_response_header(":status").unwrap_or_default();
        self.set_http_response_header("x-guest", Some("headers"));
        self.add_http_response_header("x-status-seen", &status);
        self.set_http_response_header("server-secret", None);
        Action::Continue
    }
}
