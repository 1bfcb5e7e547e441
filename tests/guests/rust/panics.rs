//! Panics when a request tells it to: in which callback by `x-panic-in`, with what words by `x-panic`.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Panics::default()));
}}

#[derive(Default)]
struct Panics {
    words: Option<String>,
    callback: Option<String>,
}

impl Panics {
    fn reached(&self, callback: &str) {
        if let Some(words) = &self.words
            && self.callback.as_deref().unwrap_or("request_headers") == callback
        {
            panic!("{words}");
        }
    }
}

impl Context for Panics {
    fn on_done(&mut self) -> bool {
        self.reached("done");
        true
    }
}

impl HttpContext for Panics {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.words = self.get_http_request_header("x-panic");
        self.callback = self.get_http_request_header("x-panic-in");
        self.reached("request_headers");
        Action::Continue
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.reached("request_body");
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.reached("response_headers");
        Action::Continue
    }

    fn on_http_response_body(&mut self, _: usize, _: bool) -> Action {
        self.reached("response_body");
        Action::Continue
    }
}
