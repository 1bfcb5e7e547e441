//! A gateway whose tokens can be revoked, over an upstream that counts what passed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Folder, Gateway, Settings, Upstream, client,
    project::{artifact, open_api, operation},
    token::Issuer,
    until,
};

/// Upstream, issuer and gateway.
pub struct Revoking {
    pub upstream: Upstream,
    pub gateway: Gateway,
    pub issuer: Issuer,
    /// What the gateway reads and keeps.
    pub folder: Folder,
}

impl Revoking {
    /// With these stores, and the list's journal in [`folder`](Self::folder); `filter` are the settings of `revocation`.
    pub fn start(folder: Folder, mut stores: Value, filter: Value) -> Self {
        stores["revocations"]["journal"] = json!(folder.join("journal"));
        Self::start_with(folder, json!({ "stores": stores }), filter)
    }

    /// With these settings besides the chain.
    pub fn start_with(folder: Folder, mut config: Value, filter: Value) -> Self {
        let (upstream, issuer) = (Upstream::start(), Issuer::new("https://issuer.example"));
        let key = issuer.write(&folder, "issuer.pem");
        let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
        definition["x-wso2-disable-security"] = false.into();
        let built = artifact(&folder, &definition);
        config["chain"] = json!([{ "jwt": { "issuers": [issuer.config(&key)] } }, { "revocation": filter }]);
        let gateway = Gateway::start(&built, Settings::of(config));
        Self { upstream, gateway, issuer, folder }
    }

    pub fn token(&self, jti: &str) -> String {
        self.issuer.token(json!({ "jti": jti }))
    }

    pub fn status(&self, token: &str) -> u16 {
        client::send(self.gateway.ports.plain, "GET", "/a/x", &[&format!("Authorization: Bearer {token}")], b"").status()
    }

    /// Waits until a token is refused, and says how long that took.
    pub fn refused(&self, token: &str) -> Duration {
        let begun = Instant::now();
        until("the token to be refused", || match self.status(token) {
            401 => Some(()),
            200 => None,
            other => panic!("{other}"),
        });
        begun.elapsed()
    }

    /// What `/revocation` says of an input.
    pub fn shown(&self, input: &str) -> Value {
        let shown: Value = serde_json::from_slice(&self.gateway.admin("/revocation").body).unwrap();
        shown["inputs"][input].clone()
    }

    /// Waits until what `/revocation` says of an input fits.
    pub fn shows(&self, input: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        until(&format!("{input} to be {what}"), || Some(self.shown(input)).filter(|shown| fits(shown)))
    }

    /// Waits until an input is there and complete.
    pub fn whole(&self, input: &str) {
        self.shows(input, "whole", |shown| shown["connected"] == true && shown["complete"] == true);
    }

    /// Kills the gateway and starts the next one with the same configuration, which is not waited for.
    pub fn restart(&mut self) {
        self.gateway.signal("KILL");
        self.gateway.wait();
        self.gateway.child = self.gateway.spawn_beside(&[]);
    }

    /// Waits until the gateway is ready.
    pub fn ready(&self) {
        let port = self.gateway.ports.admin;
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        until("the gateway to be ready", || (listens() && self.gateway.admin("/readyz").status() == 200).then_some(()));
    }
}

/// Median and 99th percentile.
pub fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}
