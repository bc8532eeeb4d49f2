//! Several zones, each looked after for itself.

use std::time::{Duration, Instant};

use feed_tests::{Fault, FeedDns, Record, Route53, eventually, eventually_within};

use crate::world::{
    cname, wait_diagnostics, wait_healthy, wait_records, wait_unhealthy, wait_unhealthy_within,
};

const GET: &str = "GetHostedZone";
const LIST: &str = "ListResourceRecordSets";
const CHANGE: &str = "ChangeResourceRecordSets";

async fn zones(names: &[&str]) -> (Route53, FeedDns) {
    let route53 = Route53::start().await;
    for name in names {
        route53.create_zone(&format!("Z{}", name.to_uppercase()), &format!("{name}.example.com"), false);
    }
    let ids: Vec<String> = names.iter().map(|name| format!("Z{}", name.to_uppercase())).collect();
    let zones = format!("--r53-hosted-zone={}", ids.join(","));
    let feed = FeedDns::new(&route53.url(), &[&zones, "--internal-hostname=lb.example.net"]);
    (route53, feed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_fails_holds_up_no_other() {
    for (operation, fault, said) in [
        (LIST, Fault::Error(400, "Throttling"), "Throttling"),
        (GET, Fault::Error(403, "AccessDenied"), "AccessDenied"),
        (LIST, Fault::Hang, "has not been read for"),
        (GET, Fault::Hang, "has not been read for"),
        (CHANGE, Fault::Hang, "has been behind for"),
    ] {
        let (route53, feed) = zones(&["a", "b"]).await;
        route53.fail("ZB", operation, fault);
        feed.write_ingresses(&[("web", "internal", &["0.a.example.com", "0.b.example.com"])]);
        let feed = feed.started();
        wait_records(&route53, "ZA", vec![cname("0.a.example.com")]).await;
        let mut hosts = vec!["0.a.example.com".to_owned(), "0.b.example.com".to_owned()];
        for index in 1..6 {
            hosts.push(format!("{index}.a.example.com"));
            let start = Instant::now();
            feed.write_ingresses(&[("web", "internal", &hosts)]);
            eventually("the new host is there", async || {
                if route53.records("ZA").len() > index { Ok(()) } else { Err("not yet") }
            })
            .await;
            assert!(
                start.elapsed() < Duration::from_millis(1_500),
                "{operation} {fault:?}: {:?}",
                start.elapsed()
            );
        }
        wait_unhealthy_within(Duration::from_secs(75), &feed, &["ZB", said]).await;
        assert_eq!(feed.admin("/readiness").await.0, 200);
        route53.heal();
        if fault == Fault::Hang {
            continue;
        }
        eventually_within(Duration::from_mins(1), "it is kept from then on", async || {
            let records = route53.records("ZB");
            if records == [cname("0.b.example.com")] { Ok(()) } else { Err(format!("{records:?}")) }
        })
        .await;
        wait_healthy(&feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_that_is_gone_at_the_start_is_named_and_the_others_are_kept() {
    let (route53, feed) = zones(&["a", "b", "c"]).await;
    route53.delete_zone("ZB");
    feed.write_ingresses(&[("web", "internal", &["x.a.example.com", "x.b.example.com", "x.c.example.com"])]);
    let plan = feed.plan(&[]);
    assert_eq!(plan.status.code(), Some(1));
    let (out, error) = (String::from_utf8(plan.stdout).unwrap(), String::from_utf8(plan.stderr).unwrap());
    assert!(out.ends_with("2 to create, 0 to change, 0 to delete.\n"), "{out}");
    assert!(error.contains("GetHostedZone of zone ZB failed: NoSuchHostedZone"), "{error}");
    let feed = feed.started();
    wait_records(&route53, "ZA", vec![cname("x.a.example.com")]).await;
    wait_records(&route53, "ZC", vec![cname("x.c.example.com")]).await;
    wait_unhealthy(&feed, &["ZB", "NoSuchHostedZone"]).await;
    assert_eq!(feed.admin("/readiness").await.0, 200);
    assert_eq!(feed.status().await["zones"][1]["state"], "unopened");
    route53.create_zone("ZB", "b.example.com", false);
    eventually_within(Duration::from_mins(1), "it is kept from then on", async || {
        let records = route53.records("ZB");
        if records == [cname("x.b.example.com")] { Ok(()) } else { Err(format!("{records:?}")) }
    })
    .await;
    wait_healthy(&feed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_zones_are_read_once_each_as_fast_as_the_quota_allows() {
    const ZONES: usize = 60;
    let route53 = Route53::start().await;
    let ids: Vec<String> = (0..ZONES).map(|index| format!("Z{index}")).collect();
    let hosts: Vec<String> = (0..ZONES).map(|index| format!("www.z{index}.example.com")).collect();
    for (index, id) in ids.iter().enumerate() {
        route53.create_zone(id, &format!("z{index}.example.com"), false);
    }
    route53.fail("Z7", LIST, Fault::Hang);
    let zones = format!("--r53-hosted-zone={}", ids.join(","));
    let feed = FeedDns::new(&route53.url(), &[&zones, "--internal-hostname=lb.example.net"]);
    feed.write_ingresses(&[("web", "internal", &hosts)]);
    let start = Instant::now();
    let feed = feed.started();
    let made = || ids.iter().filter(|id| !route53.records(id).is_empty()).count();
    eventually_within(Duration::from_secs(90), "the records of all zones are made", async || {
        let health = feed.admin("/health").await;
        assert!(health.0 == 200 || health.0 == 0 || health.1.contains("(Z7)"), "{health:?}");
        if made() == ZONES - 1 { Ok(()) } else { Err(made()) }
    })
    .await;
    // Three calls a zone, five a second.
    let expected = Duration::from_secs(u64::try_from(ZONES * 3 / 5).unwrap());
    assert!(start.elapsed() < expected + Duration::from_secs(8), "{:?}", start.elapsed());
    let calls = route53.calls();
    let count =
        |operation| calls.iter().filter(|call| call.operation == operation && call.zone != "Z7").count();
    assert_eq!((count(GET), count(LIST), count(CHANGE)), (ZONES - 1, ZONES - 1, ZONES - 1));
    assert_eq!(route53.throttled(), 0);
    let first = calls.iter().position(|call| call.operation == CHANGE).unwrap();
    assert!(first < 2 * ZONES - 20, "the first records are made before the last zones are read: {first}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_below_a_delegation_and_in_zones_of_other_schemes_are_told() {
    let route53 = Route53::start().await;
    route53.create_zone("ZPUB", "example.com", false);
    route53.create_zone("ZCORP", "corp.example.com", true);
    route53.put("ZPUB", Record::values("NS", "sub.example.com", &["ns-9.awsdns-01.org."]));
    let flags = [
        "--r53-hosted-zone=ZPUB,ZCORP",
        "--internal-hostname=lb.example.net",
        "--external-hostname=lb-out.example.net",
        "--resync-period=1s",
    ];
    let feed = FeedDns::new(&route53.url(), &flags);
    let hosts = [
        "shop.corp.example.com",
        "a.sub.example.com",
        "sub.example.com",
        "*.sub.example.com",
        "xsub.example.com",
    ];
    feed.write_ingresses(&[
        ("out", "internet-facing", hosts.as_slice()),
        ("in", "internal", &["b.corp.example.com"]),
    ]);
    let feed = feed.started();
    let out = |name: &str| Record::values("CNAME", name, &["lb-out.example.net"]).to_string();
    let delegation = Record::values("NS", "sub.example.com", &["ns-9.awsdns-01.org."]).to_string();
    wait_records(&route53, "ZPUB", vec![delegation, out("shop.corp.example.com"), out("xsub.example.com")])
        .await;
    wait_records(&route53, "ZCORP", vec![cname("b.corp.example.com")]).await;
    wait_diagnostics(&feed, &["DelegatedHost out"; 3]).await;
    assert!(feed.status().await.to_string().contains("delegates `sub.example.com`"));

    // The delegation goes: noticed at the next listing.
    route53.remove("ZPUB", "sub.example.com", "NS");
    wait_records(&route53, "ZPUB", hosts.iter().map(|host| out(host)).collect()).await;
    wait_diagnostics(&feed, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zones_of_one_name_hold_the_same_records_each_for_itself() {
    let route53 = Route53::start().await;
    route53.create_zone("ZPUB", "corp.example.com", false);
    route53.create_zone("ZONE", "corp.example.com", true);
    route53.create_zone("ZTWO", "corp.example.com", true);
    let flags = [
        "--r53-hosted-zone=ZPUB,ZONE,ZTWO,ZONE",
        "--internal-hostname=lb.example.net",
        "--external-hostname=lb-out.example.net",
        "--resync-period=2s",
    ];
    let feed = FeedDns::new(&route53.url(), &flags);
    route53.put(
        "ZTWO",
        Record::values("A", "w.corp.example.com", &["192.0.2.1"]).routed("x", "<Weight>1</Weight>"),
    );
    feed.write_ingresses(&[
        ("in", "internal", &["a.corp.example.com", "w.corp.example.com"]),
        ("out", "internet-facing", &["a.corp.example.com", "b.corp.example.com"]),
    ]);
    let feed = feed.started();
    let out = |name: &str| Record::values("CNAME", name, &["lb-out.example.net"]).to_string();
    wait_records(&route53, "ZPUB", vec![out("a.corp.example.com"), out("b.corp.example.com")]).await;
    wait_records(&route53, "ZONE", vec![cname("a.corp.example.com"), cname("w.corp.example.com")]).await;
    eventually("the other one has it too", async || {
        let records = route53.records("ZTWO");
        if records.contains(&cname("a.corp.example.com")) { Ok(()) } else { Err(format!("{records:?}")) }
    })
    .await;
    wait_diagnostics(&feed, &["RoutingPolicyInTheWay in"]).await;
    assert!(feed.status().await.to_string().contains("in zone corp.example.com (ZTWO)"));
    assert_eq!(feed.metric("zone_up{zone=\"corp.example.com\",zone_id=\"ZTWO\"}").await, Some(1.0));
    eventually("both are in the log", async || {
        let log = feed.log();
        if log.contains("zone_id=ZONE") && log.contains("zone_id=ZTWO") { Ok(()) } else { Err(log) }
    })
    .await;
    route53.fail("ZTWO", LIST, Fault::Error(403, "AccessDenied"));
    wait_unhealthy(&feed, &["corp.example.com (ZTWO)", "AccessDenied"]).await;
    feed.write_ingresses(&[("in", "internal", &["c.corp.example.com"])]);
    eventually("the others go on", async || {
        let records = route53.records("ZONE");
        if records.contains(&cname("c.corp.example.com")) { Ok(()) } else { Err(format!("{records:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_public_zones_of_one_name_are_kept_with_a_warning() {
    let route53 = Route53::start().await;
    route53.create_zone("ZONE", "example.com", false);
    route53.create_zone("ZTWO", "example.com", false);
    let flags = ["--r53-hosted-zone=ZONE,ZTWO", "--internal-hostname=lb.example.net"];
    let feed = FeedDns::new(&route53.url(), &flags);
    feed.write_ingresses(&[("in", "internal", &["a.example.com"])]);
    let feed = feed.started();
    wait_records(&route53, "ZONE", vec![cname("a.example.com")]).await;
    wait_records(&route53, "ZTWO", vec![cname("a.example.com")]).await;
    let log = feed.log();
    assert!(log.contains("several public zones") && log.contains("ZTWO"), "{log}");
    assert_eq!(feed.admin("/health").await.0, 200);
}
