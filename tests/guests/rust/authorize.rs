//! Asks the upstream `authorizer` whether a request may pass.
//!
//! It sends the request's `authorization` along. 200 lets the request pass with the answer's `x-user`; any other answer is refused with
//! 403, and where none came, or none could be asked for, with 503.

use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

/// The name of the upstream in the host's configuration.
const UPSTREAM: &str = "authorizer";
const PATIENCE: Duration = Duration::from_secs(2);

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Authorize));
}}

struct Authorize;

impl Authorize {
    fn refuse(&self, status: u32, word: &str) {
        self.send_http_response(status, vec![("x-decided-by", "authorize")], Some(word.as_bytes()));
    }
}

impl Context for Authorize {
    fn on_http_call_response(&mut self, _: u32, fields: usize, body_size: usize, _: usize) {
        // A call that failed has an answer without fields.
        if fields == 0 {
            return self.refuse(503, "nobody could decide");
        }
        match self.get_http_call_response_header(":status").as_deref() {
            Some("200") => {
                let user = self.get_http_call_response_header("x-user");
                self.set_http_request_header("x-user", user.as_deref());
                self.resume_http_request();
            }
            _ => {
                let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
                self.refuse(403, &format!("refused: {}", String::from_utf8_lossy(&body)));
            }
        }
    }
}

impl HttpContext for Authorize {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let authorization = self.get_http_request_header("authorization").unwrap_or_default();
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let fields = vec![
            (":method", "GET"),
            (":path", "/decide"),
            (":authority", UPSTREAM),
            ("authorization", authorization.as_str()),
            ("x-asked-path", path.as_str()),
        ];
        if self.dispatch_http_call(UPSTREAM, fields, None, vec![], PATIENCE).is_err() {
            self.refuse(503, "nobody could be asked");
        }
        Action::Pause
    }
}
