//! Signals that people send: none but those that end it does.

use feed_tests::{eventually, is_running};
use nix::sys::signal::Signal;

use crate::world::{cname, keeper, operations, route53, wait_records};

#[tokio::test]
async fn a_hang_up_looks_again_and_a_quit_signal_ends_it() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let mut feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    for _ in 0..2 {
        // Forgets the calls so far.
        operations(&route53);
        for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGHUP] {
            feed.process().signal(signal);
        }
        eventually("the zone is listed again", async || {
            operations(&route53).contains(&"ListResourceRecordSets").then_some(()).ok_or_else(|| feed.log())
        })
        .await;
    }
    assert!(is_running(feed.process()));
    feed.process().signal(Signal::SIGQUIT);
    assert!(feed.wait_exit().await.success(), "{}", feed.log());
    assert_eq!(route53.records("Z1").len(), 1, "its records are left");
}
