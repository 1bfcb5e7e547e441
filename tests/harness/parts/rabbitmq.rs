//! RabbitMQ with its STOMP and AMQP 1.0 plugins, as the user `rabbitmq`.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use super::{PASSWORD, USER, process::Process};
use crate::{Folder, ports::free_port, until};

/// A running broker that keeps its durable queues over a restart.
pub struct RabbitMq {
    pub amqp: u16,
    pub stomp: u16,
    distribution: u16,
    mapper: u16,
    folder: Folder,
    process: Option<Process>,
}

impl RabbitMq {
    /// Starts it, on other ports when somebody else was faster.
    pub fn start() -> Self {
        for _ in 0..3 {
            let mut broker = Self::new();
            if broker.launch() {
                return broker;
            }
        }
        panic!("RabbitMQ did not start on three sets of ports");
    }

    fn new() -> Self {
        let (amqp, stomp, distribution, mapper) = (free_port(), free_port(), free_port(), free_port());
        let folder = Folder::new();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        folder.write("rabbit.conf", "log.file = false\nlog.console = true\n");
        folder.write(
            "advanced.config",
            format!(
                "[{{rabbit,[{{tcp_listeners,[{{\"127.0.0.1\",{amqp}}}]}},{{default_user,<<\"{USER}\">>}},{{default_pass,<<\"{PASSWORD}\">>}},\
                 {{loopback_users,[]}}]}},{{rabbitmq_stomp,[{{tcp_listeners,[{{\"127.0.0.1\",{stomp}}}]}}]}}].\n"
            ),
        );
        folder.write("plugins", "[rabbitmq_amqp1_0,rabbitmq_stomp].\n");
        Self { amqp, stomp, distribution, mapper, folder, process: None }
    }

    /// Kills it, if it runs, and starts it again with what it had on disk.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "it did not start again");
    }

    /// Stops it where it stands, with all its connections.
    pub fn freeze(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    fn launch(&mut self) -> bool {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "rabbitmq", "--regid", "rabbitmq", "--clear-groups", "/usr/lib/rabbitmq/bin/rabbitmq-server"]);
        command.current_dir(self.folder.path());
        for (name, value) in [
            ("RABBITMQ_NODENAME", format!("t{}@localhost", self.amqp)),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_CONFIG_FILE", path("rabbit")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins")),
            ("RABBITMQ_DIST_PORT", self.distribution.to_string()),
            ("ERL_EPMD_PORT", self.mapper.to_string()),
            ("HOME", path("")),
        ] {
            command.env(name, value);
        }
        let mut process = Process::start(&mut command, self.folder.join("output"));
        if !process.listens(self.amqp) || !process.listens(self.stomp) {
            return false;
        }
        // The ports are open before the user is there.
        until("RabbitMQ to be ready", || process.said().contains("startup complete").then_some(()));
        self.process = Some(process);
        true
    }

    /// Kills it, and the port mapper, which leaves the process group and stays behind.
    pub fn kill(&mut self) {
        self.process = None;
        let mine = format!("ERL_EPMD_PORT={}", self.mapper);
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let is_mine = || read("environ").split(|byte| *byte == 0).any(|line| line == mine.as_bytes());
            if read("comm") == b"epmd\n" && is_mine() {
                let _ = Command::new("kill").arg("-9").arg(entry.file_name()).status();
            }
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Publishes to a topic over STOMP; every call returns once the broker has the message.
pub struct Publisher {
    stream: TcpStream,
    topic: String,
}

impl Publisher {
    pub fn new(broker: &RabbitMq, topic: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", broker.stomp)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut publisher = Self { stream, topic: topic.to_owned() };
        publisher.say(&format!("CONNECT\naccept-version:1.2\nhost:/\nlogin:{USER}\npasscode:{PASSWORD}\n\n\0"), "CONNECTED");
        publisher
    }

    pub fn publish(&mut self, body: &str) {
        let topic = self.topic.clone();
        self.say(&format!("SEND\ndestination:/topic/{topic}\npersistent:true\nreceipt:1\n\n{body}\0"), "RECEIPT");
    }

    fn say(&mut self, frame: &str, expected: &str) {
        self.stream.write_all(frame.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while answer.last() != Some(&0) {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.trim_start().starts_with(expected), "{answer}");
    }
}
