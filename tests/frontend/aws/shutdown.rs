//! The order in which things end.

use std::time::{Duration, Instant};

use feed_tests::{Backend, Elb, ElbFault, NginxBinary, Request, eventually, is_running};
use nix::sys::signal::Signal;

use super::{ELB, KINDS, OURS, route, wait_said, wait_targets};

const PATIENCE: Duration = Duration::from_secs(20);

/// Not ready → deregister → drained → requests done → nginx told to finish → exit 0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_ends_in_order() {
    let Some(nginx) = NginxBinary::newer() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.targets_take(Duration::ZERO, Duration::from_millis(500));
        let backend = Backend::http("a").await;
        let builder = kind.feed(&elb, &nginx).manifest("all.yaml", &route(&backend));
        let mut feed = builder.ready().await;
        elb.calls();
        // The deregistration is answered late, so that what comes before it can be seen.
        elb.fail(kind.deregister, ElbFault::Late(Duration::from_secs(1)), Some(1));
        let master = feed.nginx_master();
        let held = Request::get("a.test", "/held").header("X-Answer-Hold", "yes");
        let mut connection = held.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&held).await.unwrap();

        let signalled = Instant::now();
        feed.signal(Signal::SIGTERM);
        wait_said(&feed, "/readiness", 503, &["about to end"]).await;
        let not_ready = Instant::now();
        eventually("it is deregistered", async || match elb.count(kind.deregister) {
            0 => Err("not yet"),
            _ => Ok(()),
        })
        .await;
        assert_eq!(feed.get("a.test", "/").await.status, 200, "nginx answers throughout the drain");
        // The delay is over, and still there is a request.
        eventually("the drain is over", async || {
            let log = feed.log();
            if log.contains("finishing those under way") { Ok(()) } else { Err(log) }
        })
        .await;
        let drained = Instant::now();
        assert_eq!(feed.get("a.test", "/").await.status, 200, "nginx waits for the request");
        let health = Request::get("localhost", "/health").send(feed.status_address()).await.unwrap();
        assert_eq!(health.status, 200, "the status port too");
        backend.release();
        assert_eq!(connection.finish(begun).await.unwrap().status, 200);
        drop(connection);
        let status = feed.wait_exit(PATIENCE).await;
        assert_eq!(status.code(), Some(0));
        assert!(!is_running(master));

        let calls = elb.calls();
        let deregistered: Vec<_> = calls.iter().filter(|call| call.operation == kind.deregister).collect();
        assert_eq!(deregistered.len(), 1, "{calls:?}");
        assert_eq!(deregistered[0].subject.as_deref(), Some(kind.holder));
        assert!(deregistered[0].at > signalled && not_ready < drained);
        assert!(drained - deregistered[0].at >= Duration::from_secs(2), "the drain delay");
        let observed = calls.iter().rfind(|call| call.operation == kind.observe).unwrap();
        assert!(observed.at > deregistered[0].at, "it was looked whether the target is gone");
        let log = feed.log();
        let order = [
            "state=\"detached\"",
            "No load balancer sends requests any more",
            "Telling nginx to finish",
            "nginx has finished",
            "Left.",
        ];
        let mut rest = log.as_str();
        for line in order {
            let (_, after) = rest.split_once(line).unwrap_or_else(|| panic!("{line} is not next in {rest}"));
            rest = after;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_gone_early_shortens_the_drain() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    let mut feed = ELB.feed(&elb, &nginx).build();
    feed.replace_argument("2s", "10m");
    feed.start();
    feed.wait_ready().await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deregistration_that_always_fails_is_named_and_the_others_are_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.create_classic("stuck", "internet-facing", &OURS);
    elb.targets_take(Duration::ZERO, Duration::from_hours(1));
    let mut feed = ELB.feed(&elb, &nginx).ready().await;
    elb.calls();
    elb.fail_for(ELB.deregister, "stuck", ElbFault::Error(500, "InternalFailure"));
    feed.signal(Signal::SIGTERM);
    wait_said(&feed, "/health", 500, &["stuck cannot be left", "InternalFailure"]).await;
    let status = feed.wait_exit(PATIENCE).await;
    assert_eq!(status.code(), Some(1));
    let log = feed.log();
    for expected in ["This load balancer was not left", "left while attached to stuck", "InternalFailure"] {
        assert!(log.contains(expected), "{log}");
    }
    assert_eq!(elb.targets("stuck")[ELB.target], "healthy");
    assert_eq!(elb.targets("edge")[ELB.target], "draining");
    assert!(elb.count(ELB.deregister) >= 3, "it was tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_during_the_first_registration_takes_it_back() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.fail(kind.register, ElbFault::Late(Duration::from_secs(2)), None);
        let mut feed = kind.feed(&elb, &nginx).spawn();
        wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0));
        assert!(elb.targets(kind.holder).is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once_and_says_what_is_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.fail(ELB.deregister, ElbFault::Error(400, "Throttling"), None);
    let mut feed = ELB.feed(&elb, &nginx).build();
    feed.replace_argument("2s", "10m");
    feed.start();
    feed.wait_ready().await;
    let master = feed.nginx_master();
    feed.signal(Signal::SIGTERM);
    wait_said(&feed, "/health", 500, &["edge cannot be left"]).await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(1));
    assert!(!is_running(master));
    let log = feed.log();
    assert!(log.contains("ended by a second signal"), "{log}");
    assert!(log.contains("This load balancer was not left"), "{log}");
    assert_eq!(elb.targets("edge").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_period_ends_a_drain_that_is_longer() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    elb.targets_take(Duration::ZERO, Duration::from_hours(1));
    let mut feed = ELB.feed(&elb, &nginx).flag("--shutdown-grace-period", "1s").ready().await;
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(1));
    assert!(feed.log().contains("--shutdown-grace-period"), "{}", feed.log());
    assert_eq!(elb.targets("edge")[ELB.target], "draining");
}

/// Load balancers send requests until the drain is over, so nginx is kept alive and up to date until then.
#[tokio::test]
async fn nginx_is_looked_after_throughout_the_drain() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    let backend = Backend::http("a").await;
    let feed = ELB.feed(&elb, &nginx).manifest("all.yaml", &route(&backend));
    let mut feed = feed.ready().await;
    // It goes on sending requests, until it is told to let go.
    elb.fail(ELB.deregister, ElbFault::Late(Duration::from_secs(3)), Some(1));
    feed.signal(Signal::SIGTERM);
    wait_said(&feed, "/readiness", 503, &["about to end"]).await;
    let master = feed.nginx_master();
    master.kill();
    eventually("another master", async || match feed.nginx_masters()[..] {
        [new] if new != master => Ok(()),
        ref masters => Err(format!("{masters:?}")),
    })
    .await;
    feed.wait_served_by("a", "a.test", "/").await;
    feed.write_manifest("all.yaml", &route(&backend).replace("a.test", "b.test"));
    feed.wait_served_by("a", "b.test", "/").await;
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
    assert_eq!(feed.nginx_masters(), []);
    assert_eq!(feed.nginx_workers(), []);
}
