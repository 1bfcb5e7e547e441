use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use tollgate_filter_api::Problems;
use tollgate_filters::FILTERS;
use tollgate_plan::Plan;

use super::{ConfigSource, Gateway, fixed};
use crate::{
    admin::AdminView,
    config::Config,
    source::{Loaded, PlanSource},
};

/// Gives the Plan that was put in last, or a problem.
struct Source(Mutex<Option<&'static str>>);

impl PlanSource for Source {
    fn load(&self) -> Result<Loaded, Problems> {
        let Some(digest) = *self.0.lock().unwrap() else {
            return Err(tollgate_filter_api::Problem::error("artifact.broken", "broken").into());
        };
        Ok(Loaded { plan: Plan::default(), digest: digest.to_owned(), signers: Vec::new(), code: Vec::new() })
    }
}

const TEXT: &str = "listeners: [{ address: '127.0.0.1:9090' }]\naccess_log: { to: 'off' }\n";

fn gateway() -> (Arc<Gateway>, Arc<Source>) {
    let source = Arc::new(Source(Mutex::new(Some("one"))));
    let config = ConfigSource::Text { name: "gateway.yaml".to_owned(), text: TEXT.to_owned(), base: ".".into() };
    (Gateway::load(source.clone(), config, FILTERS).unwrap(), source)
}

fn config(text: &str) -> Config {
    Config::parse("gateway.yaml", text.as_bytes(), Path::new("."), FILTERS).unwrap()
}

/// Line and pointer of each setting that would need another process.
fn refused(running: &str, next: &str) -> Vec<(u32, String)> {
    let problems = fixed(&config(running), &config(next)).err().unwrap_or_default();
    problems.0.into_iter().map(|problem| (problem.line, problem.pointer)).collect()
}

#[test]
fn a_reload_puts_the_next_configuration_in_force_and_a_running_request_keeps_its_own() {
    let (gateway, source) = gateway();
    let running = gateway.current();
    *source.0.lock().unwrap() = Some("two");
    assert_eq!(Gateway::reload(&gateway).unwrap(), 2);
    assert_eq!((running.loaded.digest.as_str(), gateway.current().loaded.digest.as_str()), ("one", "two"));
}

/// Says that it was asked, and waits for its word.
struct Slow {
    asked: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
    word: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl PlanSource for Slow {
    fn load(&self) -> Result<Loaded, Problems> {
        if let Some(asked) = self.asked.lock().unwrap().take() {
            asked.send(()).unwrap();
        }
        self.word.lock().unwrap().recv().unwrap();
        Ok(Loaded { plan: Plan::default(), digest: "slow".to_owned(), signers: Vec::new(), code: Vec::new() })
    }
}

#[tokio::test]
async fn the_admin_port_answers_while_a_reload_takes_its_time() {
    let (say, word) = std::sync::mpsc::channel();
    let source = Arc::new(Slow { asked: Mutex::new(None), word: Mutex::new(word) });
    let config = ConfigSource::Text { name: "gateway.yaml".to_owned(), text: TEXT.to_owned(), base: ".".into() };
    say.send(()).unwrap();
    let gateway = Gateway::load(source.clone(), config, FILTERS).unwrap();
    let (asked, begun) = tokio::sync::oneshot::channel();
    *source.asked.lock().unwrap() = Some(asked);
    let view = gateway.clone();
    let reload = tokio::spawn(async move { AdminView::reload(&view).await });
    // One thread runs both: a reload on it would leave this waiting for ever.
    begun.await.unwrap();
    assert_eq!(gateway.artifact()["generation"], 1);
    say.send(()).unwrap();
    assert_eq!(reload.await.unwrap().unwrap(), 2);
}

#[test]
fn a_reload_that_fails_changes_nothing_and_is_counted() {
    let (gateway, source) = gateway();
    *source.0.lock().unwrap() = None;
    assert!(Gateway::reload(&gateway).is_err());
    assert_eq!((gateway.current().generation, gateway.current().loaded.digest.as_str()), (1, "one"));
    assert!(gateway.metrics().contains("tollgate_reloads_total{result=\"failed\"} 1"));
    *source.0.lock().unwrap() = Some("two");
    assert_eq!(Gateway::reload(&gateway).unwrap(), 2);
}

#[test]
fn what_a_running_process_cannot_change_is_refused_with_its_line() {
    let listeners = "listeners: [{ address: '127.0.0.1:9090' }]\n";
    let cases = [
        ("listeners: [{ address: '127.0.0.1:9091' }]\n".to_owned(), 1, "/listeners"),
        ("listeners: [{ address: '127.0.0.1:9090', h2c: true }]\n".to_owned(), 1, "/listeners"),
        (format!("{listeners}admin: {{ address: '127.0.0.1:1' }}\n"), 2, "/admin"),
        (format!("{listeners}process: {{ grace: 1s }}\n"), 2, "/process"),
        (format!("{listeners}access_log: {{ to: 'off' }}\n"), 2, "/access_log"),
        (format!("{listeners}trust: {{ ca: other.pem }}\n"), 2, "/trust"),
        (format!("{listeners}limits:\n  body_pace: 1B\n  h2_streams: 7\n"), 4, "/limits/h2_streams"),
        (format!("{listeners}limits: {{ header_bytes: 1KiB }}\n"), 2, "/limits/header_bytes"),
        (format!("{listeners}limits: {{ idle_time: 1s }}\n"), 2, "/limits/idle_time"),
        (format!("{listeners}upstream: {{ dns_refresh: 1s }}\n"), 2, "/upstream/dns_refresh"),
        (format!("{listeners}upstream: {{ ca: a.pem }}\n"), 2, "/upstream/ca"),
    ];
    for (next, line, pointer) in cases {
        assert_eq!(refused(listeners, &next), [(line, pointer.to_owned())], "{next}");
    }
    assert!(refused(listeners, &format!("{listeners}limits: {{ body_bytes: 1KiB, header_time: 1s }}\nerrors: wso2\n")).is_empty());
}

#[test]
fn a_gateway_is_ready_between_opening_and_draining() {
    let (gateway, _) = gateway();
    assert!(!gateway.ready().is_empty());
    gateway.listening();
    assert!(gateway.ready().is_empty(), "{:?}", gateway.ready());
    gateway.drain();
    assert!(!gateway.ready().is_empty());
}

#[test]
fn certificates_to_trust_that_cannot_be_read_stop_the_start_and_blame_the_setting() {
    let text = "listeners: [{ address: '127.0.0.1:9090' }]\ntrust:\n  ca: /no/such/file.pem\n";
    let config = ConfigSource::Text { name: "gateway.yaml".into(), text: text.into(), base: ".".into() };
    let problems = Gateway::load(Arc::new(Source(Mutex::new(Some("one")))), config, FILTERS).err().unwrap();
    assert_eq!((problems.0[0].line, problems.0[0].pointer.as_str()), (3, "/trust/ca"), "{problems}");
    assert!(problems.0[0].message.contains("/no/such/file.pem"), "{problems}");
}
