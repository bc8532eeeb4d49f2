//! Joining late, staying joined, leaving first.

use std::time::Duration;

use feed_tests::{Backend, Elb, NginxBinary, eventually};
use nix::sys::signal::Signal;
use serde_json::json;

use super::{ELB, KINDS, NLB, OURS, route, wait_said, wait_targets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_is_joined_when_nginx_serves_and_left_before_it_ends() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.targets_take(Duration::from_secs(2), Duration::from_mins(5));
        let backend = Backend::http("a").await;
        let builder = kind.feed(&elb, &nginx).flag("--region", "eu-west-2");
        let mut feed = builder.manifest("all.yaml", &route(&backend)).spawn();
        wait_targets(&elb, kind.holder, &[(kind.target, "initial")]).await;
        assert_eq!(feed.get("a.test", "/").await.status, 200, "nginx served before");
        wait_said(&feed, "/readiness", 503, &[kind.balancer, "does not send requests yet"]).await;
        feed.wait_ready().await;
        assert_eq!(elb.targets(kind.holder)[kind.target], "healthy");
        assert_eq!(feed.admin("/health").await.unwrap().status, 200);
        assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(1.0));
        let endpoint = json!({"scheme": "internal", "endpoint": "edge.eu-west-1.elb.amazonaws.com"});
        let frontends = feed.status().await["frontends"].clone();
        let balancer = json!({"name": kind.balancer, "state": "in_service", "error": null});
        assert_eq!(
            (&frontends["kind"], &frontends["balancers"], &frontends["endpoints"]),
            (&json!(kind.command), &json!([balancer]), &json!([endpoint]))
        );
        let requests = feed.metrics().await;
        let calls = format!("operation=\"{}\",outcome=\"ok\"}} 1", kind.register);
        assert!(requests.contains(&calls), "{calls} is not in {requests}");

        assert!(elb.calls().iter().all(|call| call.region == "eu-west-2"));
        feed.signal(Signal::SIGTERM);
        let status = feed.wait_exit(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(0));
        assert_eq!(elb.targets(kind.holder)[kind.target], "draining", "the delay was over before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_taken_out_by_hand_is_joined_again() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        let feed = kind.feed(&elb, &nginx).ready().await;
        elb.take_out(kind.holder, kind.target);
        wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
        assert_eq!(elb.count(kind.register), 2);
        assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_as_it_is_is_registered_once() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        let mut feed = kind.feed(&elb, &nginx).ready().await;
        let looked = elb.count(kind.observe);
        eventually("it is looked at again", async || match elb.count(kind.observe) {
            count if count > looked + 2 => Ok(()),
            count => Err(count),
        })
        .await;
        assert_eq!(elb.count(kind.register), 1);
        // A process that comes back after a crash finds itself registered.
        feed.kill();
        feed.start();
        feed.wait_ready().await;
        assert_eq!(elb.count(kind.register), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_that_gets_its_tags_later_is_joined_then() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.create_classic("later", "internet-facing", &OURS[..1]);
    elb.create_classic("other", "internal", &[OURS[0], (OURS[1].0, "another-class")]);
    let feed = ELB.feed(&elb, &nginx).ready().await;
    assert!(elb.targets("later").is_empty() && elb.targets("other").is_empty());
    elb.tag("later", OURS[1].0, OURS[1].1);
    wait_targets(&elb, "later", &[(ELB.target, "healthy")]).await;
    eventually("both are counted", async || match feed.metric("feed_ingress_frontends_attached").await {
        Some(2.0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert!(elb.targets("other").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_target_group_of_a_network_load_balancer_is_joined_by_its_type() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    NLB.create(&elb);
    elb.create_group("nodes", "instance", &["edge"]);
    elb.create_network("foreign", "internal", &OURS[1..]);
    elb.create_group("foreign-web", "ip", &["foreign"]);
    let mut feed = NLB.feed(&elb, &nginx).flag("--nlb-expected-number", "1").ready().await;
    wait_targets(&elb, "web", &[(super::ADDRESS, "healthy")]).await;
    wait_targets(&elb, "nodes", &[(super::INSTANCE, "healthy")]).await;
    assert!(elb.targets("foreign-web").is_empty());
    // The load balancer changes to another group: that is joined too, and at the end both are left.
    elb.create_group("web-2", "ip", &["edge"]);
    wait_targets(&elb, "web-2", &[(super::ADDRESS, "healthy")]).await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0));
    for group in ["web", "nodes", "web-2"] {
        assert!(elb.targets(group).is_empty(), "{group}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_init_container_may_have_the_same_flags() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        let feed = kind.feed(&elb, &nginx).flag("--region", "eu-west-2").build();
        let output = feed.run("bootstrap");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(feed.configuration().contains("/health"));
        assert_eq!(elb.calls().len(), 0);
    }
}
