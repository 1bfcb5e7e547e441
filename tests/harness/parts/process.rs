//! A process of its own group, and everything it leaves behind.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use crate::until;

/// A running part; it and its children are killed when dropped.
pub struct Process {
    pub child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; stdout and stderr go to `log`.
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = command.process_group(0).stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    /// Waits until somebody listens there; false when the process ended instead.
    pub fn listens(&mut self, port: u16) -> bool {
        until(&format!("port {port}"), || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(|_| true)
        })
    }

    /// What it printed.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends it, and its children, a signal.
    pub fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.id());
        assert!(Command::new("kill").args(["-s", name, "--", &group]).status().unwrap().success());
    }

    /// Ends it at once, without giving it time to say goodbye.
    pub fn kill(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", "KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("the part said:\n{}", self.said());
        }
    }
}
