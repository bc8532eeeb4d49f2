//! kubectl, as a person would use it.

use std::io::Write;
use std::process::{Output, Stdio};

use super::ControlPlane;

impl ControlPlane {
    /// Runs kubectl as the administrator with `input` as its standard input; its output, or what it complained about.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut kubectl = self.sandbox.command(&self.binaries.kubectl);
        kubectl
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.sandbox.join("kubectl"));
        kubectl.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let output = if status.success() { &stdout } else { &stderr };
        let text = String::from_utf8_lossy(output).into_owned();
        if status.success() { Ok(text) } else { Err(text) }
    }

    /// [`Self::try_kubectl`] that may not fail.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.try_kubectl(arguments, input)
            .unwrap_or_else(|error| panic!("kubectl {arguments:?}: {error}\n{input}"))
    }

    /// A kubeconfig file for the bearer of `token`, for instance one that `kubectl create token` printed.
    pub fn kubeconfig_for(&self, name: &str, token: &str) -> std::path::PathBuf {
        let file = self.sandbox.join(format!("kubeconfig-{name}"));
        std::fs::write(&file, super::servers::kubeconfig(&self.sandbox, self.ports, token)).unwrap();
        file
    }
}
