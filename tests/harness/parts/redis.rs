//! Redis: a server, a cluster of three masters, a master and its replica that a sentinel watches. What they hold is in memory only.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use super::process::Process;
use crate::{
    Folder,
    certificates::{Authority, Identity},
    ports::free_port,
    until,
};

/// Files of a server that wants to see its clients' certificates, and of one such client.
struct Files {
    ca: PathBuf,
    server: (PathBuf, PathBuf),
    client: (PathBuf, PathBuf),
}

/// A running server.
pub struct Redis {
    pub port: u16,
    folder: Folder,
    files: Option<Files>,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Redis {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With further options.
    pub fn with(options: &[&str]) -> Self {
        Self::in_folder(Folder::new(), None, options)
    }

    /// Over TLS only, for clients with a certificate of this authority; `own` is of 127.0.0.1.
    pub fn secure(authority: &Authority, own: &Identity, client: &Identity) -> Self {
        let folder = Folder::new();
        let files =
            Files { ca: authority.write(&folder, "ca.pem"), server: own.write(&folder, "server"), client: client.write(&folder, "client") };
        Self::in_folder(folder, Some(files), &[])
    }

    fn in_folder(folder: Folder, files: Option<Files>, options: &[&str]) -> Self {
        let arguments = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self { port: free_port(), folder, files, arguments, process: None };
        redis.restart();
        redis
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.files.is_some() { "rediss" } else { "redis" }, self.port)
    }

    /// Kills it, if it runs, and starts it again, empty.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(self.folder.path());
        match &self.files {
            None => command.args(["--port", &port]),
            Some(files) => {
                command.args(["--port", "0", "--tls-port", &port, "--tls-ca-cert-file"]).arg(&files.ca);
                command.arg("--tls-cert-file").arg(&files.server.0).arg("--tls-key-file").arg(&files.server.1)
            }
        };
        let mut process = Process::start(command.args(&self.arguments), self.folder.join("log"));
        assert!(process.listens(self.port), "it ended: {}", process.said());
        self.process = Some(process);
        until("Redis to answer", || self.command(&["PING"]).status.success().then_some(()));
    }

    /// Ends it without a word; what it held is lost.
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
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(files) = &self.files {
            command.arg("--tls").arg("--cacert").arg(&files.ca).arg("--cert").arg(&files.client.0).arg("--key").arg(&files.client.1);
        }
        let password = self.arguments.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].clone());
        command.envs(password.map(|password| ("REDISCLI_AUTH", password))).args(arguments).output().unwrap()
    }

    /// Runs a command, which must succeed; says what was answered.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said.trim_end().to_owned()
    }

    /// The keys that fit a pattern.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        self.cli(&["KEYS", pattern]).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// Three masters without replicas.
pub struct RedisCluster(pub Vec<Redis>);

impl RedisCluster {
    pub fn start() -> Self {
        let nodes = (0..3).map(|_| {
            let bus = free_port();
            let bus = bus.to_string();
            // The default is the port and 10,000, which may be taken or no port at all.
            let options =
                ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-config-file", "nodes", "--cluster-node-timeout", "1000"];
            (Redis::with(&options), bus)
        });
        let nodes = nodes.collect::<Vec<_>>();
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for ((node, _), (first, last)) in nodes.iter().zip(ranges) {
            node.cli(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        for (other, bus) in &nodes[1..] {
            nodes[0].0.cli(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), bus]);
        }
        let cluster = Self(nodes.into_iter().map(|(node, _)| node).collect());
        let whole = |node: &Redis| {
            let info = node.cli(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        };
        until("the cluster", || cluster.0.iter().all(whole).then_some(()));
        cluster
    }

    pub fn urls(&self) -> Vec<String> {
        self.0.iter().map(Redis::url).collect()
    }
}

/// A master, its replica, and a sentinel that makes the one the other.
pub struct RedisSentinel {
    pub master: Redis,
    pub replica: Redis,
    port: u16,
    _process: Process,
    _folder: Folder,
}

impl RedisSentinel {
    /// The master's name.
    pub const NAME: &str = "quotas";

    pub fn start() -> Self {
        let master = Redis::start();
        let replica = Redis::with(&["--replicaof", "127.0.0.1", &master.port.to_string(), "--repl-diskless-sync-delay", "0"]);
        until("the replica", || replica.cli(&["INFO", "replication"]).contains("master_link_status:up").then_some(()));
        let (folder, port, name) = (Folder::new(), free_port(), Self::NAME);
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {name} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {name} 500\n",
            folder.path().display(),
            master.port
        );
        let file = folder.join("sentinel.conf");
        std::fs::write(&file, settings).unwrap();
        let mut process = Process::start(Command::new("redis-server").arg(&file).arg("--sentinel"), folder.join("log"));
        assert!(process.listens(port), "it ended: {}", process.said());
        let sentinel = Self { master, replica, port, _process: process, _folder: folder };
        until("the sentinel to know the replica", || {
            sentinel.ask(&["SENTINEL", "REPLICAS", name]).contains("master-link-status\nok").then_some(())
        });
        sentinel
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn ask(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}
