//! How many calls what costs, and how long it takes.

use std::time::{Duration, Instant};

use feed_tests::{FeedDns, Route53, eventually, eventually_within};

use crate::world::operations;

const HOSTS: usize = 10_000;

fn hosts(zone: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("host-{index:05}.{zone}")).collect()
}

/// One Ingress for a hundred hosts.
fn write(feed: &FeedDns, hosts: &[String]) {
    let names: Vec<String> = (0..hosts.len().div_ceil(100)).map(|index| format!("web-{index}")).collect();
    let ingresses: Vec<_> =
        names.iter().zip(hosts.chunks(100)).map(|(name, hosts)| (name.as_str(), "internal", hosts)).collect();
    feed.write_ingresses(&ingresses);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_hosts_in_three_zones_cost_as_few_calls_as_the_limits_allow() {
    let route53 = Route53::start().await;
    let zones = [("ZCOM", "example.com"), ("ZORG", "example.org"), ("ZNET", "example.net")];
    let mut all = Vec::new();
    for ((id, name), count) in zones.into_iter().zip([HOSTS / 2, HOSTS / 4, HOSTS / 4]) {
        route53.create_zone(id, name, false);
        all.extend(hosts(name, count));
    }
    let flags = ["--r53-hosted-zone=ZCOM,ZORG,ZNET", "--internal-hostname=lb.example.test"];
    let mut feed = FeedDns::new(&route53.url(), &flags);
    write(&feed, &all);

    let start = Instant::now();
    feed.start();
    let counts = || zones.map(|(id, _)| route53.records(id).len());
    eventually_within(Duration::from_mins(1), "all records are made", async || {
        if counts().iter().sum::<usize>() == HOSTS { Ok(()) } else { Err(format!("{:?}", counts())) }
    })
    .await;
    let elapsed = start.elapsed();
    let calls = route53.calls();
    let count = |operation| calls.iter().filter(|call| call.operation == operation).count();
    assert_eq!((count("GetHostedZone"), count("ListResourceRecordSets")), (3, 3));
    // 1,000 records or 32,000 characters a call, of 15 a value: 5 + 3 + 3 calls.
    assert_eq!(count("ChangeResourceRecordSets"), 11);
    assert_eq!(route53.throttled(), 0);
    report("10,000 hosts in three zones from empty", calls.len(), elapsed, &feed);

    // One host more.
    let extra = "one-more.example.org".to_owned();
    all.push(extra.clone());
    write(&feed, &all);
    let start = Instant::now();
    eventually("one more is made", async || {
        let name = format!("{extra}.");
        route53.records("ZORG").iter().any(|record| record.starts_with(&name)).then_some(()).ok_or("not yet")
    })
    .await;
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    assert_eq!(operations(&route53), ["ChangeResourceRecordSets"]);
    report("one host more", 1, elapsed, &feed);

    // The same again: the file is written anew, with the same Ingresses.
    write(&feed, &all);
    let age = feed.metric("cluster_state_age_seconds").await;
    assert!(age.is_some());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(operations(&route53), [""; 0]);

    // A restart lists, in pages of 300, and does nothing else.
    assert!(feed.stop().await.success());
    let start = Instant::now();
    feed.start();
    eventually("everything is known again", async || {
        let zones = feed.status().await["zones"].clone();
        let known = zones.as_array().is_some_and(|zones| zones.iter().all(|zone| zone["records"].is_u64()));
        known.then_some(()).ok_or("not yet")
    })
    .await;
    let calls = route53.calls();
    let count = |operation| calls.iter().filter(|call| call.operation == operation).count();
    let pages: usize =
        [HOSTS / 2, HOSTS / 4 + 1, HOSTS / 4].map(|count: usize| (count + 2).div_ceil(300)).iter().sum();
    assert_eq!((count("GetHostedZone"), count("ListResourceRecordSets")), (3, pages));
    assert_eq!(count("ChangeResourceRecordSets"), 0);
    assert_eq!(route53.throttled(), 0);
    report("restart with 10,000 records", calls.len(), start.elapsed(), &feed);
}

/// Numbers for people, shown with `--nocapture`.
fn report(what: &str, calls: usize, elapsed: Duration, feed: &FeedDns) {
    let megabytes = feed.resident_memory() / 1_000_000;
    eprintln!("{what}: {calls} calls, {:.2} s, {megabytes} MB resident", elapsed.as_secs_f64());
}
