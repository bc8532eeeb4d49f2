//! How the two servers are started.

use std::fs::{self, File};
use std::process::Child;

use super::Ports;
use crate::sandbox::Sandbox;
use crate::tools::ControlPlaneBinaries;

/// Who writes what only one replica may write.
const AUDITED: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  verbs: [create, update, patch]
  resources:
  - {group: networking.k8s.io, resources: [ingresses/status]}
  - {group: coordination.k8s.io, resources: [leases]}
- level: None
";

/// Keys, the administrator's token and the kubeconfig that holds it.
pub(super) fn write_files(sandbox: &Sandbox, ports: Ports) {
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(sandbox.join("service-account.key"), key.serialize_pem()).unwrap();
    fs::write(sandbox.join("service-account.pub"), key.public_key_pem()).unwrap();
    fs::write(sandbox.join("tokens.csv"), "admintoken,admin,1,system:masters\n").unwrap();
    fs::write(sandbox.join("audit.yaml"), AUDITED).unwrap();
    let kubeconfig = kubeconfig(sandbox, ports, "admintoken");
    fs::write(sandbox.join("kubeconfig"), kubeconfig).unwrap();
}

/// A kubeconfig for the bearer of `token`.
pub(super) fn kubeconfig(sandbox: &Sandbox, ports: Ports, token: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: test
  cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: '{authority}'}}
users:
- name: test
  user: {{token: '{token}'}}
contexts:
- name: test
  context: {{cluster: test, user: test}}
current-context: test
",
        port = ports.api_server,
        authority = sandbox.join("certs/apiserver.crt").display(),
    )
}

pub(super) fn start_etcd(sandbox: &Sandbox, binaries: &ControlPlaneBinaries, ports: Ports) {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut etcd = sandbox.command(&binaries.etcd);
    etcd.args(["--data-dir", "etcd", "--unsafe-no-fsync", "--log-level", "error"]);
    etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    etcd.args(["--initial-cluster", &format!("default={peer}")]);
    let log = File::create(sandbox.join("etcd.log")).unwrap();
    etcd.stdout(log.try_clone().unwrap()).stderr(log);
    sandbox.spawn(&mut etcd);
}

pub(super) fn start_api_server(sandbox: &Sandbox, binaries: &ControlPlaneBinaries, ports: Ports) -> Child {
    let issuer = "https://kubernetes.default.svc";
    let mut api_server = sandbox.command(&binaries.kube_apiserver);
    api_server.args(["--etcd-servers", &format!("http://127.0.0.1:{}", ports.etcd)]);
    // Loopback may not be advertised. Nothing is sent to this address of the documentation's, as nobody advertises it.
    api_server.args(["--bind-address", "127.0.0.1", "--advertise-address", "192.0.2.1"]);
    api_server.args(["--secure-port", &ports.api_server.to_string(), "--cert-dir", "certs"]);
    api_server.args(["--service-account-issuer", issuer, "--api-audiences", issuer]);
    api_server.args(["--service-account-key-file", "service-account.pub"]);
    api_server.args(["--service-account-signing-key-file", "service-account.key"]);
    api_server.args(["--service-cluster-ip-range", "127.96.0.0/16"]);
    api_server.args(["--authorization-mode", "RBAC", "--token-auth-file", "tokens.csv"]);
    // No controller makes the default service accounts that this plugin waits for.
    api_server.args(["--endpoint-reconciler-type", "none", "--disable-admission-plugins", "ServiceAccount"]);
    api_server.args([
        "--profiling=false",
        "--audit-policy-file",
        "audit.yaml",
        "--audit-log-path",
        "audit.log",
    ]);
    let log = File::options().create(true).append(true).open(sandbox.join("kube-apiserver.log")).unwrap();
    api_server.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The end of a log, for a failure's message.
pub(super) fn last_lines(sandbox: &Sandbox, log: &str) -> String {
    let text = fs::read_to_string(sandbox.join(log)).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
