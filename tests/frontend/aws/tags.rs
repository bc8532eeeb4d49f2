//! A load balancer that loses a tag is kept as long as we are registered with it.

use std::time::Duration;

use feed_tests::{Elb, NginxBinary, eventually};
use nix::sys::signal::Signal;
use serde_json::json;

use super::{ELB, NLB, OURS, wait_said, wait_targets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_tag_loses_nothing() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in [ELB, NLB] {
        for (key, value) in OURS {
            let elb = Elb::start().await;
            kind.create(&elb);
            let flag = format!("--{}-expected-number", kind.command);
            let mut feed = kind.feed(&elb, &nginx).flag(&flag, "1").ready().await;
            let endpoints = feed.status().await["frontends"]["endpoints"].clone();
            elb.tag("edge", key, "changed");
            let warning = format!("warning: the load balancer edge has lost its tag {key}={value}");
            wait_said(&feed, "/health", 200, &["ok\n", &warning]).await;
            elb.untag("edge", key);
            wait_said(&feed, "/health", 200, &[&warning, &format!("(without {key})")]).await;
            assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
            assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(1.0));
            let frontends = feed.status().await["frontends"].clone();
            assert_eq!(frontends["endpoints"], endpoints);
            assert_eq!(frontends["balancers"][0]["state"], "in_service");
            // It comes back: nothing has changed.
            elb.tag("edge", key, value);
            eventually("the warning goes", async || {
                let text = feed.admin("/health").await.unwrap().text();
                if text == "ok\n" { Ok(()) } else { Err(text) }
            })
            .await;
            elb.untag("edge", key);
            wait_said(&feed, "/health", 200, &[&warning]).await;
            assert_eq!(elb.count(kind.register), 1);
            feed.signal(Signal::SIGTERM);
            assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0));
            assert!(elb.targets(kind.holder).is_empty(), "it is left in the end");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_us_out_after_that_means_it() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in [ELB, NLB] {
        let elb = Elb::start().await;
        kind.create(&elb);
        let feed = kind.feed(&elb, &nginx).ready().await;
        elb.untag("edge", OURS[1].0);
        wait_said(&feed, "/health", 200, &["has lost its tag"]).await;
        elb.take_out(kind.holder, kind.target);
        wait_said(&feed, "/health", 200, &["warning: there is no", "one of both has edge"]).await;
        assert_eq!(feed.status().await["frontends"]["endpoints"], json!([]));
        assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(0.0));
        let listed = elb.count("DescribeTags");
        eventually("it is listed again", async || match elb.count("DescribeTags") {
            count if count > listed + 1 => Ok(()),
            count => Err(count),
        })
        .await;
        assert_eq!(elb.count(kind.register), 1, "it is not registered again");
        elb.tag("edge", OURS[1].0, OURS[1].1);
        wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_that_is_deleted_is_gone() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in [ELB, NLB] {
        let elb = Elb::start().await;
        kind.create(&elb);
        let mut feed = kind.feed(&elb, &nginx).ready().await;
        elb.untag("edge", OURS[1].0);
        wait_said(&feed, "/health", 200, &["has lost its tag"]).await;
        elb.delete("edge");
        eventually("it is not counted", async || {
            match feed.metric("feed_ingress_frontends_attached").await {
                Some(0.0) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        eventually("it is out of the status", async || {
            match feed.status().await["frontends"]["endpoints"].clone() {
                endpoints if endpoints == json!([]) => Ok(()),
                endpoints => Err(endpoints),
            }
        })
        .await;
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0), "{}", feed.log());
    }
}

/// Whether the health of an unregistered instance is told in words that are known, or in none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_is_known_without_words() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.is_wordless();
    let mut feed = ELB.feed(&elb, &nginx).ready().await;
    elb.take_out("edge", ELB.target);
    wait_targets(&elb, "edge", &[(ELB.target, "healthy")]).await;
    feed.wait_ready().await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0));
    assert!(elb.targets("edge").is_empty());
}
