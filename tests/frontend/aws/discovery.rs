//! Many load balancers.

use std::collections::BTreeMap;
use std::time::Duration;

use feed_tests::{Elb, NginxBinary, eventually_within};

use super::{ALB, ELB, Kind, NLB, OURS};

const MANY: usize = 450;

/// A kind of frontend, what its listings begin with, where it is registered, and its calls.
type Row = (Kind, &'static str, &'static [&'static str], &'static [(&'static str, usize)]);

/// 450 classic ones, 450 network ones with a target group each; of each, one on the first page and one on the second are ours.
fn create_many(elb: &Elb) {
    for index in 0..MANY {
        let tags = if [17, 433].contains(&index) { &OURS[..] } else { &OURS[..1] };
        elb.create_classic(&format!("classic-{index:03}"), "internal", tags);
        elb.create_network(&format!("network-{index:03}"), "internal", tags);
        elb.create_group(&format!("group-{index:03}"), "ip", &[&format!("network-{index:03}")]);
    }
}

/// The calls between the beginning of one listing and that of the next, by operation.
async fn calls_of_a_resync(elb: &Elb, first: &str) -> BTreeMap<String, usize> {
    elb.calls();
    let mut calls = Vec::new();
    eventually_within(Duration::from_mins(1), "it is listed twice", async || {
        calls.extend(elb.calls());
        let begins: Vec<usize> = (0..calls.len())
            .filter(|index| {
                let call: &feed_tests::ElbCall = &calls[*index];
                call.operation == first && call.names == 0 && !call.goes_on
            })
            .collect();
        let [from, to, ..] = begins[..] else { return Err("not yet") };
        let mut counts = BTreeMap::new();
        for call in &calls[from..to] {
            assert!(call.status == 200 && call.names <= 20, "{call:?}");
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        Ok(counts)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_are_read_with_few_calls() {
    let Some(nginx) = NginxBinary::system() else { return };
    let rows: [Row; 3] = [
        (
            ELB,
            "DescribeLoadBalancers",
            &["classic-017", "classic-433"],
            &[("DescribeLoadBalancers", 2), ("DescribeTags", 23), ("DescribeInstanceHealth", 2)],
        ),
        (
            NLB,
            "DescribeLoadBalancers",
            &["group-017", "group-433"],
            &[
                ("DescribeLoadBalancers", 2),
                ("DescribeTags", 23),
                ("DescribeTargetGroups", 2),
                ("DescribeTargetHealth", 2),
            ],
        ),
        (
            ALB,
            "DescribeTargetGroups",
            &["group-017", "group-433"],
            &[("DescribeTargetGroups", 2), ("DescribeLoadBalancers", 1), ("DescribeTargetHealth", 2)],
        ),
    ];
    for (kind, first, joined, expected) in rows {
        let elb = Elb::start().await;
        create_many(&elb);
        let mut feed = kind.feed(&elb, &nginx).build();
        match kind.command {
            "alb" => feed.replace_argument("web", "group-017,group-433"),
            other => feed.add_arguments(&[&format!("--{other}-expected-number"), "2"]),
        }
        feed.start();
        feed.wait_ready().await;
        for name in joined {
            assert_eq!(elb.targets(name).len(), 1, "{name}");
        }
        let calls = calls_of_a_resync(&elb, first).await;
        println!("{}: {} calls a resync of {MANY}: {calls:?}", kind.command, calls.values().sum::<usize>());
        let expected = expected.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect();
        assert_eq!(calls, expected, "{}", kind.command);
    }
}
