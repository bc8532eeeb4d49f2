//! The real `feed-dns`, looked at from outside.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::Request;
use crate::process::Process;
use crate::sandbox::Sandbox;
use crate::{dns_binary, eventually, eventually_within, free_port};

/// One `feed-dns` with a port and manifests of its own. It may be started, killed and started again.
#[derive(Debug)]
pub struct FeedDns {
    sandbox: Sandbox,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    port: u16,
    child: Option<Child>,
}

impl FeedDns {
    /// One that talks to this Route 53, with these flags; it reads manifests if nothing else is said. Not started yet.
    pub fn new(route53_url: &str, flags: &[&str]) -> Self {
        let sandbox = Sandbox::new("feed-dns");
        fs::create_dir(sandbox.join("manifests")).unwrap();
        let environment = [
            ("AWS_ENDPOINT_URL_ROUTE_53", route53_url),
            ("AWS_ACCESS_KEY_ID", "000000000001"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let arguments = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Self { sandbox, arguments, environment, port: free_port(), child: None }
    }

    /// Another environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.arguments.push(flag.to_owned());
        self
    }

    /// Started.
    #[must_use]
    pub fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts the process, also again after its end: with the same flags, files and port.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.sandbox.join("feed.log")).unwrap();
        let mut command = self.sandbox.command(dns_binary());
        command.args(self.all_arguments(&[])).arg(format!("--health-port={}", self.port));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.child = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
    }

    /// Runs `feed-dns plan` with the same flags, and these, to its end.
    pub fn plan(&self, flags: &[&str]) -> Output {
        let mut command = self.sandbox.command(dns_binary());
        command.arg("plan").args(self.all_arguments(flags));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.output().unwrap()
    }

    fn all_arguments(&self, more: &[&str]) -> Vec<String> {
        let mut arguments = self.arguments.clone();
        arguments.extend(more.iter().map(|flag| (*flag).to_owned()));
        if !arguments.iter().any(|flag| flag.starts_with("--kubeconfig")) {
            arguments.push(format!("--manifests={}", self.sandbox.join("manifests").display()));
        }
        arguments
    }

    /// The environment and arguments of a run, for another way to start it.
    pub fn command_line(&self) -> (Vec<(String, String)>, Vec<String>) {
        (self.environment.clone(), self.all_arguments(&[]))
    }

    /// Writes the Ingresses into one manifest, in one step: for each a name, a scheme and hosts.
    pub fn write_ingresses<H: AsRef<str>>(&self, ingresses: &[(&str, &str, &[H])]) {
        let documents: Vec<String> =
            ingresses.iter().map(|(name, scheme, hosts)| ingress(name, scheme, hosts)).collect();
        self.write_manifest("ingresses.yaml", &documents.join("---\n"));
    }

    /// Writes a manifest in one step, as an editor does that renames.
    pub fn write_manifest(&self, file: &str, yaml: &str) {
        let part = self.sandbox.join(format!(".{file}.part"));
        fs::write(&part, yaml).unwrap();
        fs::rename(part, self.sandbox.join("manifests").join(file)).unwrap();
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process::of(self.child.as_ref().unwrap())
    }

    /// Its resident memory, in bytes.
    pub fn resident_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process().0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process().signal(Signal::SIGTERM);
        self.wait_exit().await
    }

    /// Waits for its end.
    pub async fn wait_exit(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        eventually_within(Duration::from_secs(30), "feed-dns ends", async || {
            child.try_wait().unwrap().ok_or("it runs")
        })
        .await
    }

    /// Waits until `/readiness` says 200.
    #[track_caller]
    pub fn wait_ready(&self) -> impl Future<Output = ()> {
        eventually("feed-dns is ready", async || match self.admin("/readiness").await {
            (200, _) => Ok(()),
            (status, text) => Err(format!("{status} {text}\n{}", self.log())),
        })
    }

    /// The status and text of an admin endpoint; 0 while nobody answers.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        match Request::get("localhost", path).send(address).await {
            Ok(response) => (response.status, response.text()),
            Err(error) => (0, error.to_string()),
        }
    }

    /// `/status`.
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.admin("/status").await.1).unwrap_or_default()
    }

    /// The value of a sample, named as `/metrics` prints it after `feed_dns_`, its labels included.
    pub async fn metric(&self, sample: &str) -> Option<f64> {
        let (_, metrics) = self.admin("/metrics").await;
        let sample = format!("feed_dns_{sample} ");
        metrics.lines().find_map(|line| line.strip_prefix(&sample)?.trim().parse().ok())
    }

    /// What it wrote to its standard output and standard error since its first start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.sandbox.join("feed.log")).unwrap_or_default()
    }

    /// The directory of the manifests.
    pub fn manifests(&self) -> std::path::PathBuf {
        self.sandbox.join("manifests")
    }

    /// The sandbox's directory.
    pub fn path(&self) -> &Path {
        self.sandbox.path()
    }
}

/// An Ingress as YAML.
fn ingress<H: AsRef<str>>(name: &str, scheme: &str, hosts: &[H]) -> String {
    let rules: Vec<String> = hosts.iter().map(|host| format!("{{host: \"{}\"}}", host.as_ref())).collect();
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: shop\n  \
         annotations: {{sky.uk/frontend-scheme: {scheme}}}\nspec: {{rules: [{}]}}\n",
        rules.join(", ")
    )
}

impl Drop for FeedDns {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The output of a failed test is shown with its panic.
            #[expect(clippy::print_stderr, reason = "goes to the test runner")]
            {
                eprintln!("feed-dns {}\n{}", self.arguments.join(" "), self.log());
            }
        }
        if let Some(child) = &mut self.child
            && child.kill().is_ok()
        {
            child.wait().ok();
        }
    }
}
