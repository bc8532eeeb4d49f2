//! Ingress status through a real API server.

use feed_tests::{ControlPlane, Elb, NginxBinary, eventually};

use super::{ELB, OURS};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ingresses_name_the_load_balancer_of_their_scheme() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let class = namespace.name();
    let elb = Elb::start().await;
    let tags = [OURS[0], (OURS[1].0, class)];
    elb.create_classic("Inside", "internal", &tags);
    elb.create_classic("outside", "internet-facing", &tags);
    for (name, scheme) in [("inside", "internal"), ("outside", "internet-facing")] {
        namespace.apply(&format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, annotations: \
             {{sky.uk/frontend-scheme: {scheme}}}}}\nspec:\n  ingressClassName: {class}\n  rules: [{{host: \
             {name}.example.com}}]\n"
        ));
    }
    let _feed = ELB
        .feed(&elb, &nginx)
        .kubernetes(&namespace)
        .flag("--lease-namespace", class)
        .flag("--lease-name", "the-writer")
        .flag("--lease-duration", "3s")
        .ready()
        .await;
    for name in ["inside", "outside"] {
        let expected = format!(r#"[{{"hostname":"{name}.eu-west-1.elb.amazonaws.com"}}]"#);
        eventually(&format!("the status of {name}"), async || {
            let found = namespace
                .kubectl(&["get", "ingress", name, "-o", "jsonpath={.status.loadBalancer.ingress}"], "");
            if found == expected { Ok(()) } else { Err(found) }
        })
        .await;
    }
    assert!(namespace.try_kubectl(&["get", "lease", "the-writer"], "").is_ok());
}
