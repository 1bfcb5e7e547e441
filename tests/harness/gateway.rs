//! The gateway as a process.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Folder, PATIENCE, Response, client,
    command::binary,
    ports::free_port,
    project::{artifact, everything, open_api},
    until,
};

/// What a test wants of `gateway.yaml`; ports are filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything besides `admin` and `access_log`. Of `listeners`, those of the ports come behind what is here.
    pub config: Value,
    /// Settings of a TLS listener, when there is to be one.
    pub tls: Option<Value>,
    /// Whether there is to be an h2c listener.
    pub h2c: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { config: json!({}), tls: None, h2c: false }
    }
}

impl Settings {
    pub fn of(config: Value) -> Self {
        Self { config, ..Self::default() }
    }
}

/// Ports of one gateway.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub plain: u16,
    pub tls: u16,
    pub h2c: u16,
    pub admin: u16,
}

/// A running gateway; killed when dropped.
pub struct Gateway {
    pub ports: Ports,
    pub folder: Folder,
    pub child: Child,
    artifact: PathBuf,
}

/// How far a gateway is waited for.
#[derive(Clone, Copy)]
enum Until {
    Ready,
    Listening,
}

impl Gateway {
    /// Starts it with an open API at `/` over one endpoint.
    pub fn over(endpoint: &str, settings: Settings) -> Self {
        let folder = Folder::new();
        let artifact = artifact(&folder, &open_api("/", endpoint, everything()));
        Self::start_in(folder, &artifact, settings)
    }

    /// Starts it with one definition.
    pub fn serving(definition: &Value, settings: Settings) -> Self {
        let folder = Folder::new();
        let artifact = artifact(&folder, definition);
        Self::start_in(folder, &artifact, settings)
    }

    /// Starts it without an artifact: the routes of its settings are all there is.
    pub fn routing(config: Value) -> Self {
        Self::routing_with(Folder::new(), Settings::of(config))
    }

    /// The same with files, and listeners besides.
    pub fn routing_with(folder: Folder, settings: Settings) -> Self {
        Self::start_in(folder, Path::new(""), settings)
    }

    /// As [`serving`](Self::serving), and waits only until it listens.
    ///
    /// # Panics
    /// When it ends, or does not listen in time.
    pub fn serving_unready(definition: &Value, settings: Settings) -> Self {
        let folder = Folder::new();
        let artifact = artifact(&folder, definition);
        Self::listening(folder, &artifact, &|folder, ports| config(folder, &settings, ports))
    }

    pub fn start(artifact: &Path, settings: Settings) -> Self {
        Self::start_in(Folder::new(), artifact, settings)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub fn start_in(folder: Folder, artifact: &Path, settings: Settings) -> Self {
        Self::configured(folder, artifact, &|folder, ports| config(folder, &settings, ports))
    }

    /// Starts it with a `gateway.yaml` of the test's own, and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub fn configured(folder: Folder, artifact: &Path, config: &dyn Fn(&Folder, Ports) -> String) -> Self {
        Self::launched(folder, artifact, config, &|| Command::new(binary()), &[], Until::Ready)
    }

    /// As [`configured`](Self::configured), and waits only until it listens: what it needs may never come.
    ///
    /// # Panics
    /// When it ends, or does not listen in time.
    pub fn listening(folder: Folder, artifact: &Path, config: &dyn Fn(&Folder, Ports) -> String) -> Self {
        Self::launched(folder, artifact, config, &|| Command::new(binary()), &[], Until::Listening)
    }

