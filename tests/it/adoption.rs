//! Which Ingresses are served, as far as objects of several kinds of the API have a say in it.

use feed_tests::{ControlPlane, Feed, FeedBuilder, Namespace, NginxBinary, eventually};
use serde_json::{Value, json};

use crate::world::{World, manifest, route};

/// An Ingress without a class for `none.test`, one with the namespace's class for `field.test`, one whose annotation names it
/// for `annotation.test`, and one whose annotation names another for `other.test`.
fn ingresses(class: &str) -> Vec<Value> {
    let annotated = |name: &str, annotation: &str, field: Value| {
        let mut ingress = route(name, class, &format!("{name}.test"), "a");
        ingress["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": annotation});
        ingress["spec"]["ingressClassName"] = field;
        ingress
    };
    let mut none = route("none", class, "none.test", "a");
    none["spec"]["ingressClassName"] = Value::Null;
    vec![
        none,
        route("field", class, "field.test", "a"),
        annotated("annotation", class, Value::Null),
        annotated("other", "other", Value::Null),
    ]
}

struct Adoption {
    _world: World,
    feed: Feed,
}

impl Adoption {
    /// A feed, started with what `prepare` adds, that has read the Ingresses from the API server.
    async fn of(
        nginx: &NginxBinary,
        namespace: &Namespace<'_>,
        prepare: impl FnOnce(FeedBuilder) -> FeedBuilder,
    ) -> Self {
        let world = World::start().await;
        let mut objects = world.services();
        objects.extend(ingresses(namespace.name()));
        namespace.apply(&manifest(&objects));
        let feed = prepare(Feed::builder(nginx).kubernetes(namespace)).ready().await;
        Self { _world: world, feed }
    }

    /// Waits until these are served, and only these: for a moment after a reload, old workers still answer.
    async fn wait_served(&self, expected: &[&str]) {
        eventually(&format!("{expected:?} are served"), async || {
            let served = self.served().await;
            if served == expected { Ok(()) } else { Err(format!("{served:?}")) }
        })
        .await;
    }

    async fn served(&self) -> Vec<&'static str> {
        let mut served = Vec::new();
        for name in ["none", "field", "annotation", "other"] {
            if self.feed.get(&format!("{name}.test"), "/").await.status == 200 {
                served.push(name);
            }
        }
        served
    }
}

#[tokio::test]
async fn the_class_is_named_by_annotation_or_field() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let adoption = Adoption::of(&nginx, &namespace, |feed| feed).await;
    assert_eq!(adoption.served().await, ["field", "annotation"]);
}

#[tokio::test]
async fn ingresses_without_a_class_are_adopted_when_a_flag_says_so() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    // Of the other tests' namespaces too, unless a selector keeps them out.
    namespace.kubectl(&["label", "namespace", namespace.name(), &format!("team={}", namespace.name())], "");
    let selector = format!("--ingress-controller-namespace-selectors=team={}", namespace.name());
    let adoption = Adoption::of(&nginx, &namespace, |feed| {
        feed.argument("--include-classless-ingresses").argument(&selector)
    });
    assert_eq!(adoption.await.served().await, ["none", "field", "annotation"]);
}

#[tokio::test]
async fn the_default_class_adopts_what_names_none() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::start().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let adoption = Adoption::of(&nginx, &namespace, |feed| feed).await;
    assert_eq!(adoption.served().await, ["field", "annotation"]);
    let class = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": namespace.name(), "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "example.com/feed"},
    });
    namespace.apply(&class.to_string());
    adoption.wait_served(&["none", "field", "annotation"]).await;
}

#[tokio::test]
async fn namespaces_are_selected_by_name_and_value_of_a_label() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    namespace.kubectl(&["label", "namespace", namespace.name(), "team=other", "stage=test"], "");
    let selectors = "--ingress-controller-namespace-selectors=team=this,stage=test";
    let any = Adoption::of(&nginx, &namespace, |feed| feed.argument(selectors)).await;
    assert_eq!(any.served().await, ["field", "annotation"]);

    // All of them, and a label that changes is followed.
    let other = control_plane.namespace().await;
    other.kubectl(&["label", "namespace", other.name(), "team=other", "stage=test"], "");
    let all = Adoption::of(&nginx, &other, |feed| {
        feed.argument(selectors).argument("--match-all-namespace-selectors")
    });
    let all = all.await;
    assert_eq!(all.served().await, [""; 0]);
    other.kubectl(&["label", "--overwrite", "namespace", other.name(), "team=this"], "");
    all.wait_served(&["field", "annotation"]).await;
}
