//! `tollgate demo`: the first minute.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tollgate_filters::FILTERS;

use super::{
    backend::{self, Backend},
    issuer::{self, Addresses, Issuer},
    sample::{PARCELS, RATES, Sample},
};
use crate::{
    cli::{
        Format,
        report::{Failure, print, print_json},
        run,
    },
    proxy::{ConfigSource, Gateway},
    telemetry::ProcessLog,
};

/// Default address.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);
/// What the demo shows besides: bodies are held to the definition, and whoever has no token may come five times a minute.
const MORE: &str =
    "  - validate\n  - throttle:\n      policies: { guests: { requests: 5, per: 1m, algorithm: gcra } }\n      anonymous: guests\n";
/// How long the printed token is good.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Try the gateway: sample backends, a key made on the spot, five requests.
///
/// Needs nothing but this binary. Ctrl-C ends it; nothing is left behind.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Address of the gateway [default: 127.0.0.1:9090, or a free port].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Serve only the sample backends, for a project that `init` made.
    #[arg(long, conflicts_with = "listen")]
    backend_only: bool,
}

pub(in crate::cli) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    if args.backend_only {
        return backends_alone(format);
    }
    ProcessLog::install();
    if std::env::var_os("TOLLGATE_LOG").is_none() {
        // A newcomer is to read the requests, not how the engine starts.
        log::set_max_level(log::LevelFilter::Warn);
    }
    let listen = listen_address(args.listen)?;
    let admin = free(LISTEN.ip())?;
    let parcels = Backend::bind("parcels", SocketAddr::new(LISTEN.ip(), 0))?;
    let rates = Backend::bind("rates", SocketAddr::new(LISTEN.ip(), 0))?;
    let sample = Sample::new(parcels.address()?, rates.address()?);
    let issuer = Issuer::new()?;
    let key = issuer.key_file()?;
    let text = issuer::config(Addresses { listen, grpc: None, admin }, &key.path(), "off") + MORE;
    let config = ConfigSource::Text { name: "demo".to_owned(), text, base: std::env::temp_dir() };
    let gateway = Gateway::load(Arc::new(sample), config, FILTERS)?;
    std::thread::spawn(move || backend::serve(vec![parcels, rates]));
    let token = issuer.token(LIFETIME)?;
    std::thread::spawn(move || announce(listen, &token, format));
    let ended = run::start(&gateway, false);
    drop(key);
    ended
}

fn backends_alone(format: Format) -> Result<(), Failure> {
    let address =
        |text: &str| -> Result<SocketAddr, Failure> { text.parse().map_err(|_| Failure::Cannot(format!("{text} is not an address"))) };
    let backends = vec![Backend::bind("parcels", address(PARCELS)?)?, Backend::bind("rates", address(RATES)?)?];
    match format {
        Format::Text => print(&format!("sample backends at http://{PARCELS} and http://{RATES}; Ctrl-C ends them"))?,
        Format::Json => print_json(&json!({ "backends": [PARCELS, RATES] }))?,
    }
    backend::serve(backends)
}

/// The address asked for, or the default one, or a free port when that is taken.
pub(in crate::cli) fn listen_address(wanted: Option<SocketAddr>) -> Result<SocketAddr, Failure> {
    if let Some(wanted) = wanted.filter(|wanted| wanted.port() != 0) {
        TcpListener::bind(wanted).map_err(|error| Failure::io(format_args!("cannot listen on {wanted}"), &error))?;
        return Ok(wanted);
    }
    match wanted {
        None if TcpListener::bind(LISTEN).is_ok() => Ok(LISTEN),
        wanted => free(wanted.unwrap_or(LISTEN).ip()),
    }
}

/// A port nobody has now.
pub(in crate::cli) fn free(ip: std::net::IpAddr) -> Result<SocketAddr, Failure> {
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).map_err(|error| Failure::io("there is no free port", &error))
}

/// Says what to try, once the gateway answers.
fn announce(listen: SocketAddr, token: &str, format: Format) {
    if !answers(listen) {
        return;
    }
    let base = format!("http://{listen}/tollroad/1.0");
    let requests = [
        format!("curl -i -H 'Authorization: Bearer {token}' {base}/parcels/42"),
        format!("curl -i {base}/parcels/42"),
        format!("curl -i {base}/rates"),
        format!("curl -i '{base}/rates?[1-6]'"),
        format!(
            "curl -i -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{{\"to\":\"Oslo\",\"grams\":\"heavy\"}}' {base}/parcels"
        ),
    ];
    let said = match format {
        Format::Json => print_json(&json!({ "gateway": format!("http://{listen}"), "token": token, "requests": requests })),
        Format::Text => print(&format!(
            "The gateway listens on http://{listen}, with two sample backends behind it.\n\n\
             Passes: the token is good for an hour, and the backend `parcels` answers.\n{}\n\n\
             Is refused, and says why: there is no token.\n{}\n\n\
             Endpoints per resource: same API, another backend, open to everybody.\n{}\n\n\
             Comes too often: without a token five requests pass at once. The next is told when to come again.\n{}\n\n\
             Is not what the definition says: `grams` is to be a number. The answer names the place and the rule.\n{}\n\n\
             The token by itself:\n{token}\n\nCtrl-C ends it; nothing is left behind.",
            requests[0], requests[1], requests[2], requests[3], requests[4]
        )),
    };
    if let Err(failure) = said {
        crate::cli::report::fail(&failure, format);
    }
}

/// Waits until somebody accepts.
fn answers(address: SocketAddr) -> bool {
    let patience = Instant::now() + Duration::from_secs(30);
    while Instant::now() < patience {
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_was_asked_for_is_taken_or_refused_but_never_replaced() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(matches!(listen_address(Some(address)), Err(Failure::Cannot(_))));
        drop(taken);
        assert_eq!(listen_address(Some(address)).unwrap(), address);
    }
}
