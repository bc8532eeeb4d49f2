//! The components beside one another: whatever was applied before, each has its pods, also after the next restart.

use feed_tests::{Elb, Request, Route53, eventually_within};

use crate::cluster::{Cluster, NODE, PATIENCE, on_a_node, wait_served};

const ORDERS: [[&str; 3]; 6] = [
    ["elb.yaml", "feed-dns.yaml", "rbac.yaml"],
    ["elb.yaml", "rbac.yaml", "feed-dns.yaml"],
    ["feed-dns.yaml", "elb.yaml", "rbac.yaml"],
    ["feed-dns.yaml", "rbac.yaml", "elb.yaml"],
    ["rbac.yaml", "elb.yaml", "feed-dns.yaml"],
    ["rbac.yaml", "feed-dns.yaml", "elb.yaml"],
];

/// What a cluster of AWS's would tell the pods: credentials, the instance's id, and where AWS is.
fn point_to(cluster: &Cluster, elb: &Elb, route53: &Route53) {
    let common = format!(
        "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_ENDPOINT_URL={} AWS_ENDPOINT_URL_ROUTE_53={}",
        elb.url(),
        route53.url()
    );
    cluster.kubectl(&format!(
        "--namespace=feed-elb set env daemonset/feed-ingress-elb {common} FEED_INSTANCE_ID=i-0123"
    ));
    cluster.kubectl(&format!("--namespace=feed-dns set env deployment/feed-dns {common}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_restart_whatever_the_order() {
    let test = "components::components_restart_whatever_the_order";
    let Some(cluster) = on_a_node(test, None) else { return };
    let (elb, route53) = (Elb::start_at(NODE.into()).await, Route53::start_at(NODE.into()).await);
    route53.create_zone("Z2FDTNDATAQYW2", "example.com", false);
    for (name, scheme) in [("inside", "internal"), ("outside", "internet-facing")] {
        let class = ("sky.uk/KubernetesClusterIngressClass", "feed");
        elb.create_classic(name, scheme, &[("sky.uk/KubernetesClusterFrontend", "main"), class]);
    }
    elb.create_classic("dns", "internet-facing", &[("sky.uk/KubernetesClusterFrontend", "feed")]);
    cluster.apply_manifest("ingress-class.yaml");
    cluster.apply(include_str!("backend.yaml"));
    cluster.wait_rolled_out("shop", "deployment/echo");
    for (round, order) in ORDERS.into_iter().enumerate() {
        for file in order {
            cluster.apply_manifest(file);
        }
        if round == 0 {
            point_to(&cluster, &elb, &route53);
            cluster.wait_rolled_out("feed-elb", "daemonset/feed-ingress-elb");
            cluster.wait_rolled_out("feed-dns", "deployment/feed-dns");
        }
        cluster.restart("feed-elb", "daemonset/feed-ingress-elb", "app.kubernetes.io/component=elb").await;
        cluster.restart("feed-dns", "deployment/feed-dns", "app.kubernetes.io/name=feed-dns").await;
        for balancer in ["inside", "outside"] {
            assert_eq!(elb.targets(balancer).into_keys().collect::<Vec<_>>(), ["i-0123"], "after {order:?}");
        }
        wait_served((NODE, 80).into(), "shop.example.com").await;
    }
    let health = Request::get("localhost", "/health").send((NODE, 8081).into()).await.unwrap();
    assert_eq!(health.status, 200, "load balancers ask this");
    eventually_within(PATIENCE, "the host has its record", async || {
        let records = route53.records("Z2FDTNDATAQYW2");
        if records.iter().any(|record| record.contains("shop.example.com")) {
            Ok(())
        } else {
            Err(records.join("\n"))
        }
    })
    .await;
}
