//! Emulators of AWS, each a process of its own.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::sandbox::Sandbox;
use crate::tools::aws_emulators;
use crate::{eventually, free_port};

/// A running emulator; it ends when this is dropped.
#[derive(Debug)]
pub struct AwsEmulator {
    _sandbox: Sandbox,
    python: &'static Path,
    port: u16,
}

impl AwsEmulator {
    /// ministack: Route 53 with accounts, pages and its errors.
    pub async fn ministack() -> Option<Self> {
        Self::start(|python, port, sandbox| {
            let mut command = sandbox.command(python.with_file_name("ministack"));
            command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
            command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
            command
        })
        .await
    }

    /// moto: load balancers of all kinds.
    pub async fn moto() -> Option<Self> {
        Self::start(|python, port, sandbox| {
            let mut command = sandbox.command(python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/moto_server.py"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        })
        .await
    }

    /// microburst: a proxy before another emulator that makes requests fail as AWS does.
    pub async fn microburst(upstream: &Self) -> Option<Self> {
        let upstream = upstream.url();
        Self::start(|python, port, sandbox| {
            let mut command = sandbox.command(python.with_file_name("microburst"));
            command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--upstream", &upstream]);
            command
        })
        .await
    }

    async fn start(command: impl FnOnce(&Path, u16, &Sandbox) -> std::process::Command) -> Option<Self> {
        let python = aws_emulators()?;
        let (sandbox, port) = (Sandbox::new("aws"), free_port());
        let mut command = command(python, port, &sandbox);
        sandbox.spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
        eventually("the emulator listens", async || TcpStream::connect(("127.0.0.1", port)).await).await;
        Some(Self { _sandbox: sandbox, python, port })
    }

    /// For `AWS_ENDPOINT_URL…`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls operations as boto3 names them, and returns the answers.
    pub fn call(&self, calls: &[(&str, &str, Value)]) -> Vec<Value> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/aws/call.py");
        let mut command = std::process::Command::new(self.python);
        command.args([script, &self.url()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(json!(calls).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{calls:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
