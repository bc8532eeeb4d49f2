//! The node, and what a person does with kubectl.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use feed_tests::{Request, Sandbox, dns_binary, eventually_within, ingress_binary};
use serde_json::Value;

/// Says to the test program that it runs in the node's network, and where the cluster is.
const INSIDE: &str = "FEED_TESTS_NODE";

/// The node's address.
pub(crate) const NODE: [u8; 4] = [192, 0, 2, 10];

/// Who waits longer for something than this, waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// A cluster takes 0.9 GB.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A running cluster, seen from the node.
#[derive(Debug)]
pub(crate) struct Cluster {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

/// Runs the test of that name once more in the network of a new node with that mode of kube-proxy: `Some` there, and `None` outside
/// once that has been done, or where no such tests are asked for.
pub(crate) fn on_a_node(test: &str, proxy_mode: Option<&str>) -> Option<Cluster> {
    if let Some(inside) = std::env::var_os(INSIDE) {
        let directory = PathBuf::from(inside);
        let kubectl = PathBuf::from(std::env::var_os("FEED_TESTS_KUBECTL").unwrap());
        return Some(Cluster { kubectl, kubeconfig: directory.join("state/pki/admin.kubeconfig") });
    }
    if !std::env::var("FEED_NODE_TESTS").is_ok_and(|asked| asked == "true") {
        say("skipping the tests on a node: they are asked for by FEED_NODE_TESTS=true (make test-node)");
        return None;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = PathBuf::from(run(&mut script("fetch")).trim_end());
    run(script("images").arg(&folder).arg(ingress_binary()).arg(dns_binary()));
    let sandbox = Sandbox::new("node");
    let directory = sandbox.join("cluster");
    let mut start = script("start");
    start.arg(&folder).arg(&directory);
    if let Some(mode) = proxy_mode {
        start.env("FEED_PROXY_MODE", mode);
    }
    run(&mut start);
    let pid = std::fs::read_to_string(directory.join("pid")).unwrap();
    let mut inside = Command::new("nsenter");
    inside.arg(format!("--net=/proc/{}/ns/net", pid.trim())).arg(std::env::current_exe().unwrap());
    inside.args(["--exact", test, "--nocapture"]).env(INSIDE, &directory);
    inside.env("FEED_TESTS_KUBECTL", folder.join("kubernetes/kubectl"));
    let outcome = inside.status();
    run(script("stop").arg(&directory));
    let well = outcome.unwrap().success();
    if !well {
        keep_logs(test, &directory);
    }
    assert!(well, "{test}");
    None
}

impl Cluster {
    /// Runs kubectl as the administrator with `input` as its standard input; its output, or what it complained about.
    pub(crate) fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        let mut child =
            kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        let text = String::from_utf8_lossy(said).into_owned();
        if output.status.success() { Ok(text) } else { Err(text) }
    }

    /// [`Self::try_kubectl`] that may not fail. The words are separated by spaces.
    pub(crate) fn kubectl(&self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        self.try_kubectl(&words, "").unwrap_or_else(|error| panic!("kubectl {line}: {error}"))
    }

    pub(crate) fn apply(&self, yaml: &str) {
        self.try_kubectl(&["apply", "-f", "-"], yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    }

    /// Applies a shipped manifest as it is.
    pub(crate) fn apply_manifest(&self, file: &str) {
        self.apply(&manifest(file));
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("{line} --output=json"))).unwrap()
    }

    /// Waits until all pods of a workload are new and ready.
    pub(crate) fn wait_rolled_out(&self, namespace: &str, workload: &str) {
        self.kubectl(&format!("--namespace={namespace} rollout status {workload} --timeout=3m"));
    }

    /// Restarts a workload, and waits until every old pod is gone.
    pub(crate) async fn restart(&self, namespace: &str, workload: &str, component: &str) {
        let begun = Instant::now();
        let selector = format!("--namespace={namespace} get pods --selector={component} --output=name");
        let old: Vec<String> = self.kubectl(&selector).lines().map(ToOwned::to_owned).collect();
        assert!(!old.is_empty());
        self.kubectl(&format!("--namespace={namespace} rollout restart {workload}"));
        self.wait_rolled_out(namespace, workload);
        eventually_within(PATIENCE, "the old pods are gone", async || {
            let now = self.kubectl(&selector);
            match old.iter().find(|old| now.lines().any(|name| name == *old)) {
                Some(left) => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    Err(left.clone())
                }
                None => Ok(()),
            }
        })
        .await;
        say(&format!("{workload}: restarted in {:.0?}", begun.elapsed()));
    }

    /// Where the Service of `service.yaml` is reached on the node.
    pub(crate) fn node_port(&self) -> SocketAddr {
        let service = self.json("--namespace=feed get service feed-ingress-traffic");
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().unwrap();
        (NODE, u16::try_from(port).unwrap()).into()
    }
}

/// A shipped manifest.
pub(crate) fn manifest(file: &str) -> String {
    std::fs::read_to_string(folder().join("../manifests").join(file)).unwrap()
}

/// Waits until a host is served at that address.
pub(crate) async fn wait_served(at: SocketAddr, host: &str) {
    eventually_within(PATIENCE, &format!("{host} is served"), async || {
        match Request::get(host, "/").send(at).await {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(response.status.to_string()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}

/// Keeps what the components and the pods have logged, and says where.
fn keep_logs(test: &str, cluster: &Path) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node").join(test.replace("::", "."));
    std::fs::remove_dir_all(&kept).ok();
    std::fs::create_dir_all(&kept).unwrap();
    run(Command::new("cp").arg("-r").arg(cluster.join("state/log")).arg(kept.join("components")));
    run(Command::new("cp").arg("-r").arg(cluster.join("upper/var/log/pods")).arg(kept.join("pods")));
    say(&format!("the logs are in {}", kept.display()));
}

/// Prints a line, also where the runner swallows what tests print.
pub(crate) fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(name: &str) -> Command {
    Command::new(folder().join("node").join(name))
}

/// Runs a script; its output.
fn run(command: &mut Command) -> String {
    let output =
        command.stderr(Stdio::inherit()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}
