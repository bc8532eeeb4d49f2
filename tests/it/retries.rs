//! What one request does to an endpoint decides nothing for the requests of others.

use feed_tests::{Backend, Feed, NginxBinary, Request};
use serde_json::{Value, json};

use crate::backends::{headless, slice};
use crate::world::{ingress, manifest};

const CLASS: &str = "test";

/// The most endpoints that one request is sent to; those whose kept connection is closed instead of an answer are not counted by
/// nginx, since the connection may have been closed before.
const TRIES: u64 = 3;

/// `pods.test/` leads to the headless Service `pods`, with a time limit of a second and room for few headers in an answer.
fn route() -> Value {
    let annotations = json!({
        "sky.uk/backend-timeout-seconds": "1",
        "sky.uk/proxy-buffer-size-in-kb": "1",
        "sky.uk/strip-path": "false",
    });
    let path = json!({"path": "/", "pathType": "Prefix", "backend": "pods"});
    let rules = json!([{"host": "pods.test", "http": {"paths": [path]}}]);
    ingress("pods", CLASS, json!({"metadata": {"annotations": annotations}, "spec": {"rules": rules}}))
}

async fn serving(nginx: &NginxBinary, app_protocol: &str, pods: &[Backend]) -> Feed {
    let mut service = headless("pods");
    service["spec"]["ports"][0]["appProtocol"] = json!(app_protocol);
    let mut objects = vec![service, route()];
    objects.extend(pods.iter().map(|pod| slice("pods", pod, true)));
    Feed::builder(nginx).manifest("all.yaml", &manifest(&objects)).ready().await
}

fn received(pods: &[Backend]) -> u64 {
    pods.iter().map(Backend::requests).sum()
}

/// Sends requests that end badly, one after the other: none asks too many endpoints, and each endpoint goes on being asked.
async fn bad_requests_harm_themselves_alone(feed: &Feed, pods: &[Backend], statuses: &[u16]) {
    let get = |method: &str| Request::new(method, "/x").header("Host", "pods.test");
    let large = "x".repeat(3000);
    for method in ["GET", "POST", "DELETE"] {
        for (name, value) in [("Fault", "close"), ("Fault", "silence"), ("X-Large", large.as_str())] {
            let before = received(pods);
            let bad = get(method).header(&format!("X-Answer-{name}"), value);
            let status = feed.send(&bad).await.unwrap().status;
            let asked = received(pods) - before;
            let bound = if value == "close" { pods.len() as u64 } else { TRIES };
            assert!(
                statuses.contains(&status) && (1..=bound).contains(&asked),
                "{method} {name} {value}: {status}, {asked} asked"
            );
            let before: Vec<u64> = pods.iter().map(Backend::requests).collect();
            for _ in 0..2 * pods.len() {
                assert_eq!(feed.send(&get("GET")).await.unwrap().status, 200, "after {method} {name}");
            }
            for (pod, before) in pods.iter().zip(before) {
                assert!(pod.requests() > before, "{} is asked no more after {method} {name}", pod.name());
            }
        }
    }
}

#[tokio::test]
async fn a_slow_or_crashing_request_takes_no_endpoint_out() {
    for nginx in NginxBinary::all() {
        let mut pods = Vec::new();
        for name in ["one", "two", "three", "four", "five"] {
            pods.push(Backend::http(name).await);
        }
        let feed = serving(&nginx, "http", &pods).await;
        bad_requests_harm_themselves_alone(&feed, &pods, &[502, 504]).await;
    }
}

#[tokio::test]
async fn nor_does_one_over_grpc() {
    for nginx in NginxBinary::all() {
        let mut pods = Vec::new();
        for name in ["one", "two", "three", "four"] {
            pods.push(Backend::grpc(name).await);
        }
        let feed = serving(&nginx, "grpc", &pods).await;
        bad_requests_harm_themselves_alone(&feed, &pods, &[502, 504]).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_connections_costs_no_request() {
    for nginx in NginxBinary::all() {
        for (app_protocol, is_grpc) in [("http", false), ("grpc", true)] {
            let start =
                async |name| if is_grpc { Backend::grpc(name).await } else { Backend::http(name).await };
            let mut pods = vec![start("one").await, start("two").await, start("three").await];
            let feed = serving(&nginx, app_protocol, &pods).await;
            drop(pods.remove(1));
            for _ in 0..12 {
                for method in ["GET", "POST"] {
                    let request = Request::new(method, "/x").header("Host", "pods.test");
                    assert_eq!(feed.send(&request).await.unwrap().status, 200);
                }
            }
        }
    }
}
