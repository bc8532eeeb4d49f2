//! What fails, and how it goes on.

use std::time::Duration;

use feed_tests::{Fault, FeedDns, Record, Route53, eventually};

use crate::world::{cname, hosts, keeper, operations, route53, wait_records};

const CHANGE: &str = "ChangeResourceRecordSets";
const LIST: &str = "ListResourceRecordSets";

#[tokio::test]
async fn throttling_and_failures_of_route53_are_tried_again() {
    let route53 = route53().await;
    for fault in [
        Fault::Error(400, "Throttling"),
        Fault::Error(400, "PriorRequestNotComplete"),
        Fault::Error(500, "InternalFailure"),
    ] {
        route53.fail_next(CHANGE, fault);
    }
    route53.fail_next(LIST, Fault::Error(503, "ServiceUnavailable"));
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    assert_eq!(operations(&route53), ["GetHostedZone", LIST, LIST, CHANGE, CHANGE, CHANGE, CHANGE]);
    feed.wait_ready().await;
    assert_eq!(feed.admin("/health").await, (200, "ok\n".to_owned()));
    let sample =
        "aws_requests_total{service=\"Route 53\",operation=\"ChangeResourceRecordSets\",outcome=\"400\"}";
    assert_eq!(feed.metric(sample).await, Some(2.0));
}

#[tokio::test]
async fn a_change_that_was_made_but_not_answered_is_found_out() {
    let route53 = route53().await;
    route53.fail_next(CHANGE, Fault::Unanswered);
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &hosts(0..5))]);
    let feed = feed.started();
    wait_records(&route53, "Z1", hosts(0..5).iter().map(|host| cname(host)).collect()).await;
    eventually("all is well", async || {
        let status = feed.status().await;
        let well =
            status["zones"][0]["owned_records"] == 5 && status["diagnostics"].as_array().unwrap().is_empty();
        well.then_some(()).ok_or(status)
    })
    .await;
    assert_eq!(feed.admin("/health").await.0, 200);
}

#[tokio::test]
async fn a_zone_that_is_not_ours_to_write_does_not_hold_up_the_others() {
    let route53 = route53().await;
    route53.create_zone("Z2", "example.org", false);
    route53.forbid_changes("Z1");
    let feed = keeper(&route53).flag("--r53-hosted-zone=Z2");
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "a.example.org"])]);
    let feed = feed.started();
    wait_records(&route53, "Z2", vec![cname("a.example.org")]).await;
    eventually("health says so", async || {
        let (status, text) = feed.admin("/health").await;
        let said = status == 500 && text.contains("ChangeResourceRecordSets of zone Z1 failed: AccessDenied");
        if said { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(feed.admin("/readiness").await.0, 200);
    assert_eq!(route53.records("Z1"), [""; 0]);
    assert!(feed.metric("route53_failures{zone=\"example.com\"}").await.unwrap() >= 1.0);
    assert_eq!(feed.metric("route53_failures{zone=\"example.org\"}").await, Some(0.0));
}

#[tokio::test]
async fn route53_away_at_the_start_is_waited_for() {
    let route53 = route53().await;
    for _ in 0..3 {
        route53.fail_next("GetHostedZone", Fault::Error(500, "InternalFailure"));
    }
    let feed = keeper(&route53).flag("--aws-api-retries=2");
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let feed = feed.started();
    eventually("it is not ready and says why", async || {
        let (status, text) = feed.admin("/readiness").await;
        if status == 503 && text.contains("InternalFailure") { Ok(()) } else { Err(text) }
    })
    .await;
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
}

#[tokio::test]
async fn killed_between_two_batches_the_rest_follows_after_the_restart() {
    let route53 = route53().await;
    route53.set_latency(Duration::from_millis(300));
    let mut feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &hosts(0..2_500))]);
    feed.start();
    eventually("the first batch is made", async || {
        let count = route53.records("Z1").len();
        if count > 0 { Ok(()) } else { Err("nothing yet") }
    })
    .await;
    feed.kill();
    let made = route53.records("Z1").len();
    assert!((1..2_500).contains(&made), "{made}");
    route53.calls();

    route53.set_latency(Duration::ZERO);
    feed.start();
    wait_records(&route53, "Z1", hosts(0..2_500).iter().map(|host| cname(host)).collect()).await;
    let calls = route53.calls();
    assert!(calls.iter().all(|call| call.status == 200), "nothing is refused: {calls:?}");
    let changes: usize = calls.iter().map(|call| call.changes).sum();
    assert_eq!(changes, 2_500 - made, "nothing is done twice");
}

