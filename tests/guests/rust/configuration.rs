//! Reads its configuration, lines of `name: value`, and adds them to requests and answers.
//!
//! It refuses a configuration that is absent, not text, or has a line of another form.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { fields: Rc::default() }));
}}

type Fields = Rc<Vec<(String, String)>>;

struct Root {
    fields: Fields,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let Some(fields) = self.get_plugin_configuration().as_deref().and_then(parse) else {
            let _ = proxy_wasm::hostcalls::log(LogLevel::Error, "the configuration must have lines of `name: value`");
            return false;
        };
        self.fields = Rc::new(fields);
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request { fields: Rc::clone(&self.fields) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request {
    fields: Fields,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        for (name, value) in self.fields.iter() {
            self.set_http_request_header(name, Some(value));
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        for (name, value) in self.fields.iter() {
            self.set_http_response_header(name, Some(value));
        }
        Action::Continue
    }
}

fn parse(text: &[u8]) -> Option<Vec<(String, String)>> {
    let lines = str::from_utf8(text).ok()?.lines().filter(|line| !line.trim().is_empty());
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    lines.map(field).collect::<Option<Vec<_>>>().filter(|fields| !fields.is_empty())
}
