//! A real gRPC server and client: Python's `grpcio`, with `grpc.aio`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::process::Process;
use crate::{Folder, until};

/// A server of `demo.Echo` and `demo.Other`; see `server.py`.
pub struct GrpcServer {
    /// The port without TLS.
    pub plain: u16,
    /// The port with TLS; 0 without a certificate.
    pub tls: u16,
    process: Process,
    _folder: Folder,
}

impl GrpcServer {
    /// A server without TLS.
    pub fn start() -> Self {
        Self::start_at(0)
    }

    /// A server at the port of one that was killed.
    pub fn start_at(port: u16) -> Self {
        Self::launch(port, &[])
    }

    /// A server that has a port with TLS as well.
    pub fn with_tls(certificate: &Path, key: &Path) -> Self {
        Self::launch(0, &[certificate, key])
    }

    fn launch(port: u16, arguments: &[&Path]) -> Self {
        let folder = Folder::new();
        let process = Process::start(python("server.py").arg(port.to_string()).args(arguments), folder.join("log"));
        let ports: Value = until("the gRPC server", || serde_json::from_str(process.said().lines().next()?).ok());
        let port = |name: &str| ports[name].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        Self { plain: port("plain"), tls: port("tls"), process, _folder: folder }
    }

    /// Where the server is, for an endpoint.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.plain)
    }

    /// What the server noted: `seen` and `ended`.
    pub fn notes(&self) -> Value {
        let answers = call(self.plain, &json!({}), &[json!({ "method": "/demo.Echo/Seen", "kind": "unary", "messages": [""] })]);
        serde_json::from_str(answers[0]["messages"][0].as_str().unwrap()).unwrap()
    }

    /// Waits until a call came to this.
    pub fn ended(&self, call: &str, how: &str) {
        until(&format!("call {call} to be {how}"), || (self.notes()["ended"][call] == how).then_some(()));
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Makes calls of a real client at the same time, and gives what became of each; see `client.py`.
///
/// # Panics
/// When the client fails in another way than by a status of gRPC.
pub fn call(port: u16, settings: &Value, calls: &[Value]) -> Vec<Value> {
    let mut question = settings.clone();
    question["target"] = format!("127.0.0.1:{port}").into();
    question["calls"] = calls.into();
    let mut child = python("client.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "the gRPC client failed; see above");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// One call without TLS.
pub fn one(port: u16, call_of: &Value) -> Value {
    call(port, &json!({}), std::slice::from_ref(call_of)).remove(0)
}

fn python(script: &str) -> Command {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interpreter: PathBuf = tests.join(".cache/grpc/bin/python");
    assert!(interpreter.exists(), "there is no {}; tests/install makes it", interpreter.display());
    let mut command = Command::new(interpreter);
    command.arg(tests.join("harness/parts/grpc").join(script)).stdin(Stdio::null());
    command
}
