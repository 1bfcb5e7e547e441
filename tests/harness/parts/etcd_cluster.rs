//! etcd, three members, of which each can be killed or stopped.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use openssl::{pkey::PKey, rsa::Rsa};
use serde_json::{Value, json};

use super::process::Process;
use crate::{Client, Folder, ports::free_port, until};

/// Members.
const MEMBERS: usize = 3;

struct Member {
    client: u16,
    peer: u16,
    process: Option<Process>,
}

/// Three members that know each other.
pub struct EtcdCluster {
    members: Vec<Member>,
    folder: Folder,
    /// Of the tokens that users get, in seconds.
    token_life: Option<u32>,
    user: Option<String>,
}

impl EtcdCluster {
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Users get tokens that live for so many seconds.
    pub fn with_tokens(life: u32) -> Self {
        Self::with(Some(life))
    }

    fn with(token_life: Option<u32>) -> Self {
        let member = |_| Member { client: free_port(), peer: free_port(), process: None };
        let mut cluster = Self { members: (0..MEMBERS).map(member).collect(), folder: Folder::new(), token_life, user: None };
        if token_life.is_some() {
            let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
            cluster.folder.write("token.key", key.private_key_to_pem_pkcs8().unwrap());
            cluster.folder.write("token.pem", key.public_key_to_pem().unwrap());
        }
        (0..MEMBERS).for_each(|number| cluster.spawn(number));
        (0..MEMBERS).for_each(|number| cluster.is_well(number));
        cluster
    }

    /// Ports where the members serve clients.
    pub fn ports(&self) -> Vec<u16> {
        self.members.iter().map(|member| member.client).collect()
    }

    fn spawn(&mut self, number: usize) {
        let name = |number: usize| format!("n{number}");
        let peer = |number: usize| format!("http://127.0.0.1:{}", self.members[number].peer);
        let client = format!("http://127.0.0.1:{}", self.members[number].client);
        let all: Vec<_> = (0..MEMBERS).map(|number| format!("{}={}", name(number), peer(number))).collect();
        let mut command = Command::new("etcd");
        command.env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH.replace("aarch64", "arm64"));
        command.args(["--name", &name(number), "--data-dir"]).arg(self.folder.join(name(number)));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer(number), "--initial-advertise-peer-urls", &peer(number)]);
        command.args(["--initial-cluster", &all.join(","), "--unsafe-no-fsync"]);
        if let Some(life) = self.token_life {
            let [public, private] = ["token.pem", "token.key"].map(|name| self.folder.join(name).display().to_string());
            command.args(["--auth-token", &format!("jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl={life}s")]);
        }
        let log: PathBuf = self.folder.join(format!("{}.log", name(number)));
        self.members[number].process = Some(Process::start(&mut command, log));
    }

    fn is_well(&mut self, number: usize) {
        let port = self.members[number].client;
        let process = self.members[number].process.as_mut().unwrap();
        assert!(process.listens(port), "it ended: {}", process.said());
        until("the member to be well", || self.command(&[port], &["endpoint", "health"]).status.success().then_some(()));
    }

    /// Kills a member.
    pub fn kill(&mut self, number: usize) {
        self.members[number].process = None;
    }

    /// Starts a member that was killed, with what it had on disk.
    pub fn restart(&mut self, number: usize) {
        self.spawn(number);
        self.is_well(number);
    }

    /// Starts all members, which were killed, with what they had on disk.
    pub fn restart_all(&mut self) {
        (0..MEMBERS).for_each(|number| self.spawn(number));
        (0..MEMBERS).for_each(|number| self.is_well(number));
    }

    /// Stops a member where it stands, with all its connections.
    pub fn freeze(&self, number: usize) {
        self.members[number].process.as_ref().unwrap().signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self, number: usize) {
        self.members[number].process.as_ref().unwrap().signal("CONT");
    }

    /// The member that leads.
    pub fn leader(&self) -> usize {
        until("a leader", || {
            let leads = |number: &usize| {
                let output = self.command(&[self.members[*number].client], &["endpoint", "status", "-w", "json"]);
                let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
                let status = &status[0]["Status"];
                status["leader"].is_u64() && status["leader"] == status["header"]["member_id"]
            };
            (0..MEMBERS).filter(|number| self.members[*number].process.is_some()).find(leads)
        })
    }

    fn command(&self, ports: &[u16], arguments: &[&str]) -> Output {
        let urls: Vec<_> = ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect();
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &urls.join(","), "--dial-timeout=1s", "--command-timeout=2s"]);
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        command.args(arguments).output().unwrap()
    }

    /// Runs `etcdctl` at the living members until it succeeds.
    pub fn ctl(&self, arguments: &[&str]) {
        let living: Vec<_> = self.members.iter().filter(|member| member.process.is_some()).map(|member| member.client).collect();
        // Not through its own balancer, which stays with a member that is stopped.
        let tried = || living.iter().find(|port| self.command(&[**port], arguments).status.success()).map(drop);
        until(&format!("etcdctl {arguments:?}"), tried);
    }

    /// Writes a key, as soon as that can be.
    pub fn put(&self, key: &str, value: &str) {
        self.ctl(&["put", key, value]);
    }

    /// From now on only users get in: `root`, and one who may read below a prefix.
    pub fn demand_users(&mut self, name: &str, password: &str, prefix: &str) {
        self.ctl(&["user", "add", "root:secret"]);
        self.ctl(&["user", "grant-role", "root", "root"]);
        self.ctl(&["role", "add", "reader"]);
        self.ctl(&["role", "grant-permission", "reader", "read", prefix, "--prefix=true"]);
        self.ctl(&["user", "add", &format!("{name}:{password}")]);
        self.ctl(&["user", "grant-role", name, "reader"]);
        self.ctl(&["auth", "enable"]);
        self.user = Some("root:secret".to_owned());
    }

    /// Who writes many keys to one member, over one connection. It knows no users.
    pub fn writer(&self, number: usize) -> Writer {
        Writer(Client::connect(self.members[number].client))
    }
}

/// Writes by the JSON gateway.
pub struct Writer(Client);

impl Writer {
    /// Writes a key; says at which revision.
    pub fn put(&mut self, key: &str, value: &str) -> i64 {
        self.ask("/v3/kv/put", &json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) }))
    }

    /// Forgets the history before a revision.
    pub fn compact(&mut self, revision: i64) {
        self.ask("/v3/kv/compaction", &json!({ "revision": revision.to_string(), "physical": true }));
    }

    fn ask(&mut self, path: &str, body: &Value) -> i64 {
        let answer = self.0.ask("POST", path, &[], body.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["header"]["revision"].as_str().unwrap().parse().unwrap()
    }
}
