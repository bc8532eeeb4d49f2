//! Ingress status through a real API server: who writes it, what is written, and who goes on.

mod two_replicas;

use std::time::Duration;

use feed_tests::{ControlPlane, Feed, FeedBuilder, Namespace, NginxBinary, eventually, eventually_within};
use nix::sys::signal::Signal;

fn ingress(name: &str, class: &str, scheme: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations: \
         {{sky.uk/frontend-scheme: {scheme}, example.com/kept: 'yes'}}\n  labels: {{kept: 'yes'}}\nspec:\n  \
         ingressClassName: {class}\n  rules: [{{host: {name}.example.com}}]\n---\n"
    )
}

/// A replica of `feed-ingress static` that looks after the namespace's class.
fn replica(nginx: &NginxBinary, namespace: &Namespace<'_>) -> FeedBuilder {
    Feed::builder(nginx)
        .command("static")
        .kubernetes(namespace)
        .flag("--internal-hostname", "192.0.2.7")
        .flag("--external-hostname", "LB.example.com")
        .flag("--lease-namespace", namespace.name())
        .flag("--lease-duration", "3s")
}

/// `status.loadBalancer.ingress` of an Ingress.
fn status(namespace: &Namespace<'_>, name: &str) -> String {
    namespace.kubectl(&["get", "ingress", name, "-o", "jsonpath={.status.loadBalancer.ingress}"], "")
}

async fn wait_status(namespace: &Namespace<'_>, name: &str, expected: &str) {
    eventually(&format!("the status of {name} is {expected}"), async || {
        let found = status(namespace, name);
        if found == expected { Ok(()) } else { Err(found) }
    })
    .await;
}

/// Who holds a Lease.
fn holder(namespace: &Namespace<'_>, lease: &str) -> String {
    let holder = namespace.try_kubectl(&["get", "lease", lease, "-o", "jsonpath={.spec.holderIdentity}"], "");
    holder.unwrap_or_default()
}

#[tokio::test]
async fn the_status_of_adopted_ingresses_names_their_load_balancer() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let class = namespace.name();
    namespace.apply(&(ingress("inside", class, "internal") + &ingress("outside", class, "internet-facing")));
    namespace.apply(&ingress("foreign", "other", "internal"));
    let feed = replica(&nginx, &namespace).ready().await;

    wait_status(&namespace, "inside", r#"[{"ip":"192.0.2.7"}]"#).await;
    wait_status(&namespace, "outside", r#"[{"hostname":"lb.example.com"}]"#).await;
    assert_eq!(status(&namespace, "foreign"), "");
    let kept = "jsonpath={.metadata.annotations.example\\.com/kept} {.metadata.labels.kept}";
    assert_eq!(namespace.kubectl(&["get", "ingress", "inside", "-o", kept], ""), "yes yes");

    // Somebody else's word is replaced, and what is ours leaves with the class.
    let patch = r#"{"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.1"}]}}}"#;
    namespace
        .kubectl(&["patch", "ingress", "inside", "--subresource=status", "--type=merge", "-p", patch], "");
    wait_status(&namespace, "inside", r#"[{"ip":"192.0.2.7"}]"#).await;
    let patch = r#"{"spec":{"ingressClassName":"other"}}"#;
    namespace.kubectl(&["patch", "ingress", "inside", "--type=merge", "-p", patch], "");
    wait_status(&namespace, "inside", "").await;

    let generation = feed.metric("feed_ingress_reloads").await;
    namespace.kubectl(&["annotate", "ingress", "foreign", "a=b"], "");
    assert_eq!(feed.metric("feed_ingress_reloads").await, generation, "status causes no reload");
}

/// What an earlier process, or one with the class that the Ingress had then, has written is told by its value alone.
#[tokio::test]
async fn an_ingress_that_is_not_adopted_keeps_only_what_is_not_ours() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    namespace.apply(&ingress("foreign", "other", "internal"));
    let patch = r#"{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.31"},{"ip":"198.51.100.1"},{"hostname":"lb-31.example.com"}]}}}"#;
    namespace
        .kubectl(&["patch", "ingress", "foreign", "--subresource=status", "--type=merge", "-p", patch], "");
    let feed = Feed::builder(&nginx).command("static").kubernetes(&namespace);
    let feed =
        feed.flag("--internal-hostname", "192.0.2.31").flag("--external-hostname", "lb-31.example.com");
    let feed = feed.flag("--lease-namespace", namespace.name()).ready().await;
    wait_status(&namespace, "foreign", r#"[{"ip":"198.51.100.1"}]"#).await;
    drop(feed);
}

#[tokio::test]
async fn another_replica_goes_on_when_the_one_that_writes_leaves_or_dies() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let class = namespace.name();
    let lease = format!("feed-ingress-{class}");
    let holder = || holder(&namespace, &lease);
    let mut first = replica(&nginx, &namespace).ready().await;
    eventually("the first holds the Lease", async || match holder() {
        holder if holder.is_empty() => Err("nobody holds it"),
        holder => Ok(holder),
    })
    .await;
    let held_by_first = holder();
    let mut second = replica(&nginx, &namespace).ready().await;
    namespace.apply(&ingress("one", class, "internal"));
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.7"}]"#).await;
    assert_eq!(holder(), held_by_first);

    first.signal(Signal::SIGINT);
    assert!(first.wait_exit(Duration::from_secs(20)).await.success());
    assert_ne!(holder(), held_by_first, "the Lease was given up");
    namespace.apply(&ingress("two", class, "internal"));
    wait_status(&namespace, "two", r#"[{"ip":"192.0.2.7"}]"#).await;

    let held_by_second = holder();
    second.kill();
    let third = replica(&nginx, &namespace).ready().await;
    eventually_within(Duration::from_secs(20), "the third takes over", async || match holder() {
        holder if holder == held_by_second => Err("the second, which is dead, still holds it"),
        holder => Ok(holder),
    })
    .await;
    namespace.apply(&ingress("three", class, "internal"));
    wait_status(&namespace, "three", r#"[{"ip":"192.0.2.7"}]"#).await;
    drop(third);
}
