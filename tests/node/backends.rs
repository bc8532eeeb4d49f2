//! Rollouts of what is behind the Ingresses.

use crate::cluster::{manifest, on_a_node, wait_served};
use crate::install::install;
use crate::load::Load;

const BACKENDS: &str = "app=echo";

/// Three in a row: more than there are reloads in a burst.
async fn rollouts_lose_nothing(test: &str, host: &str) {
    let Some(cluster) = on_a_node(test, None) else { return };
    install(&cluster, &manifest("child.yaml"), "deployment/feed-ingress").await;
    wait_served(cluster.node_port(), host).await;
    let load = Load::start(cluster.node_port(), host).await;
    for _ in 0..3 {
        cluster.restart("shop", "deployment/echo", BACKENDS).await;
    }
    load.goes_on(100).await;
    load.stop(test).await.expect_no_failure();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollouts_behind_a_cluster_ip_lose_nothing() {
    rollouts_lose_nothing("backends::rollouts_behind_a_cluster_ip_lose_nothing", "shop.example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rollouts_of_a_headless_service_lose_nothing() {
    rollouts_lose_nothing("backends::rollouts_of_a_headless_service_lose_nothing", "headless.example.com")
        .await;
}
