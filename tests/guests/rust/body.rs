//! Rewrites a whole request body and a whole answer body: every `colour` becomes `shade of grey`.
//!
//! Like filters written for other proxies it takes `content-length` away itself, since the new body has another.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Body));
}}

struct Body;

impl Context for Body {}

impl HttpContext for Body {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header("content-length", None);
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        if let Some(rewritten) = self.get_http_request_body(0, size).as_deref().and_then(rewrite) {
            self.set_http_request_body(0, size, &rewritten);
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("content-length", None);
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !end_of_stream {
            return Action::Pause;
        }
        if let Some(rewritten) = self.get_http_response_body(0, size).as_deref().and_then(rewrite) {
            self.set_http_response_body(0, size, &rewritten);
        }
        Action::Continue
    }
}

/// `None` when there is nothing to rewrite, or when it is no text.
fn rewrite(body: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(body).ok()?;
    text.contains("colour").then(|| text.replace("colour", "shade of grey").into_bytes())
}