    /// As [`serving`](Self::serving), with further arguments and variables of the environment.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub fn told(definition: &Value, settings: Settings, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let artifact = artifact(&folder, definition);
        Self::told_in(folder, &artifact, settings, arguments, variables)
    }

    /// As [`start`](Self::start), with further arguments and variables of the environment.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub fn told_artifact(artifact: &Path, settings: Settings, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::told_in(Folder::new(), artifact, settings, arguments, variables)
    }

    fn told_in(folder: Folder, artifact: &Path, settings: Settings, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let command = || {
            let mut command = Command::new(binary());
            command.envs(variables.iter().copied());
            command
        };
        Self::launched(folder, artifact, &|folder, ports| config(folder, &settings, ports), &command, arguments, Until::Ready)
    }

    /// As [`start`](Self::start), and waits only until it listens.
    ///
    /// # Panics
    /// When it ends, or does not listen in time.
    pub fn start_listening(artifact: &Path, settings: Settings) -> Self {
        Self::listening(Folder::new(), artifact, &|folder, ports| config(folder, &settings, ports))
    }

    /// As [`over`](Self::over), in a process that may have so many files open.
    pub fn with_open_files(endpoint: &str, open_files: u32) -> Self {
        let folder = Folder::new();
        let artifact = artifact(&folder, &open_api("/", endpoint, everything()));
        let config = |folder: &Folder, ports| config(folder, &Settings::default(), ports);
        Self::launched(folder, &artifact, &config, &|| limited(open_files), &[], Until::Ready)
    }

    fn launched(
        folder: Folder,
        artifact: &Path,
        config: &dyn Fn(&Folder, Ports) -> String,
        command: &dyn Fn() -> Command,
        arguments: &[&str],
        until: Until,
    ) -> Self {
        let ports = Ports { plain: free_port(), tls: free_port(), h2c: free_port(), admin: free_port() };
        folder.write("gateway.yaml", config(&folder, ports));
        let child = spawn(command(), &folder, artifact, arguments);
        let mut gateway = Self { ports, folder, child, artifact: artifact.to_owned() };
        match gateway.wait_until(until) {
            Ok(()) => gateway,
            // Somebody else was faster: once more with other ports.
            Err(said) if said.contains("in use") => {
                let folder = std::mem::take(&mut gateway.folder);
                let _ = fs::remove_file(folder.join("stderr"));
                Self::launched(folder, artifact, config, command, arguments, until)
            }
            Err(said) => panic!("the gateway ended: {said}"),
        }
    }

    /// Whether it has come so far. One that ends while it is asked has not.
    fn has_come(&self, until: Until) -> bool {
        let asked = client::Client::try_connect(self.ports.admin).and_then(|mut client| client.ask("GET", "/readyz", &[], b""));
        let Ok(ready) = asked else { return false };
        ready.status() == 200 || (matches!(until, Until::Listening) && !ready.text().contains("the listeners are not open"))
    }

    fn wait_until(&mut self, until: Until) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return Err(self.stderr());
            }
            if self.has_come(until) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("it was not ready in time: {}", self.stderr()))
    }

    /// What it said on stderr so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.join("stderr")).unwrap_or_default()
    }

    pub fn admin(&self, path: &str) -> Response {
        client::get(self.ports.admin, path)
    }

    pub fn admin_post(&self, path: &str, body: &str) -> Response {
        client::send(self.ports.admin, "POST", path, &[], body.as_bytes())
    }

    pub fn get(&self, target: &str) -> Response {
        client::get(self.ports.plain, target)
    }

    pub fn send(&self, method: &str, target: &str, fields: &[&str], body: &[u8]) -> Response {
        client::send(self.ports.plain, method, target, fields, body)
    }

    pub fn connect(&self) -> client::Client {
        client::Client::connect(self.ports.plain)
    }

    /// Puts another artifact in place of the running one and asks for a reload.
    pub fn reload_with(&self, artifact: &[u8]) -> Response {
        let temporary = self.artifact.with_extension("next");
        fs::write(&temporary, artifact).unwrap();
        fs::rename(&temporary, &self.artifact).unwrap();
        self.reload()
    }

    pub fn reload(&self) -> Response {
        client::send(self.ports.admin, "POST", "/reload", &[], b"")
    }

    /// The value of a series, labels as written in the text format.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let text = self.admin("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a series has at least this value.
    pub fn metric_reaches(&self, series: &str, value: f64) {
        until(&format!("{series} to reach {value}"), || self.metric(series).filter(|found| *found >= value));
    }

    /// The lines of the access log so far.
    pub fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("access.log")).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        lines.map(|line| serde_json::from_str(line).unwrap()).inspect(has_its_cause).collect()
    }

    /// Waits for so many lines of the access log.
    pub fn log_of(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} lines of access log"), || Some(self.log()).filter(|lines| lines.len() >= count))
    }

    /// Resident memory of the process, in MiB.
    pub fn memory(&self) -> u64 {
        self.memory_bytes() >> 20
    }

    /// Resident memory of the process, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until the process ends, and says with what.
    pub fn wait(&mut self) -> i32 {
        until("the gateway to end", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }

    /// Starts a second process with the same configuration.
    pub fn spawn_beside(&self, arguments: &[&str]) -> Child {
        spawn(Command::new(binary()), &self.folder, &self.artifact, arguments)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the gateway said:\n{}", self.stderr());
        }
    }
}

/// The gateway's binary under a limit of open files.
fn limited(open_files: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n {open_files} && exec \"$0\" \"$@\"")]).arg(binary());
    shell
}

fn spawn(mut command: Command, folder: &Folder, artifact: &Path, arguments: &[&str]) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("stderr")).unwrap();
    command
        .arg("run")
        .args(Some(artifact).filter(|artifact| !artifact.as_os_str().is_empty()))
        .arg("--config")
        .arg(folder.join("gateway.yaml"))
        .args(arguments)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// `gateway.yaml`: JSON, which is YAML.
fn config(folder: &Folder, settings: &Settings, ports: Ports) -> String {
    let mut config = settings.config.clone();
    let mut listeners = config["listeners"].as_array().cloned().unwrap_or_default();
    listeners.push(json!({ "address": format!("127.0.0.1:{}", ports.plain) }));
    if let Some(tls) = &settings.tls {
        listeners.push(json!({ "address": format!("127.0.0.1:{}", ports.tls), "tls": tls }));
    }
    if settings.h2c {
        listeners.push(json!({ "address": format!("127.0.0.1:{}", ports.h2c), "h2c": true }));
    }
    config["listeners"] = listeners.into();
    config["admin"] = json!({ "address": format!("127.0.0.1:{}", ports.admin) });
    config["access_log"] = json!({ "to": folder.join("access.log") });
    if config["process"]["threads"].is_null() {
        config["process"]["threads"] = 2.into();
    }
    serde_json::to_string_pretty(&config).unwrap()
}

/// A refusal says why; what answers in place of an upstream refuses nothing.
fn has_its_cause(line: &Value) {
    const REPLIES: [&str; 5] = ["route.options", "cors.preflight", "redirect.sent", "respond.fixed", "issue_key.issued"];
    let refused = line["reason"].as_str().is_some_and(|reason| !REPLIES.contains(&reason));
    assert_eq!((line["cause"].is_string(), line["cause"].is_string() && line["detail"].is_string()), (refused, refused), "{line}");
}
