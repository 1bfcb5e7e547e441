//! Rewrites bodies piece by piece, holds none back, and ends each with a mark: digits become `##`.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

/// What stands after the last piece.
const MARK: &[u8] = b"[end]";

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Stream));
}}

struct Stream;

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let piece = self.get_http_request_body(0, size).unwrap_or_default();
        self.set_http_request_body(0, size, &rewrite(&piece, end_of_stream));
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let piece = self.get_http_response_body(0, size).unwrap_or_default();
        self.set_http_response_body(0, size, &rewrite(&piece, end_of_stream));
        Action::Continue
    }
}

fn rewrite(piece: &[u8], last: bool) -> Vec<u8> {
    let mut rewritten = Vec::with_capacity(piece.len() + MARK.len());
    for byte in piece {
        match byte {
            b'0'..=b'9' => rewritten.extend_from_slice(b"##"),
            _ => rewritten.push(*byte),
        }
    }
    if last {
        rewritten.extend_from_slice(MARK);
    }
    rewritten
}
