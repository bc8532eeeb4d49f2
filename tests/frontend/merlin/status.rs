//! Ingress status behind Merlin.

use std::time::Duration;

use feed_tests::{
    ControlPlane, Feed, Merlin, MerlinPeer, Namespace, NginxBinary, eventually, eventually_within,
};

use super::{LOOPBACK, feed};

async fn replica(nginx: &NginxBinary, peer: &MerlinPeer, namespace: &Namespace<'_>) -> Feed {
    feed(nginx, &peer.address().to_string())
        .kubernetes(namespace)
        .flag("--merlin-internal-hostname", "192.0.2.7")
        .flag("--merlin-internet-facing-hostname", "LB.example.com")
        .flag("--lease-namespace", namespace.name())
        .flag("--lease-duration", "3s")
        .ready()
        .await
}

fn ingress(name: &str, class: &str, scheme: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  annotations: \
         {{sky.uk/frontend-scheme: {scheme}}}\nspec:\n  ingressClassName: {class}\n  rules: [{{host: \
         {name}.example.com}}]\n---\n"
    )
}

async fn wait_status(namespace: &Namespace<'_>, name: &str, expected: &str) {
    let path = "jsonpath={.status.loadBalancer.ingress}";
    eventually(&format!("the status of {name} is {expected}"), async || {
        let found = namespace.kubectl(&["get", "ingress", name, "-o", path], "");
        if found == expected { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test]
async fn it_names_the_virtual_services_and_another_replica_goes_on() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let class = namespace.name();
    let lease = format!("feed-ingress-{class}");
    let holder = || {
        let path = "jsonpath={.spec.holderIdentity}";
        namespace.try_kubectl(&["get", "lease", &lease, "-o", path], "").unwrap_or_default()
    };
    let mut first = replica(&nginx, &peer, &namespace).await;
    namespace.apply(&(ingress("inside", class, "internal") + &ingress("outside", class, "internet-facing")));
    wait_status(&namespace, "inside", r#"[{"ip":"192.0.2.7"}]"#).await;
    wait_status(&namespace, "outside", r#"[{"hostname":"lb.example.com"}]"#).await;
    let held_by_first = holder();
    let second = replica(&nginx, &peer, &namespace).await;

    first.kill();
    namespace.apply(&ingress("late", class, "internal"));
    eventually_within(Duration::from_secs(30), "the second takes over", async || match holder() {
        holder if holder == held_by_first => Err("the first, which is dead, still holds the Lease"),
        holder => Ok(holder),
    })
    .await;
    wait_status(&namespace, "late", r#"[{"ip":"192.0.2.7"}]"#).await;
    drop(second);
}
