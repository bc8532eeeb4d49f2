//! Many Ingresses at once.

use std::time::{Duration, Instant};

use feed_tests::{Backend, ControlPlane, Feed, NginxBinary, Request};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, PostParams};

use super::{ingress, list, machine, reloads, service};

const INGRESSES: u32 = 100;
const ALL_SERVED: Duration = Duration::from_millis(1500);

/// With the default flags: the first is served at once, and the rest together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_ingresses_created_at_once_are_served_after_few_reloads() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let _machine = machine().await;
    let namespace = control_plane.namespace().await;
    let backend = Backend::http("a").await;
    namespace.apply(&list(&[service(&backend), ingress("quiet", namespace.name(), &backend)]));
    let feed = Feed::builder(&nginx).kubernetes(&namespace).ready().await;
    let before = reloads(&feed).await;

    let client = control_plane.client().await;
    let api: Api<Ingress> = Api::namespaced(client, namespace.name());
    let ingresses =
        (0..INGRESSES).map(|number| ingress(&format!("burst-{number}"), namespace.name(), &backend));
    let ingresses: Vec<Ingress> = ingresses.map(|value| serde_json::from_value(value).unwrap()).collect();
    let start = Instant::now();
    let mut creations = tokio::task::JoinSet::new();
    for ingress in ingresses {
        let api = api.clone();
        creations.spawn(async move { api.create(&PostParams::default(), &ingress).await.unwrap() });
    }
    creations.join_all().await;
    for number in 0..INGRESSES {
        let request = Request::get(&format!("burst-{number}.test"), "/");
        while feed.send(&request).await.unwrap().status != 200 {
            assert!(start.elapsed() < Duration::from_secs(20), "{number} is not served\n{}", feed.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let elapsed = start.elapsed();
    assert!(elapsed < ALL_SERVED, "{elapsed:?}");
    assert!(reloads(&feed).await - before <= 3.0);
}
