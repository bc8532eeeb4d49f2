//! Changes that are refused, for a while or for good, answers that are lost, and the log of all of it.

use std::time::{Duration, Instant};

use feed_tests::{Elb, Fault, FeedDns, Record, eventually, eventually_within};

use crate::world::{
    cname, hosts, keeper, operations, route53, wait_diagnostics, wait_healthy, wait_records, wait_unhealthy,
};

const CHANGE: &str = "ChangeResourceRecordSets";
const LIST: &str = "ListResourceRecordSets";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_that_is_forbidden_blocks_no_other_and_is_named() {
    let route53 = route53().await;
    route53.deny("Z1", |_, name, _| !name.ends_with("apps.example.com"));
    let feed = keeper(&route53);
    let mut apps: Vec<String> = (0..40).map(|index| format!("{index}.apps.example.com")).collect();
    feed.write_ingresses(&[("apps", "internal", &apps)]);
    let feed = feed.started();
    wait_records(&route53, "Z1", apps.iter().map(|host| cname(host)).collect()).await;
    route53.calls();
    apps.extend((40..80).map(|index| format!("{index}.apps.example.com")));
    let www: Vec<String> = ["www", "0", "zz"].iter().map(|name| format!("{name}.example.com")).collect();
    feed.write_ingresses(&[("apps", "internal", &apps), ("www", "internal", &www)]);
    wait_records(&route53, "Z1", apps.iter().map(|host| cname(host)).collect()).await;
    wait_unhealthy(&feed, &["`www.example.com`", "`0.example.com`", "AccessDenied"]).await;
    wait_diagnostics(&feed, &["RecordRefused www"; 3]).await;
    assert!(route53.count(CHANGE) < 35, "halves, not one by one: {}", route53.count(CHANGE));

    let start = Instant::now();
    apps.push("late.apps.example.com".to_owned());
    feed.write_ingresses(&[("apps", "internal", &apps), ("www", "internal", &www)]);
    wait_records(&route53, "Z1", apps.iter().map(|host| cname(host)).collect()).await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    route53.heal();
    wait_healthy(&feed).await;
    assert_eq!(route53.records("Z1").len(), 84);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_whose_changes_are_all_forbidden_is_told_once() {
    let route53 = route53().await;
    route53.forbid_changes("Z1");
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &hosts(0..300))]);
    let feed = feed.started();
    wait_unhealthy(&feed, &["Zone example.com (Z1): all changes are refused", "AccessDenied"]).await;
    let calls = route53.count(CHANGE);
    assert!(calls < 45, "{calls}");
    eventually(
        "it is tried again",
        async || {
            if route53.count(CHANGE) > calls { Ok(()) } else { Err("not yet") }
        },
    )
    .await;
    let log = feed.log();
    assert_eq!(log.matches("All changes of the zone are refused").count(), 1, "{log}");
    assert!(!log.contains("A change was refused"), "{log}");
    assert_eq!(feed.status().await["diagnostics"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_that_are_forbidden_hold_up_no_creation() {
    let route53 = route53().await;
    route53.deny("Z1", |action, _, _| action == "DELETE");
    let feed = keeper(&route53);
    feed.write_ingresses(&[("web", "internal", &hosts(0..4))]);
    let feed = feed.started();
    wait_records(&route53, "Z1", hosts(0..4).iter().map(|host| cname(host)).collect()).await;
    feed.write_ingresses(&[("web", "internal", &hosts(2..6))]);
    wait_records(&route53, "Z1", hosts(0..6).iter().map(|host| cname(host)).collect()).await;
    wait_unhealthy(&feed, &["`00.example.com`", "AccessDenied"]).await;
    route53.heal();
    wait_records(&route53, "Z1", hosts(2..6).iter().map(|host| cname(host)).collect()).await;
    wait_healthy(&feed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_costs_one_listing() {
    for fault in [Fault::Lost, Fault::Unanswered] {
        let route53 = route53().await;
        route53.create_zone("Z2", "example.org", false);
        let feed = keeper(&route53).flag("--r53-hosted-zone=Z2");
        feed.write_ingresses(&[("web", "internal", &["first.example.com"])]);
        let feed = feed.started();
        wait_records(&route53, "Z1", vec![cname("first.example.com")]).await;
        eventually("both zones are read", async || {
            let status = feed.status().await;
            if status["zones"][1]["state"] == "read" { Ok(()) } else { Err(status) }
        })
        .await;
        route53.calls();
        route53.fail_next(CHANGE, fault);
        let all: Vec<String> = hosts(0..300).into_iter().chain(["first.example.com".to_owned()]).collect();
        feed.write_ingresses(&[("web", "internal", &all)]);
        wait_records(&route53, "Z1", all.iter().map(|host| cname(host)).collect()).await;
        eventually("it is listed again", async || {
            // The listing has two pages.
            if route53.count(LIST) > 1 { Ok(()) } else { Err("not yet") }
        })
        .await;
        let more: Vec<String> = all.iter().cloned().chain(["a.example.org".to_owned()]).collect();
        feed.write_ingresses(&[("web", "internal", &more)]);
        wait_records(&route53, "Z2", vec![cname("a.example.org")]).await;
        assert_eq!(operations(&route53), [CHANGE, CHANGE, LIST, LIST, CHANGE], "{fault:?}");
        assert!(!feed.log().contains("was refused; trying again"), "{}", feed.log());
        assert_eq!(feed.admin("/health").await, (200, "ok\n".to_owned()));
        assert_eq!(feed.status().await["diagnostics"].as_array().unwrap().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_that_route53_does_not_know_yet_is_tried_again_soon() {
    let (route53, elb) = (route53().await, Elb::start().await);
    let tags = [("sky.uk/KubernetesClusterFrontend", "feed")];
    elb.create_classic("old", "internal", &tags);
    let flags = ["--r53-hosted-zone=Z1", "--elb-label-value=feed", "--resync-period=30s"];
    let feed = FeedDns::new(&route53.url(), &flags).variable("AWS_ENDPOINT_URL", &elb.url());
    feed.write_ingresses(&[("web", "internal", &hosts(0..100))]);
    let feed = feed.started();
    let to = |balancer: &str| {
        let target = format!("{balancer}.eu-west-1.elb.amazonaws.com");
        let record = |host: &String| Record::alias("A", host, &target).to_string();
        hosts(0..100).iter().map(record).map(|it| it.replace("ZLB", "Z32O12XQLNTSW2")).collect::<Vec<_>>()
    };
    wait_records(&route53, "Z1", to("old")).await;
    route53.forget_target("new.eu-west-1.elb.amazonaws.com");
    elb.delete("old");
    elb.create_classic("new", "internal", &tags);
    eventually_within(Duration::from_secs(40), "the refusal is told", async || {
        let (status, text) = feed.admin("/health").await;
        let said = status == 500 && text.contains("target was not found");
        if said { Ok(()) } else { Err(text) }
    })
    .await;
    route53.calls();
    route53.heal();
    let start = Instant::now();
    let moved = || route53.records("Z1") == to("new");
    eventually_within(Duration::from_secs(40), "all have moved", async || {
        if moved() { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    assert!(route53.count(CHANGE) <= 3, "{}", route53.count(CHANGE));
    wait_healthy(&feed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_new_does_not_wait_for_what_goes() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    let mut names = hosts(0..60);
    feed.write_ingresses(&[("web", "internal", &names)]);
    let feed = feed.started();
    wait_records(&route53, "Z1", names.iter().map(|host| cname(host)).collect()).await;
    for index in 60..75 {
        names.remove(0);
        let host = format!("{index}.example.com");
        names.push(host.clone());
        let start = Instant::now();
        feed.write_ingresses(&[("web", "internal", &names)]);
        eventually("the new host is there", async || {
            if route53.records("Z1").contains(&cname(&host)) { Ok(()) } else { Err("not yet") }
        })
        .await;
        assert!(start.elapsed() < Duration::from_millis(1_500), "{index}: {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(400).saturating_sub(start.elapsed())).await;
    }
    wait_records(&route53, "Z1", names.iter().map(|host| cname(host)).collect()).await;
}

/// The lines of the log, which are JSON.
fn lines(feed: &FeedDns) -> Vec<serde_json::Value> {
    feed.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_is_a_line_of_the_log() {
    let route53 = route53().await;
    route53.put("Z1", Record::values("CNAME", "c.example.com", &["elsewhere.example.net"]));
    let feed = keeper(&route53).flag("--log-format=json");
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "b.example.com", "c.example.com"])]);
    let feed = feed.started();
    let three = ["a", "b", "c"].map(|name| cname(&format!("{name}.example.com")));
    wait_records(&route53, "Z1", three.to_vec()).await;
    feed.write_ingresses(&[("web", "internal", &["a.example.com", "c.example.com"])]);
    wait_records(&route53, "Z1", vec![three[0].clone(), three[2].clone()]).await;
    eventually("every change is told", async || {
        let lines = lines(&feed);
        let field = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let told: Vec<String> = lines
            .iter()
            .filter(|line| !field(line, "action").is_empty())
            .map(|line| {
                ["zone", "zone_id", "action", "name", "type", "target", "was", "ingress"]
                    .map(|it| field(line, it))
                    .join(" ")
            })
            .collect();
        let expected = [
            "example.com Z1 create a.example.com CNAME lb.example.net  shop/web",
            "example.com Z1 create b.example.com CNAME lb.example.net  shop/web",
            "example.com Z1 change c.example.com CNAME lb.example.net elsewhere.example.net shop/web",
            "example.com Z1 delete b.example.com CNAME lb.example.net  ",
        ];
        if told == expected { Ok(()) } else { Err(format!("{told:#?}")) }
    })
    .await;
    let before = feed.log().lines().count();
    feed.write_ingresses(&[("web", "internal", &hosts(0..1_000))]);
    eventually("all are made", async || {
        let count = route53.records("Z1").len();
        if count >= 1_000 { Ok(()) } else { Err(count) }
    })
    .await;
    eventually("every name is in it", async || {
        if feed.log().contains(" 999.example.com") { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert!(feed.log().lines().count() < before + 15, "{}", feed.log());
}
