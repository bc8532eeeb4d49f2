//! The two ways to install it, and what their ends cost: nothing.

use std::time::Duration;

use feed_tests::{Request, eventually_within};

use crate::cluster::{Cluster, PATIENCE, manifest, on_a_node, wait_served};
use crate::load::Load;

const HOST: &str = "shop.example.com";

/// A way to install it.
#[derive(Clone, Copy)]
struct Mode {
    manifest: &'static str,
    workload: &'static str,
    component: &'static str,
}

const CHILD: Mode = Mode {
    manifest: "child.yaml",
    workload: "deployment/feed-ingress",
    component: "app.kubernetes.io/component=child",
};

const SIDECAR: Mode = Mode {
    manifest: "sidecar.yaml",
    workload: "deployment/feed-ingress-sidecar",
    component: "app.kubernetes.io/component=sidecar",
};

/// As administrators give it to a namespace: a pod is refused unless each of its containers says what it needs.
const QUOTA: &str = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota, namespace: feed}, \
                     spec: {hard: {requests.cpu: '2', requests.memory: 4Gi, limits.memory: 8Gi}}}";

/// Installs it as the README says, with this for the deployment, and something to serve.
pub(crate) async fn install(cluster: &Cluster, deployment: &str, workload: &str) {
    cluster.apply(include_str!("backend.yaml"));
    for file in ["rbac.yaml", "ingress-class.yaml", "service.yaml"] {
        cluster.apply_manifest(file);
    }
    cluster.apply(QUOTA);
    cluster.apply(deployment);
    cluster.wait_rolled_out("shop", "deployment/echo");
    cluster.wait_rolled_out("feed", workload);
    wait_served(cluster.node_port(), HOST).await;
}

