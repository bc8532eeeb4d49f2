//! A process that was killed has left itself registered: the next one leaves for it.

use std::fs;
use std::time::{Duration, Instant};

use feed_tests::{Backend, Elb, ElbFault, Feed, NginxBinary, eventually};
use nix::sys::signal::Signal;

use super::{ELB, KINDS, Kind, NLB, OURS, route, wait_targets};

/// Of an API server that does not answer.
pub(super) const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{ name: nowhere, context: { cluster: nowhere, user: nobody } }]
clusters: [{ name: nowhere, cluster: { server: 'http://127.0.0.1:1' } }]
users: [{ name: nobody, user: {} }]
";

const PATIENCE: Duration = Duration::from_secs(40);

/// Killed after it was in service, and back, while that operation goes wrong; it is left within that time.
async fn killed(
    kind: &Kind,
    elb: &Elb,
    nginx: &NginxBinary,
    drain: &str,
    (operation, fault): (&'static str, ElbFault),
) -> Feed {
    kind.create(elb);
    let backend = Backend::http("a").await;
    let mut feed = kind.feed(elb, nginx).manifest("all.yaml", &route(&backend)).build();
    feed.replace_argument("2s", drain);
    feed.start();
    feed.wait_ready().await;
    feed.kill();
    elb.fail(operation, fault, None);
    elb.calls();
    feed.start();
    // The backend has ended.
    drop(backend);
    eventually("it has begun", async || feed.admin("/alive").await.map(drop)).await;
    feed
}

fn listing(kind: &Kind) -> &'static str {
    if kind.command == "alb" { "DescribeTargetGroups" } else { "DescribeLoadBalancers" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_has_left_is_left_although_nothing_can_be_seen() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let denied = ElbFault::Error(403, "AccessDenied");
        let throttled = ElbFault::Error(400, "Throttling");
        for (operation, fault, heals) in [
            (listing(&kind), ElbFault::Late(Duration::from_secs(2)), false),
            (listing(&kind), throttled, true),
            ("DescribeTags", throttled, true),
            (kind.observe, denied, false),
            (kind.observe, throttled, false),
        ] {
            if kind.command == "alb" && operation == "DescribeTags" {
                continue;
            }
            let elb = Elb::start().await;
            let mut feed = killed(&kind, &elb, &nginx, "4s", (operation, fault)).await;
            feed.signal(Signal::SIGTERM);
            if heals {
                eventually("it is asked for", async || match elb.count(operation) {
                    0 => Err("not yet"),
                    _ => Ok(()),
                })
                .await;
                elb.heal();
            }
            let status = feed.wait_exit(PATIENCE).await;
            let context = format!("{} {operation} {fault:?}\n{}", kind.command, feed.log());
            assert_eq!(status.code(), Some(0), "{context}");
            assert!(elb.targets(kind.holder).is_empty(), "{context}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_becomes_known_is_said_after_the_whole_drain() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        let fault = ElbFault::Error(403, "AccessDenied");
        let mut feed = killed(&kind, &elb, &nginx, "2s", (listing(&kind), fault)).await;
        let since = Instant::now();
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.get("a.test", "/").await.status, 502, "nginx serves meanwhile");
        assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(1), "{}", feed.log());
        assert!(since.elapsed() >= Duration::from_secs(2), "the drain delay");
        let log = feed.log();
        for expected in
            ["left without knowing which load balancers", "AccessDenied", "the IAM policy must allow"]
        {
            assert!(log.contains(expected), "{expected}: {log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_before_nginx_serves_looks_too() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.put_in(kind.holder, kind.target);
        elb.put_in(kind.holder, "i-0ffffffffffffffff");
        // No API server is there: nothing is served.
        let kubeconfig = tempfile::NamedTempFile::new().unwrap();
        fs::write(kubeconfig.path(), KUBECONFIG).unwrap();
        let mut feed = kind.feed(&elb, &nginx).kubeconfig(kubeconfig.path()).spawn();
        eventually("it has begun", async || feed.admin("/alive").await.map(drop)).await;
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
        wait_targets(&elb, kind.holder, &[("i-0ffffffffffffffff", "healthy")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_that_nothing_is_registered_ends_at_once() {
    let Some(nginx) = NginxBinary::system() else { return };
    for kind in KINDS {
        let elb = Elb::start().await;
        kind.create(&elb);
        elb.fail(kind.register, ElbFault::Error(403, "AccessDenied"), None);
        let mut feed = kind.feed(&elb, &nginx).build();
        feed.replace_argument("2s", "10m");
        feed.start();
        eventually("it is refused", async || match elb.count(kind.register) {
            0 => Err("not yet"),
            _ => Ok(()),
        })
        .await;
        let since = Instant::now();
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0));
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    }
}

/// Network load balancers send new connections for a minute or two after a deregistration, whatever they say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_load_balancer_is_waited_for_as_long_as_was_said() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    NLB.create(&elb);
    elb.create_group("late", "instance", &["edge"]);
    let mut feed = NLB.feed(&elb, &nginx).build();
    feed.replace_argument("2s", "8s");
    feed.start();
    feed.wait_ready().await;
    elb.calls();
    // One of the groups is left later than the other.
    elb.fail_for(NLB.deregister, "late", ElbFault::Error(500, "InternalFailure"));
    feed.signal(Signal::SIGTERM);
    eventually("it is tried", async || match elb.count(NLB.deregister) {
        0..3 => Err("not yet"),
        _ => Ok(()),
    })
    .await;
    elb.heal();
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
    let ended = Instant::now();
    let calls = elb.calls();
    let last = calls.iter().rfind(|call| call.operation == NLB.deregister && call.status == 200).unwrap();
    assert!(ended - last.at >= Duration::from_secs(8), "{:?}", ended - last.at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_our_own_targets_are_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    elb.create_classic("foreign", "internal", &OURS[..1]);
    elb.put_in("foreign", ELB.target);
    let mut feed =
        killed(&ELB, &elb, &nginx, "2s", (ELB.observe, ElbFault::Error(403, "AccessDenied"))).await;
    elb.put_in("edge", "i-0ffffffffffffffff");
    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(PATIENCE).await.code(), Some(0), "{}", feed.log());
    wait_targets(&elb, "edge", &[("i-0ffffffffffffffff", "healthy")]).await;
    wait_targets(&elb, "foreign", &[(ELB.target, "healthy")]).await;
}
