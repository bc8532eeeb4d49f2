//! Ingresses from a real API server, and several replicas.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_tests::{ControlPlane, FeedDns, Namespace, Route53, eventually};

use crate::world::{cname, hosts, operations, route53, wait_records};

fn ingresses(namespace: &Namespace<'_>, hosts: &[String]) -> String {
    let documents = hosts.iter().map(|host| {
        let name = host.split('.').next().unwrap();
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: \"web-{name}\", annotations: \
             {{sky.uk/frontend-scheme: internal}}}}\nspec: {{ingressClassName: {}, rules: [{{host: {host}}}]}}\n",
            namespace.name()
        )
    });
    // A rule without paths is fine for the API server only with a default backend.
    let backend = "  defaultBackend: {service: {name: web, port: {number: 80}}}";
    documents
        .map(|it| it.replace("spec: {", &format!("spec: {{{}, ", backend.trim())))
        .collect::<Vec<_>>()
        .join("---\n")
}

fn replica(route53: &Route53, namespace: &Namespace<'_>, kubeconfig: &Path) -> FeedDns {
    let flags = ["--r53-hosted-zone=Z1", "--internal-hostname=lb.example.net", "--lease-duration=3s"];
    FeedDns::new(&route53.url(), &flags)
        .flag(&format!("--kubeconfig={}", kubeconfig.display()))
        .flag(&format!("--ingress-class={}", namespace.name()))
        .flag(&format!("--lease-namespace={}", namespace.name()))
}

fn ours(hosts: &[String]) -> Vec<String> {
    hosts.iter().map(|host| cname(host)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_role_is_enough_and_a_change_takes_less_than_a_second() {
    let Some(control_plane) = ControlPlane::start().await else { return };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/feed-dns.yaml");
    control_plane.kubectl(&["apply", "-f", manifest.to_str().unwrap()], "");
    let token = control_plane.kubectl(&["create", "token", "feed-dns", "--namespace", "feed-dns"], "");
    let kubeconfig = control_plane.kubeconfig_for("feed-dns", token.trim());
    let (namespace, route53) = (control_plane.namespace().await, route53().await);
    namespace.apply(&ingresses(&namespace, &hosts(0..3)));
    let feed = FeedDns::new(&route53.url(), &["--r53-hosted-zone=Z1", "--internal-hostname=lb.example.net"])
        .flag(&format!("--kubeconfig={}", kubeconfig.display()))
        .flag(&format!("--ingress-class={}", namespace.name()))
        .flag("--ingress-controller-namespace-selectors=kubernetes.io/metadata.name=nobody")
        .flag(&format!(
            "--ingress-controller-namespace-selectors=kubernetes.io/metadata.name={}",
            namespace.name()
        ))
        .flag("--lease-namespace=feed-dns")
        .started();
    wait_records(&route53, "Z1", ours(&hosts(0..3))).await;
    feed.wait_ready().await;
    route53.calls();

    let start = Instant::now();
    namespace.apply(&ingresses(&namespace, &hosts(3..4)));
    wait_records(&route53, "Z1", ours(&hosts(0..4))).await;
    eprintln!("one host more, kubectl included: {:.2} s", start.elapsed().as_secs_f64());
    let measured = feed.metric("change_to_route53_seconds_sum").await.unwrap();
    assert_eq!(operations(&route53), ["ChangeResourceRecordSets"]);
    assert_eq!(feed.metric("change_to_route53_seconds_bucket{le=\"1.0\"}").await, Some(2.0), "{measured}");

    // A status that changes is no reason to call anybody.
    let patch = "{\"status\": {\"loadBalancer\": {\"ingress\": [{\"hostname\": \"lb.example.net\"}]}}}";
    namespace
        .kubectl(&["patch", "ingress", "web-00", "--subresource=status", "--type=merge", "-p", patch], "");
    namespace.kubectl(&["delete", "ingress", "web-03"], "");
    wait_records(&route53, "Z1", ours(&hosts(0..3))).await;
    assert_eq!(operations(&route53), ["ChangeResourceRecordSets"]);
    assert!(!feed.log().to_lowercase().contains("forbidden"), "{}", feed.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_acts_and_another_takes_over() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let (namespace, route53) = (control_plane.namespace().await, route53().await);
    let kubeconfig = control_plane.kubeconfig();
    namespace.apply(&ingresses(&namespace, &hosts(0..2)));
    let mut first = replica(&route53, &namespace, &kubeconfig).started();
    wait_records(&route53, "Z1", ours(&hosts(0..2))).await;
    let mut second = replica(&route53, &namespace, &kubeconfig).started();
    second.wait_ready().await;
    assert_eq!((first.metric("lease_held").await, second.metric("lease_held").await), (Some(1.0), Some(0.0)));
    route53.calls();
    namespace.apply(&ingresses(&namespace, &hosts(2..3)));
    wait_records(&route53, "Z1", ours(&hosts(0..3))).await;
    assert_eq!(operations(&route53), ["ChangeResourceRecordSets"], "only one of them acts");

    // Killed, it is missed once its term is over.
    first.kill();
    namespace.apply(&ingresses(&namespace, &hosts(3..4)));
    wait_records(&route53, "Z1", ours(&hosts(0..4))).await;
    assert_eq!(second.metric("lease_held").await, Some(1.0));

    // Asked to end, it gives the Lease up, and the other one acts at once.
    first.start();
    first.wait_ready().await;
    let start = Instant::now();
    assert!(second.stop().await.success());
    eventually("the other one acts", async || match first.metric("lease_held").await {
        Some(1.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    namespace.apply(&ingresses(&namespace, &hosts(4..5)));
    wait_records(&route53, "Z1", ours(&hosts(0..5))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_is_emptied_meets_the_guard() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let (kept, doomed) = (control_plane.namespace().await, control_plane.namespace().await);
    let (route53, kubeconfig) = (route53().await, control_plane.kubeconfig());
    let of_class = |yaml: String| yaml.replace(doomed.name(), kept.name());
    kept.apply(&ingresses(&kept, &hosts(0..10)));
    doomed.apply(&of_class(ingresses(&doomed, &hosts(10..40))));
    let feed = replica(&route53, &kept, &kubeconfig).started();
    wait_records(&route53, "Z1", ours(&hosts(0..40))).await;
    doomed.kubectl(&["delete", "ingresses", "--all"], "");
    eventually("the guard speaks", async || {
        let (status, text) = feed.admin("/health").await;
        let said = status == 500 && text.starts_with("30 of our 40 records have no Ingress any more");
        if said { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(route53.records("Z1").len(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_api_server_is_away_nothing_is_deleted() {
    let Some(control_plane) = ControlPlane::start().await else { return };
    let (namespace, route53) = (control_plane.namespace().await, route53().await);
    namespace.apply(&ingresses(&namespace, &hosts(0..3)));
    let feed = replica(&route53, &namespace, &control_plane.kubeconfig()).started();
    wait_records(&route53, "Z1", ours(&hosts(0..3))).await;

    control_plane.kill_api_server();
    eventually("the Lease cannot be renewed", async || match feed.metric("lease_held").await {
        Some(0.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    route53.remove("Z1", "01.example.com", "CNAME");
    route53.calls();
    control_plane.start_api_server().await;
    namespace.apply(&ingresses(&namespace, &hosts(3..4)));
    // Who gets the Lease again looks at everything again.
    wait_records(&route53, "Z1", ours(&hosts(0..4))).await;
    assert!(operations(&route53).contains(&"ListResourceRecordSets"));
}