/// A rolling restart of the two replicas, by the manifests as they are.
async fn restart_loses_nothing(test: &str, mode: Mode, proxy_mode: Option<&str>) {
    let Some(cluster) = on_a_node(test, proxy_mode) else { return };
    install(&cluster, &manifest(mode.manifest), mode.workload).await;
    let load = Load::start(cluster.node_port(), HOST).await;
    cluster.restart("feed", mode.workload, mode.component).await;
    load.goes_on(100).await;
    load.stop(test).await.expect_no_failure();
    let failed = cluster
        .kubectl("--namespace=feed get events --field-selector=reason=FailedPreStopHook --output=name");
    assert_eq!(failed, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_child_loses_nothing() {
    restart_loses_nothing("install::a_restart_of_child_loses_nothing", CHILD, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_child_loses_nothing_with_iptables() {
    let test = "install::a_restart_of_child_loses_nothing_with_iptables";
    restart_loses_nothing(test, CHILD, Some("iptables")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_sidecar_loses_nothing() {
    restart_loses_nothing("install::a_restart_of_sidecar_loses_nothing", SIDECAR, None).await;
}

/// A pod that ends serves until another is ready, and kube-proxy sends it requests meanwhile, as it is the only one.
async fn deletion_of_the_only_pod_loses_nothing(test: &str, mode: Mode) {
    let Some(cluster) = on_a_node(test, None) else { return };
    let one = manifest(mode.manifest).replacen("replicas: 2", "replicas: 1", 1);
    install(&cluster, &one, mode.workload).await;
    let load = Load::start(cluster.node_port(), HOST).await;
    let selector = format!("--selector={}", mode.component);
    cluster.kubectl(&format!("--namespace=feed delete pod {selector} --timeout=3m"));
    cluster.wait_rolled_out("feed", mode.workload);
    load.goes_on(100).await;
    load.stop(test).await.expect_no_failure();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_of_the_only_child_loses_nothing() {
    deletion_of_the_only_pod_loses_nothing("install::deletion_of_the_only_child_loses_nothing", CHILD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_of_the_only_sidecar_loses_nothing() {
    deletion_of_the_only_pod_loses_nothing("install::deletion_of_the_only_sidecar_loses_nothing", SIDECAR)
        .await;
}

/// The image need not say that nginx wants SIGQUIT: a request that is under way is finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_request_outlives_a_sidecar_without_stop_signal() {
    let test = "install::a_long_request_outlives_a_sidecar_without_stop_signal";
    let Some(cluster) = on_a_node(test, None) else { return };
    let other = manifest("sidecar.yaml").replace("image: nginx:1.30", "image: nginx:without-stop-signal");
    assert_ne!(other, manifest("sidecar.yaml"));
    install(&cluster, &other, SIDECAR.workload).await;
    let port = cluster.node_port();
    let load = Load::start(port, HOST).await;
    let slow: Vec<_> =
        (0..8).map(|_| tokio::spawn(async move { Request::get(HOST, "/slow").send(port).await })).collect();
    cluster.restart("feed", SIDECAR.workload, SIDECAR.component).await;
    for answer in slow {
        let answer = answer.await.unwrap().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 220));
    }
    load.stop(test).await.expect_no_failure();
}

/// nginx serves on, and the Service does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_feed_ingress_costs_the_only_sidecar_nothing() {
    let test = "install::a_killed_feed_ingress_costs_the_only_sidecar_nothing";
    let Some(cluster) = on_a_node(test, None) else { return };
    let one = manifest("sidecar.yaml").replacen("replicas: 2", "replicas: 1", 1);
    install(&cluster, &one, SIDECAR.workload).await;
    let load = Load::start(cluster.node_port(), HOST).await;
    let kill = "for it in /proc/[0-9]*; do read -r name <$it/comm && [ \"$name\" = feed-ingress ] && kill -9 ${it#/proc/}; done";
    let arguments =
        ["--namespace=feed", "exec", SIDECAR.workload, "--container=nginx", "--", "sh", "-c", kill];
    cluster.try_kubectl(&arguments, "").ok();
    let logs = format!("--namespace=feed logs {} --container=feed-ingress", SIDECAR.workload);
    eventually_within(PATIENCE, "feed-ingress takes nginx over again", async || {
        match cluster.kubectl(&logs) {
            log if log.contains("was killed (137)")
                && log.matches("Taking over the running nginx").count() == 1 =>
            {
                Ok(())
            }
            log => Err(log),
        }
    })
    .await;
    load.goes_on(100).await;
    load.stop(test).await.expect_no_failure();
    let pods = cluster.json(&format!("--namespace=feed get pods --selector={}", SIDECAR.component));
    let statuses = pods["items"][0]["status"]["containerStatuses"].as_array().unwrap();
    assert!(statuses.iter().all(|status| status["restartCount"] == 0), "{statuses:?}");
}

/// The container itself is restarted. Kubernetes counts the pod as not ready meanwhile, which is what the README says of a single
/// replica: that is short, and touches new connections only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_container_costs_the_only_sidecar_seconds() {
    let test = "install::a_restarted_container_costs_the_only_sidecar_seconds";
    let Some(cluster) = on_a_node(test, None) else { return };
    let one = manifest("sidecar.yaml").replacen("replicas: 2", "replicas: 1", 1);
    install(&cluster, &one, SIDECAR.workload).await;
    let load = Load::start(cluster.node_port(), HOST).await;
    // The shell that is the container's first process, told by what it traps.
    let kill = "for it in /proc/[0-9]*; do case $(tr '\\0' ' ' <$it/cmdline) in \
                *ending[=]yes*) kill -9 ${it#/proc/};; esac; done";
    let arguments =
        ["--namespace=feed", "exec", SIDECAR.workload, "--container=nginx", "--", "sh", "-c", kill];
    cluster.try_kubectl(&arguments, "").ok();
    eventually_within(PATIENCE, "feed-ingress is started again", async || {
        let pods = cluster.json(&format!("--namespace=feed get pods --selector={}", SIDECAR.component));
        let statuses = pods["items"][0]["status"]["containerStatuses"].as_array().unwrap();
        let again =
            statuses.iter().any(|status| status["name"] == "feed-ingress" && status["restartCount"] == 1);
        if again && statuses.iter().all(|status| status["ready"] == true) {
            Ok(())
        } else {
            Err(pods.to_string())
        }
    })
    .await;
    wait_served(cluster.node_port(), HOST).await;
    load.goes_on(100).await;
    let report = load.stop(test).await;
    assert_eq!(report.kept.failures, []);
    let times: Vec<_> = report.new.failures.iter().map(|(at, _)| *at).collect();
    if let (Some(first), Some(last)) = (times.first(), times.iter().max()) {
        assert!(last.saturating_sub(*first) < Duration::from_secs(8), "{times:?}");
    }
}
