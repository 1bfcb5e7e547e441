//! etcd, one member, with its data on disk.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::process::Process;
use crate::{
    Folder,
    certificates::{Authority, Identity},
    client,
    ports::free_port,
    until,
};

/// Operations that etcd takes in one transaction.
const TOGETHER: usize = 100;

/// Files of a member that wants to see its clients' certificates, and of one such client.
struct Files {
    ca: PathBuf,
    server: (PathBuf, PathBuf),
    client: (PathBuf, PathBuf),
}

/// A running etcd.
pub struct Etcd {
    pub port: u16,
    peer: u16,
    folder: Folder,
    files: Option<Files>,
    user: Option<String>,
    process: Option<Process>,
}

impl Etcd {
    pub fn start() -> Self {
        Self::with(Folder::new(), None)
    }

    /// Over TLS only, for clients with a certificate of this authority; `own` is of 127.0.0.1.
    pub fn secure(authority: &Authority, own: &Identity, client: &Identity) -> Self {
        let folder = Folder::new();
        let files =
            Files { ca: authority.write(&folder, "ca.pem"), server: own.write(&folder, "server"), client: client.write(&folder, "client") };
        Self::with(folder, Some(files))
    }

    fn with(folder: Folder, files: Option<Files>) -> Self {
        let mut etcd = Self { port: free_port(), peer: free_port(), folder, files, user: None, process: None };
        etcd.restart();
        etcd
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.files.is_some() { "https" } else { "http" }, self.port)
    }

    /// Kills it, if it runs, and starts it again with what it had on disk.
    pub fn restart(&mut self) {
        self.kill();
        let (url, peer) = (self.url(), format!("http://127.0.0.1:{}", self.peer));
        let mut command = Command::new("etcd");
        command.env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH.replace("aarch64", "arm64"));
        command.args(["--name", "n1", "--data-dir"]).arg(self.folder.join("data"));
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("n1={peer}"), "--max-txn-ops", "1000"]);
        if let Some(files) = &self.files {
            command.arg("--client-cert-auth").arg("--trusted-ca-file").arg(&files.ca);
            command.arg("--cert-file").arg(&files.server.0).arg("--key-file").arg(&files.server.1);
        }
        let mut process = Process::start(&mut command, self.folder.join("log"));
        assert!(process.listens(self.port), "it ended: {}", process.said());
        self.process = Some(process);
        until("etcd to be healthy", || self.command(&["endpoint", "health"]).status.success().then_some(()));
    }

    /// Kills it, and forgets everything it knew; the next start makes another cluster.
    pub fn lose_everything(&mut self) {
        self.kill();
        std::fs::remove_dir_all(self.folder.join("data")).unwrap();
        self.peer = free_port();
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Stops it where it stands, with all its connections.
    pub fn freeze(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("etcdctl");
        command.env("ETCDCTL_API", "3").args(["--endpoints", &self.url()]);
        if let Some(files) = &self.files {
            command.arg("--cacert").arg(&files.ca).arg("--cert").arg(&files.client.0).arg("--key").arg(&files.client.1);
        }
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        command.args(arguments).output().unwrap()
    }

    /// Runs `etcdctl`, which must succeed.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
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

    /// Asks the JSON gateway, which only a member without TLS and users answers here.
    fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = client::send(self.port, "POST", path, &[], body.to_string().as_bytes());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Writes a key; says at which revision.
    pub fn put(&self, key: &str, value: &str) -> i64 {
        revision(&self.ask("/v3/kv/put", &json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) })))
    }

    /// Deletes a key; says at which revision.
    pub fn delete(&self, key: &str) -> i64 {
        revision(&self.ask("/v3/kv/deleterange", &json!({ "key": STANDARD.encode(key) })))
    }

    /// Writes many keys without values, many at a time; says at which revision.
    pub fn put_all(&self, keys: &[String]) -> i64 {
        self.put_pairs(&keys.iter().map(|key| (key.clone(), String::new())).collect::<Vec<_>>())
    }

    /// Writes many keys with their values, many at a time; says at which revision.
    pub fn put_pairs(&self, pairs: &[(String, String)]) -> i64 {
        let put =
            |(key, value): &(String, String)| json!({ "requestPut": { "key": STANDARD.encode(key), "value": STANDARD.encode(value) } });
        let write = |pairs: &[(String, String)]| self.ask("/v3/kv/txn", &json!({ "success": pairs.iter().map(put).collect::<Vec<_>>() }));
        pairs.chunks(TOGETHER).fold(0, |_, pairs| revision(&write(pairs)))
    }

    /// Connections to it that somebody holds open, its own to itself included.
    pub fn connections(&self) -> usize {
        let (all, port) = (std::fs::read_to_string("/proc/net/tcp").unwrap(), format!(":{:04X}", self.port));
        let is_one = |line: &&str| {
            let mut columns = line.split_whitespace().skip(2);
            columns.next().is_some_and(|remote| remote.ends_with(&port)) && columns.next() == Some("01")
        };
        all.lines().filter(is_one).count()
    }

    /// Forgets the history before a revision.
    pub fn compact(&self, revision: i64) {
        self.ask("/v3/kv/compaction", &json!({ "revision": revision.to_string(), "physical": true }));
    }
}

fn revision(answer: &Value) -> i64 {
    answer["header"]["revision"].as_str().unwrap().parse().unwrap()
}
