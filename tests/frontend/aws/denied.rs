//! What the IAM policy does not allow, and what else is refused for ever.

use std::time::Duration;

use feed_tests::{Elb, ElbFault, NginxBinary};
use nix::sys::signal::Signal;

use super::{ELB, KINDS, NLB, wait_said, wait_targets};

const DENIED: ElbFault = ElbFault::Error(403, "AccessDenied");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_permission_to_look_it_is_joined_and_left_by_time() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        for from_the_start in [true, false] {
            let elb = Elb::start().await;
            kind.create(&elb);
            if from_the_start {
                elb.fail(kind.observe, DENIED, None);
            }
            let mut feed = kind.feed(&elb, &nginx).ready().await;
            elb.fail(kind.observe, DENIED, None);
            let allow = format!("the IAM policy must allow elasticloadbalancing:{}", kind.observe);
            wait_said(&feed, "/health", 200, &["ok\nwarning: ", &allow, "counts as sending requests"]).await;
            assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
            assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(1.0));
            elb.take_out(kind.holder, kind.target);
            wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
            feed.signal(Signal::SIGTERM);
            assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0), "{}", feed.log());
            assert!(elb.targets(kind.holder).is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_is_given_later_is_used() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.fail(kind.observe, DENIED, None);
        let feed = kind.feed(&elb, &nginx).ready().await;
        wait_said(&feed, "/health", 200, &["warning: "]).await;
        elb.heal();
        feed_tests::eventually("the warning goes", async || {
            let text = feed.admin("/health").await.unwrap().text();
            if text == "ok\n" { Ok(()) } else { Err(text) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_is_refused_for_ever_is_unhealthy_after_a_period() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        for (code, advice) in
            [("AccessDenied", "the IAM policy must allow"), ("TooManyTargets", "raise this quota")]
        {
            let elb = Elb::start().await;
            kind.create(&elb);
            let feed = kind.feed(&elb, &nginx).ready().await;
            elb.fail(kind.register, ElbFault::Error(400, code), None);
            elb.take_out(kind.holder, kind.target);
            let sentence = format!("{} cannot be joined: ", kind.balancer);
            wait_said(&feed, "/health", 500, &[&sentence, kind.register, code, advice]).await;
            elb.heal();
            wait_said(&feed, "/health", 200, &[]).await;
            wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_know_itself_is_unhealthy_after_a_period() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (kind, flag) in [(ELB, "--instance-id"), (NLB, "--instance-ip")] {
        let elb = Elb::start().await;
        kind.create(&elb);
        let feed = super::feed(&elb.url(), &nginx)
            .command(kind.command)
            .flag(kind.flag.0, kind.flag.1)
            .flag(kind.drain, "2s")
            .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
            .spawn();
        wait_said(&feed, "/health", 500, &["edge cannot be joined", &format!("{flag} gives it")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_only_takes_its_time_is_healthy() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.targets_take(Duration::from_secs(5), Duration::ZERO);
        let feed = kind.feed(&elb, &nginx).spawn();
        wait_said(&feed, "/readiness", 503, &["does not send requests yet"]).await;
        while feed.admin("/readiness").await.unwrap().status != 200 {
            assert_eq!(feed.admin("/health").await.unwrap().status, 200);
            tokio::task::yield_now().await;
        }
    }
}
