//! What is odd, missing or broken: what is served, and how it is said.

use std::time::{Duration, Instant};

use feed_tests::{Backend, Elb, ElbFault, NginxBinary, eventually};
use nix::sys::signal::Signal;

use super::{ALB, ELB, KINDS, NLB, OURS, route, wait_logged, wait_said, wait_targets};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_load_balancer_it_is_said_what_was_looked_for() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (kind, what) in [(ELB, "classic"), (NLB, "network")] {
        let elb = Elb::start().await;
        elb.create_classic("untagged", "internal", &[]);
        elb.create_network("half", "internal", &OURS[..1]);
        let mut feed = kind.feed(&elb, &nginx).ready().await;
        let sentence = format!(
            "there is no {what} load balancer in eu-west-1 with the tags sky.uk/KubernetesClusterFrontend=main and \
             sky.uk/KubernetesClusterIngressClass=test"
        );
        let near = if kind.command == "nlb" {
            "; one of both has half (without sky.uk/KubernetesClusterIngressClass)"
        } else {
            ""
        };
        let sentence = format!("{sentence}{near}");
        wait_logged(&feed, &[&sentence]).await;
        assert_eq!(feed.status().await["frontends"]["remarks"][0], sentence.as_str());
        assert_eq!(feed.admin("/health").await.unwrap().status, 200);
        // Nothing is attached: there is no drain.
        let since = Instant::now();
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_a_scheme_are_both_joined_and_said() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.create_classic("second", "internal", &OURS);
    let feed = ELB.feed(&elb, &nginx).ready().await;
    for name in ["edge", "second"] {
        assert_eq!(elb.targets(name).len(), 1, "{name}");
    }
    wait_logged(&feed, &["2 load balancers are internal, and all are joined: edge, second"]).await;
    assert_eq!(feed.status().await["frontends"]["endpoints"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_than_expected_are_neither_healthy_nor_ready() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (kind, flag) in [(ELB, "--elb-expected-number"), (NLB, "--nlb-expected-number")] {
        let elb = Elb::start().await;
        kind.create(&elb);
        let backend = Backend::http("a").await;
        let feed = kind.feed(&elb, &nginx).flag(flag, "2").manifest("all.yaml", &route(&backend)).spawn();
        let sentence = "attached to 1 load balancers where 2 are expected";
        wait_said(&feed, "/health", 500, &[sentence]).await;
        wait_said(&feed, "/readiness", 503, &[sentence]).await;
        assert_eq!(feed.get("a.test", "/").await.status, 200);
        assert_eq!(feed.metric("feed_ingress_frontends_expected").await, Some(2.0));
        if kind.command == "elb" {
            elb.create_classic("second", "internet-facing", &OURS);
        } else {
            elb.create_network("second", "internet-facing", &OURS);
            elb.create_group("second-web", "ip", &["second"]);
        }
        feed.wait_ready().await;
        wait_said(&feed, "/health", 200, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_group_of_another_type_is_named_and_the_others_are_joined() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in [NLB, ALB] {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.create_group("function", "lambda", &["edge"]);
        let mut feed = kind.feed(&elb, &nginx).build();
        if kind.command == "alb" {
            feed.replace_argument("web", "web,function");
        }
        feed.start();
        feed.wait_ready().await;
        let sentence = "the target group function is not joined: its target type is lambda, and only instance and ip are possible";
        wait_said(&feed, "/health", 500, &[sentence]).await;
        wait_logged(&feed, &[sentence]).await;
        assert_eq!(feed.status().await["frontends"]["faults"][0], sentence);
        assert_eq!(elb.targets(kind.holder).len(), 1);
        assert!(elb.targets("function").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_target_groups_that_are_missing_are_unhealthy_until_they_come() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ALB.create(&elb);
    let mut feed = ALB.feed(&elb, &nginx).build();
    feed.replace_argument("web", "web,late");
    feed.start();
    feed.wait_ready().await;
    wait_said(
        &feed,
        "/health",
        500,
        &["there is no target group named late", "attached to 1 load balancers where 2"],
    )
    .await;
    assert_eq!(elb.targets("web").len(), 1);
    elb.create_group("late", "ip", &[]);
    wait_logged(&feed, &["no load balancer uses the target group late"]).await;
    wait_targets(&elb, "late", &[(super::ADDRESS, "healthy")]).await;
    eventually("it gets no requests", async || {
        let late = feed.status().await["frontends"]["balancers"][0].clone();
        if late["state"] == "settling" { Ok(()) } else { Err(late) }
    })
    .await;
    elb.create_group("late", "ip", &["edge"]);
    wait_said(&feed, "/health", 200, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_takes_too_long_is_unhealthy_and_waited_for() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (kind, flag, why) in [
        (ELB, "--elb-ready-timeout", "its state is OutOfService: Instance registration is still in progress"),
        (NLB, "--nlb-ready-timeout", "in the target group web it is initial: Elb.InitialHealthChecking"),
    ] {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.targets_take(Duration::from_secs(5), Duration::ZERO);
        let feed = kind.feed(&elb, &nginx).flag(flag, "1s").spawn();
        let sentence = format!("edge does not send requests: {why}");
        wait_said(&feed, "/health", 500, &[&sentence]).await;
        wait_said(&feed, "/readiness", 503, &[&sentence]).await;
        feed.wait_ready().await;
        wait_said(&feed, "/health", 200, &[]).await;
    }
}

/// What AWS refuses for a while, whatever is called.
async fn outlived(code: &'static str) {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        let backend = Backend::http("a").await;
        let feed = kind.feed(&elb, &nginx).manifest("all.yaml", &route(&backend)).ready().await;
        let looking = ["DescribeLoadBalancers", "DescribeTags", "DescribeTargetGroups", kind.observe];
        for operation in looking {
            elb.fail(operation, ElbFault::Error(400, code), None);
        }
        let sentence = "the list of load balancers is out of date";
        wait_said(&feed, "/health", 500, &[sentence, code]).await;
        assert_eq!(feed.admin("/readiness").await.unwrap().status, 200, "what serves goes on serving");
        assert_eq!(feed.get("a.test", "/").await.status, 200);
        assert_eq!(elb.targets(kind.holder).len(), 1);
        wait_logged(&feed, &[sentence, code]).await;
        elb.heal();
        wait_said(&feed, "/health", 200, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_takes_nobody_out() {
    outlived("Throttling").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_expire_take_nobody_out() {
    outlived("ExpiredToken").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_is_refused_is_tried_again() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.fail(kind.register, ElbFault::Error(400, "Throttling"), Some(2));
        let feed = kind.feed(&elb, &nginx).spawn();
        wait_said(&feed, "/readiness", 503, &["Throttling"]).await;
        feed.wait_ready().await;
        assert_eq!(elb.count(kind.register), 3);
    }
}

/// Nothing is known of such an API but that it may have done what it was asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_answers_after_half_a_minute_holds_nothing_up() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    NLB.create(&elb);
    for operation in [NLB.register, NLB.deregister] {
        elb.fail(operation, ElbFault::Late(Duration::from_secs(30)), None);
    }
    let backend = Backend::http("a").await;
    let mut feed = NLB.feed(&elb, &nginx).manifest("all.yaml", &route(&backend)).spawn();
    wait_targets(&elb, "web", &[(super::ADDRESS, "healthy")]).await;
    // The answer does not come, but the target is seen to be there.
    feed.wait_ready().await;
    assert_eq!(feed.get("a.test", "/").await.status, 200);
    let since = Instant::now();
    feed.signal(Signal::SIGTERM);
    let status = feed.wait_exit(PATIENCE).await;
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    // It was deregistered, but nobody has said so.
    assert_eq!(status.code(), Some(1));
    assert!(feed.log().contains("left while attached to edge"), "{}", feed.log());
    assert!(elb.targets("web").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_takes_too_long_is_said() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.fail("DescribeLoadBalancers", ElbFault::Late(Duration::from_secs(30)), None);
    let backend = Backend::http("a").await;
    let mut feed = ELB.feed(&elb, &nginx).manifest("all.yaml", &route(&backend)).spawn();
    feed.wait_status(200, "a.test", "/").await;
    wait_said(&feed, "/readiness", 503, &["the load balancers are not known yet"]).await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(1));
    assert!(feed.log().contains("left without knowing which load balancers"), "{}", feed.log());
    assert!(elb.targets("edge").is_empty());
}
