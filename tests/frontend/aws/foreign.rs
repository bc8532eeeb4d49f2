//! Other people's load balancers, and what they do to ours.

use std::time::Duration;

use feed_tests::{Elb, ElbFault, NginxBinary, eventually};
use nix::sys::signal::Signal;

use super::{ADDRESS, ELB, KINDS, NLB, OURS, wait_said, wait_targets};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_vanishes_while_all_are_listed_hides_no_other() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        for index in 0..30 {
            elb.create_classic(&format!("foreign-{index}"), "internal", &[]);
            elb.create_network(&format!("foreign-net-{index}"), "internal", &[]);
        }
        let not_found = ElbFault::Error(400, "LoadBalancerNotFound");
        for name in ["foreign-3", "foreign-17", "foreign-net-3", "foreign-net-4"] {
            elb.fail_for("DescribeTags", name, not_found);
        }
        let feed = kind.feed(&elb, &nginx).ready().await;
        assert_eq!(elb.targets(kind.holder).len(), 1);
        assert_eq!(feed.admin("/health").await.unwrap().text(), "ok\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_ours_that_fails_is_named_and_the_others_are_joined() {
    let Some(nginx) = NginxBinary::system() else { return };
    for fault in [ElbFault::Error(403, "AccessDenied"), ElbFault::Error(500, "InternalFailure")] {
        for kind in [ELB, NLB] {
            let elb = Elb::start().await;
            kind.create(&elb);
            if kind.command == "elb" {
                elb.create_classic("stuck", "internet-facing", &OURS);
            } else {
                elb.create_network("stuck", "internet-facing", &OURS);
                elb.create_group("stuck-web", "ip", &["stuck"]);
            }
            let mut feed = kind.feed(&elb, &nginx).ready().await;
            wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
            let endpoints = feed.status().await["frontends"]["endpoints"].clone();
            assert_eq!(endpoints.as_array().unwrap().len(), 2);
            elb.fail_for("DescribeTags", "stuck", fault);
            wait_said(&feed, "/health", 500, &["DescribeTags of stuck"]).await;
            // What is not seen is not gone.
            assert_eq!(feed.status().await["frontends"]["endpoints"], endpoints);
            assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(2.0));
            assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
            elb.take_out(kind.holder, kind.target);
            wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
            feed.signal(Signal::SIGTERM);
            assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
            let stuck = if kind.command == "elb" { "stuck" } else { "stuck-web" };
            assert!(elb.targets(stuck).is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_from_the_start_keeps_nothing_from_the_others() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.create_classic("stuck", "internet-facing", &OURS);
    elb.fail_for("DescribeTags", "stuck", ElbFault::Error(403, "AccessDenied"));
    let mut feed = ELB.feed(&elb, &nginx).ready().await;
    wait_targets(&elb, "edge", &[(ELB.target, "healthy")]).await;
    wait_said(&feed, "/health", 500, &["DescribeTags of stuck", "elasticloadbalancing:DescribeTags"]).await;
    feed.signal(Signal::SIGTERM);
    // Whether an earlier process is registered with it was never known.
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(1));
    assert!(feed.log().contains("left without knowing which load balancers"), "{}", feed.log());
    assert!(elb.targets("edge").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_group_that_others_take_over_is_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    NLB.create(&elb);
    elb.create_group("blue", "ip", &["edge"]);
    elb.create_network("green", "internal", &OURS[..1]);
    let mut feed = NLB.feed(&elb, &nginx).ready().await;
    wait_targets(&elb, "blue", &[(ADDRESS, "healthy")]).await;
    elb.put_in("blue", "10.9.9.9");
    elb.attach_group("blue", &[]);
    wait_said(&feed, "/health", 200, &["no load balancer uses the target group blue any more"]).await;
    wait_targets(&elb, "blue", &[("10.9.9.9", "healthy"), (ADDRESS, "healthy")]).await;
    elb.attach_group("blue", &["green"]);
    wait_targets(&elb, "blue", &[("10.9.9.9", "healthy")]).await;
    assert!(feed.log().contains("the target group blue is used by green now"), "{}", feed.log());
    wait_targets(&elb, "web", &[(ADDRESS, "healthy")]).await;
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
    // It comes back: it is joined again.
    elb.attach_group("blue", &["edge"]);
    wait_targets(&elb, "blue", &[("10.9.9.9", "healthy"), (ADDRESS, "healthy")]).await;
    elb.attach_group("blue", &[]);
    wait_said(&feed, "/health", 200, &["no load balancer uses the target group blue any more"]).await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
    wait_targets(&elb, "blue", &[("10.9.9.9", "healthy")]).await;
    assert!(elb.targets("web").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_and_goes_is_said() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in [ELB, NLB] {
        let elb = Elb::start().await;
        let feed = kind.feed(&elb, &nginx).ready().await;
        wait_said(&feed, "/health", 200, &["ok\nwarning: there is no", "in eu-west-1 with the tags"]).await;
        kind.create(&elb);
        wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
        eventually("the warning goes", async || {
            let text = feed.admin("/health").await.unwrap().text();
            if text == "ok\n" { Ok(()) } else { Err(text) }
        })
        .await;
        elb.delete("edge");
        wait_said(&feed, "/health", 200, &["ok\nwarning: there is no"]).await;
    }
}
