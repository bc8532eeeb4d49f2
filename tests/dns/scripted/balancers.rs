//! Load balancers that are missing, or more than there should be.

use std::time::Duration;

use feed_tests::{Elb, FeedDns, Record, Route53, eventually, eventually_within};

use crate::world::{hosts, route53, wait_healthy, wait_records, wait_unhealthy};

const FRONTEND: (&str, &str) = ("sky.uk/KubernetesClusterFrontend", "feed");
const CLASS: &str = "sky.uk/KubernetesClusterIngressClass";

fn feed(route53: &Route53, elb: &Elb) -> FeedDns {
    let flags = ["--r53-hosted-zone=Z1", "--elb-label-value=feed", "--resync-period=2s"];
    FeedDns::new(&route53.url(), &flags).variable("AWS_ENDPOINT_URL", &elb.url())
}

fn alias(name: &str, balancer: &str) -> Record {
    let record = Record::alias("A", name, &format!("{balancer}.eu-west-1.elb.amazonaws.com"));
    match record.data {
        feed_tests::RecordData::Alias(_, target, health) => Record {
            data: feed_tests::RecordData::Alias("Z32O12XQLNTSW2".to_owned(), target, health),
            ..record
        },
        feed_tests::RecordData::Values(..) => record,
    }
}

fn all_to(balancer: &str, names: &[String]) -> Vec<String> {
    names.iter().map(|name| alias(name, balancer).to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_balancer_in_use_stays_until_it_is_gone() {
    let (route53, elb) = (route53().await, Elb::start().await);
    elb.create_classic("m-old", "internal", &[FRONTEND]);
    let mut feed = feed(&route53, &elb);
    feed.write_ingresses(&[("web", "internal", &hosts(0..5))]);
    feed.start();
    wait_records(&route53, "Z1", all_to("m-old", &hosts(0..5))).await;
    elb.create_classic("a-new", "internal", &[FRONTEND]);
    elb.create_classic("z-new", "internal", &[FRONTEND]);
    for restart in [false, true] {
        if restart {
            feed.kill();
            feed.start();
        }
        eventually("the newcomers are named", async || {
            let log = feed.log();
            let named = ["a-new", "z-new"].iter().all(|name| log.contains(&format!("{name}.eu-west-1")));
            if named { Ok(()) } else { Err(log) }
        })
        .await;
        let count = if restart { 7 } else { 6 };
        feed.write_ingresses(&[("web", "internal", &hosts(0..count))]);
        wait_records(&route53, "Z1", all_to("m-old", &hosts(0..count))).await;
        assert_eq!(feed.admin("/health").await.0, 200);
    }
    elb.delete("m-old");
    eventually("all move together", async || {
        let records = route53.records("Z1");
        let one = ["a-new", "z-new"].iter().any(|name| records == all_to(name, &hosts(0..7)));
        if one { Ok(()) } else { Err(format!("{records:#?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_point_to_several_load_balancers_do_not_flap() {
    let (route53, elb) = (route53().await, Elb::start().await);
    elb.create_classic("a", "internal", &[FRONTEND]);
    elb.create_classic("b", "internal", &[FRONTEND]);
    let names = hosts(0..6);
    for (index, name) in names.iter().enumerate() {
        route53.put("Z1", alias(name, if index < 2 { "a" } else { "b" }));
    }
    let before = route53.records("Z1");
    let feed = feed(&route53, &elb);
    feed.write_ingresses(&[("web", "internal", &hosts(0..7))]);
    let _feed = feed.started();
    let expected = [before, all_to("b", &hosts(6..7))].concat();
    wait_records(&route53, "Z1", expected.clone()).await;
    super::faults::settle(&route53).await;
    wait_records(&route53, "Z1", expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_class_only_load_balancers_of_that_class_or_of_none_count() {
    let (route53, elb) = (route53().await, Elb::start().await);
    elb.create_classic("lb-a", "internal", &[FRONTEND, (CLASS, "class-a")]);
    elb.create_classic("lb-b", "internal", &[FRONTEND, (CLASS, "class-b")]);
    elb.create_classic("lb-out", "internet-facing", &[FRONTEND]);
    let feed = feed(&route53, &elb).flag("--ingress-class=class-b").flag("--include-classless-ingresses");
    feed.write_ingresses(&[
        ("in", "internal", &["in.example.com"]),
        ("out", "internet-facing", &["out.example.com"]),
    ]);
    let feed = feed.started();
    let expected =
        vec![alias("in.example.com", "lb-b").to_string(), alias("out.example.com", "lb-out").to_string()];
    wait_records(&route53, "Z1", expected).await;
    assert_eq!(feed.admin("/health").await.0, 200);
    assert!(feed.log().contains("The load balancer lb-a gets no records"), "{}", feed.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheme_without_load_balancer_is_looked_for_every_minute() {
    let (route53, elb) = (route53().await, Elb::start().await);
    elb.create_classic("out", "internet-facing", &[FRONTEND]);
    route53.put("Z1", alias("a.example.com", "gone"));
    let flags = ["--r53-hosted-zone=Z1", "--elb-label-value=feed"];
    let feed = FeedDns::new(&route53.url(), &flags).variable("AWS_ENDPOINT_URL", &elb.url());
    feed.write_ingresses(&[
        ("in", "internal", &["a.example.com"]),
        ("out", "internet-facing", &["b.example.com"]),
    ]);
    let feed = feed.started();
    let both =
        |a: &str| vec![alias("a.example.com", a).to_string(), alias("b.example.com", "out").to_string()];
    wait_records(&route53, "Z1", both("gone")).await;
    wait_unhealthy(&feed, &["There is no internal load balancer"]).await;
    elb.create_classic("in", "internal", &[FRONTEND]);
    eventually_within(Duration::from_secs(75), "it is found within a minute", async || {
        let records = route53.records("Z1");
        if records == both("in") { Ok(()) } else { Err(format!("{records:#?}")) }
    })
    .await;
    wait_healthy(&feed).await;
}
