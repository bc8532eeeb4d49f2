//! Kubernetes Events about what is wrong with Ingresses, through a real API server.

use std::path::Path;
use std::time::Duration;

use feed_tests::{ControlPlane, Feed, FeedBuilder, Namespace, NginxBinary, eventually, eventually_within};
use serde_json::Value;

use crate::world::{manifest, route};

/// The Events in a namespace about errors of Ingresses: name of the Ingress, reason, count, text.
fn events(namespace: &Namespace<'_>) -> Vec<(String, String, u64, String)> {
    let list: Value =
        serde_json::from_str(&namespace.kubectl(&["get", "events", "--output=json"], "")).unwrap();
    let text = |event: &Value, pointer: &str| event.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let one = |event: &Value| {
        assert_eq!(event["type"], "Warning");
        let count = event["count"].as_u64().unwrap();
        (text(event, "/involvedObject/name"), text(event, "/reason"), count, text(event, "/message"))
    };
    let mut events: Vec<_> = list["items"].as_array().unwrap().iter().map(one).collect();
    events.sort();
    events
}

fn replica(nginx: &NginxBinary, namespace: &Namespace<'_>, command: &str, kubeconfig: &Path) -> FeedBuilder {
    let feed = Feed::builder(nginx).command(command).kubernetes(namespace).kubeconfig(kubeconfig);
    let feed = feed.flag("--lease-namespace", "feed").flag("--lease-duration", "3s");
    if command == "static" { feed.flag("--internal-hostname", "lb.example.com") } else { feed }
}

/// A kubeconfig of the service account of `rbac.yaml`.
fn shipped_role(control_plane: &ControlPlane) -> std::path::PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/rbac.yaml");
    control_plane.kubectl(&["apply", "-f", manifest.to_str().unwrap()], "");
    let token = control_plane.kubectl(&["create", "token", "feed-ingress", "--namespace", "feed"], "");
    control_plane.kubeconfig_for("feed-ingress", token.trim())
}

fn holder(control_plane: &ControlPlane, class: &str) -> Result<String, String> {
    let lease = format!("feed-ingress-{class}-events");
    let path = "jsonpath={.spec.holderIdentity}";
    let holder =
        control_plane.try_kubectl(&["--namespace", "feed", "get", "lease", &lease, "-o", path], "")?;
    if holder.is_empty() { Err("nobody holds it".into()) } else { Ok(holder) }
}

/// Of both modes, with the rights that are shipped: whoever of two replicas holds the Lease, there is one Event for each Ingress
/// and kind of error, and a warning is none.
#[tokio::test]
async fn each_error_of_an_ingress_is_one_event() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let kubeconfig = shipped_role(control_plane);
    for command in ["none", "static"] {
        let namespace = control_plane.namespace().await;
        let class = namespace.name();
        let mut two = route("two", class, "two.test", "absent");
        let path = two["spec"]["rules"][0]["http"]["paths"][0].clone();
        let mut other = path.clone();
        other["path"] = "/other".into();
        other["backend"]["service"]["name"] = "missing".into();
        two["spec"]["rules"][0]["http"]["paths"].as_array_mut().unwrap().push(other);
        let mut warned = route("warned", class, "warned.test", "absent");
        warned["spec"]["rules"] = serde_json::json!([{"host": "warned.test"}]);
        namespace.apply(&manifest(&[two, route("one", class, "one.test", "absent"), warned]));
        let mut first = replica(&nginx, &namespace, command, &kubeconfig).ready().await;
        eventually("the first replica may write", async || holder(control_plane, class)).await;
        let mut second = replica(&nginx, &namespace, command, &kubeconfig).ready().await;
        // The text is the diagnostic's.
        let status = first.status().await;
        let message = status["diagnostics"].as_array().unwrap().iter().find_map(|it| {
            let message = it["message"].as_str().unwrap();
            message.contains(&format!("{class}/absent")).then(|| message.to_owned())
        });
        let absent = message.unwrap();
        let expected = [
            ("one".to_owned(), "ServiceNotFound".to_owned(), 1, absent.clone()),
            ("two".to_owned(), "ServiceNotFound".to_owned(), 1, format!("{absent} (1 more like this.)")),
        ];
        eventually("the Events are there", async || match events(&namespace) {
            found if found == expected => Ok(()),
            found => Err(format!("{found:?}\n{}", first.log())),
        })
        .await;
        let described = namespace.kubectl(&["describe", "ingress", "one"], "");
        assert!(described.contains("ServiceNotFound"), "{described}");

        // Who takes over adds what is new, and repeats nothing.
        let before = holder(control_plane, class).unwrap();
        first.kill();
        namespace.apply(&manifest(&[route("late", class, "late.test", "absent")]));
        eventually_within(Duration::from_secs(30), "the second replica takes over", async || {
            match holder(control_plane, class)? {
                holder if holder == before => Err(holder),
                _ => Ok(()),
            }
        })
        .await;
        let late = ("late".to_owned(), "ServiceNotFound".to_owned(), 1, absent.clone());
        eventually("the new Event is there", async || match events(&namespace) {
            found if found.contains(&late) => Ok(()),
            found => Err(format!("{found:?}\n{}", second.log())),
        })
        .await;
        assert_eq!(events(&namespace), [&[late], &expected[..]].concat());
        assert!(!second.log().to_lowercase().contains("forbidden"), "{}", second.log());
        second.kill();
    }
}

/// Without the right to it, nothing is written; all else goes on, and the log says once what is missing.
#[tokio::test]
async fn without_the_rights_there_are_no_events() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    shipped_role(control_plane);
    let namespace = control_plane.namespace().await;
    let class = namespace.name();
    let role = format!(
        "{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: {class}}}, rules: [\
         {{apiGroups: [networking.k8s.io, discovery.k8s.io, ''], verbs: [list, watch], \
         resources: [ingresses, ingressclasses, endpointslices, services, namespaces, secrets]}}]}}"
    );
    control_plane.kubectl(&["apply", "-f", "-"], &role);
    namespace.kubectl(&["create", "serviceaccount", "reader"], "");
    let subject = format!("--serviceaccount={class}:reader");
    control_plane
        .kubectl(&["create", "clusterrolebinding", class, &format!("--clusterrole={class}"), &subject], "");
    let token = namespace.kubectl(&["create", "token", "reader"], "");
    let kubeconfig = control_plane.kubeconfig_for(class, token.trim());
    namespace.apply(&manifest(&[route("one", class, "one.test", "absent")]));
    let feed = replica(&nginx, &namespace, "none", &kubeconfig).ready().await;
    eventually("it is said", async || {
        let log = feed.log();
        if log.contains("Cannot read or renew the Lease") { Ok(()) } else { Err(log) }
    })
    .await;
    assert_eq!(feed.admin("/health").await.unwrap().status, 200);
    assert!(events(&namespace).is_empty());
}