#[tokio::test]
async fn of_a_batch_only_what_is_refused_is_left_out() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &["first.example.com"])]);
    let feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("first.example.com")]).await;
    route53.calls();

    // Somebody puts a record of another type where a CNAME will be wanted, after the zone was listed.
    let other = Record::values("TXT", "07.example.com", &["\"theirs\""]);
    route53.put("Z1", other.clone());
    let all: Vec<String> = hosts(0..50).into_iter().chain(["first.example.com".to_owned()]).collect();
    feed.write_ingresses(&[("web", "internal", &all)]);
    let mut expected: Vec<String> =
        all.iter().filter(|host| *host != "07.example.com").map(|host| cname(host)).collect();
    expected.push(other.to_string());
    wait_records(&route53, "Z1", expected).await;
    eventually("it is told what is wrong", async || {
        let status = feed.status().await;
        let diagnostic = &status["diagnostics"][0];
        if diagnostic["code"] == "CnameNotPossible" { Ok(()) } else { Err(status) }
    })
    .await;
    assert_eq!(operations(&route53), [CHANGE, CHANGE, CHANGE, LIST]);
    assert_eq!(feed.metric("route53_failures{zone=\"example.com\"}").await, Some(1.0));
    assert_eq!(feed.metric("skipped_ingress_entries{zone=\"example.com\"}").await, Some(1.0));
}

#[tokio::test]
async fn what_is_changed_by_hand_is_put_right_and_the_changes_of_others_are_left() {
    let route53 = route53().await;
    let feed = keeper(&route53).flag("--resync-period=1s");
    let wanted = hosts(0..20);
    feed.write_ingresses(&[("web", "internal", &wanted)]);
    let feed = feed.started();
    let mut expected: Vec<String> = wanted.iter().map(|host| cname(host)).collect();
    wait_records(&route53, "Z1", expected.clone()).await;
    for host in &wanted[..7] {
        route53.remove("Z1", host, "CNAME");
    }
    for host in &wanted[3..7] {
        route53.put("Z1", Record::values("A", host, &["192.0.2.1"]));
    }
    let theirs = Record::values("A", "theirs.example.com", &["192.0.2.29"]);
    route53.put("Z1", theirs.clone());
    expected.push(theirs.to_string());
    wait_records(&route53, "Z1", expected).await;
    settle(&route53).await;
    assert_eq!(feed.admin("/health").await.0, 200);
}

#[tokio::test]
async fn a_second_controller_with_other_endpoints_is_left_alone() {
    let route53 = route53().await;
    let ours = keeper(&route53).flag("--resync-period=1s");
    ours.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let theirs =
        FeedDns::new(&route53.url(), &["--r53-hosted-zone=Z1", "--internal-hostname=other.example.net"])
            .flag("--resync-period=1s");
    theirs.write_ingresses(&[("web", "internal", &["b.example.com"])]);
    let (ours, theirs) = (ours.started(), theirs.started());
    let other = Record::values("CNAME", "b.example.com", &["other.example.net"]).to_string();
    wait_records(&route53, "Z1", vec![cname("a.example.com"), other.clone()]).await;
    settle(&route53).await;
    wait_records(&route53, "Z1", vec![cname("a.example.com"), other]).await;
    assert_eq!((ours.admin("/health").await.0, theirs.admin("/health").await.0), (200, 200));
}

/// Waits through several listings, in which nothing may be changed.
pub(crate) async fn settle(route53: &Route53) {
    route53.calls();
    eventually("the zone is listed again and again", async || {
        if route53.count(LIST) >= 6 { Ok(()) } else { Err(route53.count(LIST)) }
    })
    .await;
    assert_eq!(route53.count(CHANGE), 0);
}
