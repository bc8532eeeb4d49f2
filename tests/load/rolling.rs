//! Restarts behind a load balancer: no client notices any of them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed_tests::{
    Backend, Elb, Feed, Load, LoadReport, NginxBinary, Process, Request, TcpBalancer, eventually, free_port,
    is_running,
};
use nix::sys::signal::Signal;

use super::{ingress, list, machine, service};

const RESTARTS: usize = 10;
const CLIENTS: usize = 200;

/// How long the load balancer goes on sending new connections to a target that was deregistered.
const LAG: Duration = Duration::from_secs(2);

/// Longer than that.
const DRAIN_DELAY: &str = "3s";

/// A pod: `feed-ingress`, and in sidecar mode the neighbour.
struct Pod {
    feed: Feed,
    nginx: NginxBinary,
    /// Its address and its port for requests.
    address: SocketAddr,
    neighbour: Option<Process>,
}

impl Pod {
    async fn started(elb: &Elb, nginx: &NginxBinary, backend: &Backend, host: u8, sidecar: bool) -> Self {
        let address = SocketAddr::from(([127, 0, 1, host], free_port()));
        let ip = address.ip().to_string();
        let mut feed = Feed::builder(nginx)
            .command("nlb")
            .variable("AWS_ENDPOINT_URL", &elb.url())
            .variable("AWS_ACCESS_KEY_ID", "000000000001")
            .variable("AWS_SECRET_ACCESS_KEY", "secret")
            .flag("--nlb-frontend-tag-value", "main")
            .flag("--nlb-expected-number", "1")
            .flag("--drain-delay", DRAIN_DELAY)
            .flag("--instance-ip", &ip)
            // Two hundred new connections at once may be more than the backend's queue holds.
            .flag("--nginx-backend-connect-timeout-seconds", "10")
            .flag("--ingress-port", &address.port().to_string())
            .manifest("all.yaml", &list(&[service(backend), ingress("busy", "test", backend)]))
            .build();
        if sidecar {
            let pid_file = feed.workdir().join("neighbour.pid");
            feed.add_arguments(&["--nginx-pid-file", pid_file.to_str().unwrap()]);
        }
        let mut pod = Self { feed, nginx: nginx.clone(), address, neighbour: None };
        pod.start(sidecar).await;
        pod
    }

    async fn start(&mut self, sidecar: bool) {
        if sidecar {
            let output = self.feed.run("bootstrap");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let mut command = self.feed.sandbox().command(&self.nginx.path);
            command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(self.feed.workdir());
            command.arg("-c").arg(self.feed.workdir().join("nginx.conf"));
            let log =
                fs::File::options().create(true).append(true).open(self.feed.sandbox().join("nginx.log"));
            self.neighbour = Some(self.feed.sandbox().spawn(command.stderr(log.unwrap())));
        }
        self.feed.start();
        self.feed.wait_ready().await;
    }

    /// As the kubelet ends a pod: `feed-ingress` gets its signal, and the neighbour is stopped by its own side once its
    /// preStop hook has found `drained`.
    async fn stop(&mut self) {
        self.feed.signal(Signal::SIGTERM);
        if let Some(neighbour) = self.neighbour.take() {
            let drained = self.feed.workdir().join("drained");
            eventually(
                "the neighbour may stop",
                async || {
                    if drained.exists() { Ok(()) } else { Err("not yet") }
                },
            )
            .await;
            neighbour.signal(Signal::SIGQUIT);
            eventually("the neighbour has stopped", async || {
                if is_running(neighbour) { Err("it runs") } else { Ok(()) }
            })
            .await;
        }
        let status = self.feed.wait_exit(Duration::from_secs(30)).await;
        assert_eq!(status.code(), Some(0), "{}", self.feed.log());
    }
}

/// How long they took, and what the clients saw.
async fn restarts(sidecar: bool) -> Option<(Duration, LoadReport)> {
    let nginx = NginxBinary::newer()?;
    let _machine = machine().await;
    let elb = Arc::new(Elb::start().await);
    let ours =
        [("sky.uk/KubernetesClusterFrontend", "main"), ("sky.uk/KubernetesClusterIngressClass", "test")];
    elb.create_network("edge", "internal", &ours);
    elb.create_group("web", "ip", &["edge"]);
    // As AWS has it, a target is told as draining for as long as the group's delay is.
    elb.targets_take(Duration::from_millis(500), Duration::from_secs(10));
    let backend = Backend::http("a").await;
    let mut pods = [
        Pod::started(&elb, &nginx, &backend, 1, sidecar).await,
        Pod::started(&elb, &nginx, &backend, 2, sidecar).await,
    ];
    let addresses: BTreeMap<String, SocketAddr> =
        pods.iter().map(|pod| (pod.address.ip().to_string(), pod.address)).collect();
    let targets = Arc::clone(&elb);
    let receivers =
        move || targets.receivers("web", LAG).iter().filter_map(|id| addresses.get(id).copied()).collect();
    let balancer = TcpBalancer::start(receivers).await;

    let since = Instant::now();
    let load = Load::start(balancer.address(), &Request::get("busy.test", "/"), CLIENTS);
    for _ in 0..RESTARTS {
        // Each in turn: all clients are with the other one then, and come to this one when that is restarted.
        pods.rotate_left(1);
        let [_, pod] = &mut pods;
        pod.stop().await;
        assert!(!elb.receivers("web", LAG).contains(&pod.address.ip().to_string()), "it was left");
        pod.start(sidecar).await;
        assert!(elb.receivers("web", LAG).contains(&pod.address.ip().to_string()), "ready is who receives");
    }
    let report = load.stop().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(report.answers.keys().copied().collect::<Vec<_>>(), [200]);
    assert!(report.announced_closes >= (RESTARTS - 1) as u64 * CLIENTS as u64, "{report:?}");
    Some((since.elapsed(), report))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_under_two_hundred_clients_fail_no_request() {
    let report = restarts(false).await;
    println!("{RESTARTS} restarts: {report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_with_a_neighbours_nginx_fail_no_request() {
    let report = restarts(true).await;
    println!("{RESTARTS} restarts: {report:?}");
}
