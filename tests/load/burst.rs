//! Many Ingresses at once.

use std::time::{Duration, Instant};

use feed_tests::{Backend, ControlPlane, Feed, NginxBinary, Request};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, PostParams};
use tokio::task::JoinSet;

use super::{ingress, list, machine, reloads, service};

const INGRESSES: u32 = 100;
/// The machine may be busy with something else for a moment, so that the best of some tries counts.
const TRIES: u32 = 3;

/// With the default flags: the first is served at once, and the rest together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_ingresses_created_at_once_are_served_after_few_reloads() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let _machine = machine().await;
    let mut counts = Vec::new();
    for _ in 0..TRIES {
        let (time, reloads) = burst(&nginx, control_plane).await;
        println!("{INGRESSES} Ingresses were created and served in {time:?}, with {reloads} reloads");
        counts.push(reloads);
    }
    assert!(counts.iter().any(|count| (1.0..=3.0).contains(count)), "{counts:?} reloads");
}

/// The time from the first creation until the last Ingress is served, and the reloads that it took.
async fn burst(nginx: &NginxBinary, control_plane: &ControlPlane) -> (Duration, f64) {
    let namespace = control_plane.namespace().await;
    let backend = Backend::http("a").await;
    namespace.apply(&list(&[service(&backend), ingress("quiet", namespace.name(), &backend)]));
    let feed = Feed::builder(nginx).kubernetes(&namespace).ready().await;
    let before = reloads(&feed).await;

    let api: Api<Ingress> = Api::namespaced(control_plane.client().await, namespace.name());
    let start = Instant::now();
    let mut creations = JoinSet::new();
    for number in 0..INGRESSES {
        let api = api.clone();
        let object = ingress(&format!("burst-{number}"), namespace.name(), &backend);
        let object = serde_json::from_value(object).unwrap();
        creations.spawn(async move { api.create(&PostParams::default(), &object).await.unwrap() });
    }
    creations.join_all().await;
    for number in 0..INGRESSES {
        let request = Request::get(&format!("burst-{number}.test"), "/");
        while feed.send(&request).await.unwrap().status != 200 {
            assert!(start.elapsed() < Duration::from_mins(2), "{number} is not served\n{}", feed.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    (start.elapsed(), reloads(&feed).await - before)
}
