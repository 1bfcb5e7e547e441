//! What runs: one look into a table that was made at load.

use std::net::IpAddr;

use tollgate_filter_api::{Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Posture, Problem, Reason, Rule};

use crate::{
    Config,
    network::{ALL_OF_IPV4, Network, number},
    table::{Said, Table},
};

const DENIED: Reason = Reason::refused(
    "address.denied",
    403,
    0,
    "Calls from this address are not allowed",
    "The narrowest network of the settings around the client's address is one of `deny`, or none is and there are networks in `allow`. If the \
     address is that of a proxy before the gateway, that proxy is missing in `trusted_proxies`.",
);

/// The `address` filter.
#[derive(Debug)]
pub struct Address {
    table: Table,
    /// Whom no network names may not call.
    closed: bool,
}

impl Filter for Address {
    const ID: &'static str = "address";
    const REASONS: &'static [Reason] = &[DENIED];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn is_idle(config: &Config, (): &(), _: &Env) -> bool {
        config.allow.is_empty() && config.deny.is_empty()
    }

    fn build(config: Config, (): (), _env: &Env) -> Result<Self, Problem> {
        let mut networks = Vec::with_capacity(config.allow.len() + config.deny.len());
        // Those of `deny` come first, so that they count where both lists have the same.
        for (at, network) in read(&config.deny, "/deny")?.into_iter().enumerate() {
            networks.push((network, Said::Denied(at)));
        }
        for network in read(&config.allow, "/allow")? {
            networks.push((network, Said::Allowed));
        }
        // Where neither list has it: a network of IPv6 says nothing of IPv4, whose numbers lie within `::/0`.
        networks.push((ALL_OF_IPV4, Said::Nothing));
        Ok(Self { table: Table::new(networks), closed: !config.allow.is_empty() })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let client = cx.call.client;
        let rule = match self.table.find(number(client)) {
            Said::Nothing if self.closed => Rule::setting("/allow"),
            Said::Nothing | Said::Allowed => return Ok(Flow::Next(())),
            Said::Denied(at) => Rule::nth_setting("/deny/*", at),
        };
        Ok(Flow::Stop(DENIED.because(cause(client, rule))))
    }
}

fn cause(client: IpAddr, rule: Rule) -> Cause {
    Cause::new(CauseKind::NotAllowed, "address of the client", rule).seen(client.to_canonical().to_string())
}

fn read(written: &[String], list: &str) -> Result<Vec<Network>, Problem> {
    let one = |(at, text): (usize, &String)| {
        Network::parse(text).map_err(|(message, hint)| Problem::setting(format!("{list}/{at}"), message).hint(hint))
    };
    written.iter().enumerate().map(one).collect()
}
