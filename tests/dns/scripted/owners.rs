//! Whose a record is: the operator's, another writer's, or that of an Ingress that cannot be understood.

use std::time::Duration;

use feed_tests::{FeedDns, Record, Route53, eventually_within};

use super::faults::settle;
use crate::world::{
    cname, hosts, keeper, route53, wait_diagnostics, wait_healthy, wait_records, wait_unhealthy,
};

fn given(route53: &Route53) -> FeedDns {
    let flags = [
        "--r53-hosted-zone=Z1",
        "--internal-hostname=int.example.com",
        "--external-hostname=ext.example.com",
    ];
    FeedDns::new(&route53.url(), &flags)
}

fn to(target: &str, name: &str) -> Record {
    Record::values("CNAME", name, &[target])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_to_a_load_balancer_are_left_alone() {
    let route53 = route53().await;
    let theirs = [
        Record::values("A", "addresses.example.com", &["192.0.2.5"]),
        to("addresses.example.com", "ext.example.com"),
        to("EXT.example.com.", "int.example.com"),
    ];
    for record in &theirs {
        route53.put("Z1", record.clone());
    }
    let feed = given(&route53).flag("--resync-period=1s");
    let hosts = ["a.example.com", "int.example.com", "ext.example.com", "addresses.example.com"];
    feed.write_ingresses(&[
        ("all", "internal", hosts.as_slice()),
        ("out", "internet-facing", &["b.example.com"]),
    ]);
    let plan = String::from_utf8(feed.plan(&[]).stdout).unwrap();
    assert!(plan.ends_with("2 to create, 0 to change, 0 to delete.\n"), "{plan}");
    assert_eq!(plan.matches("error[ReservedHost]").count(), 3, "{plan}");
    let mut feed = feed.started();
    let mut expected: Vec<String> = theirs.iter().map(ToString::to_string).collect();
    let with = |more: &[Record]| {
        let more = more.iter().map(ToString::to_string);
        theirs.iter().map(ToString::to_string).chain(more).collect::<Vec<_>>()
    };
    let both = [to("int.example.com", "a.example.com"), to("ext.example.com", "b.example.com")];
    wait_records(&route53, "Z1", with(&both)).await;
    wait_diagnostics(&feed, &["ReservedHost all"; 3]).await;

    // Neither when the Ingress goes, nor after a restart.
    feed.write_ingresses(&[("out", "internet-facing", &["b.example.com"])]);
    wait_records(&route53, "Z1", with(&both[1..])).await;
    settle(&route53).await;
    assert!(feed.stop().await.success());
    feed.start();
    feed.wait_ready().await;
    settle(&route53).await;
    expected.push(both[1].to_string());
    wait_records(&route53, "Z1", expected).await;
}

fn ingress(name: &str, annotation: &str, host: &str) -> String {
    format!(
        "kind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: {{name: {name}, namespace: ns, annotations: \
         {{{annotation}}}}}\nspec: {{rules: [{{host: {host}}}]}}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ingress_that_cannot_be_understood_keeps_its_record() {
    let route53 = route53().await;
    let mut feed = keeper(&route53).flag("--resync-period=1s");
    let names = ["a", "b", "c", "d", "e"];
    let all = |annotations: [&str; 5]| {
        let documents = names.iter().zip(annotations);
        let documents = documents.map(|(name, it)| ingress(name, it, &format!("{name}.example.com")));
        documents.collect::<Vec<_>>().join("---\n")
    };
    let good = "sky.uk/frontend-scheme: internal";
    feed.write_manifest(
        "ingresses.yaml",
        &all([good, good, good, "sky.uk/frontend-elb-scheme: internal", good]),
    );
    feed.start();
    let expected: Vec<String> = names.iter().map(|name| cname(&format!("{name}.example.com"))).collect();
    wait_records(&route53, "Z1", expected.clone()).await;

    let bad = [
        "sky.uk/frontend-scheme: Internal",
        "sky.uk/frontend-schema: internal",
        good,
        "sky.uk/frontend-elb-scheme: inside",
        "sky.uk/frontend-scheme: ''",
    ];
    let new = ingress("new", "sky.uk/frontend-scheme: intern", "new.example.com");
    feed.write_manifest("ingresses.yaml", &format!("{}---\n{new}", all(bad)));
    let missing = ["a", "b", "d", "e", "new"].map(|name| format!("MissingFrontendScheme {name}"));
    let invalid = ["a", "d", "e", "new"].map(|name| format!("InvalidAnnotation {name}"));
    let diagnostics = [invalid.to_vec(), missing.to_vec()].concat();
    let diagnostics: Vec<&str> = diagnostics.iter().map(String::as_str).collect();
    wait_diagnostics(&feed, &diagnostics).await;
    settle(&route53).await;
    feed.kill();
    feed.start();
    wait_diagnostics(&feed, &diagnostics).await;
    settle(&route53).await;
    wait_records(&route53, "Z1", expected).await;
    assert_eq!(feed.plan(&[]).status.code(), Some(0));

    // What is really gone goes.
    feed.write_manifest("ingresses.yaml", &ingress("a", "sky.uk/frontend-scheme: Internal", "a.example.com"));
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_that_delete_each_others_records_come_to_rest_with_all_of_them() {
    let route53 = route53().await;
    let feeds = ["a", "b", "c"].map(|name| {
        let feed = keeper(&route53).flag("--resync-period=1s");
        let hosts: Vec<String> = (0..3).map(|index| format!("{name}{index}.example.com")).collect();
        feed.write_ingresses(&[(name, "internal", &hosts)]);
        feed.started()
    });
    let names = ["a", "b", "c"].map(|name| (0..3).map(move |index| format!("{name}{index}.example.com")));
    let expected: Vec<String> = names.into_iter().flatten().map(|host| cname(&host)).collect();
    eventually_within(Duration::from_secs(90), "nothing is changed any more", async || {
        let before = route53.count("ListResourceRecordSets");
        tokio::time::sleep(Duration::from_secs(3)).await;
        let quiet = route53.records("Z1").len() == 9 && route53.count("ListResourceRecordSets") > before + 3;
        let calls = route53.calls();
        let changes = calls.iter().filter(|call| call.operation == "ChangeResourceRecordSets").count();
        if quiet && changes == 0 { Ok(()) } else { Err(format!("{changes} {:#?}", route53.records("Z1"))) }
    })
    .await;
    wait_records(&route53, "Z1", expected).await;
    for feed in &feeds {
        wait_unhealthy(feed, &["another writer changes", "example.com (Z1)", "--owner-id"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_changed_back_twice_is_left_alone() {
    let route53 = route53().await;
    let feed = keeper(&route53).flag("--resync-period=1s");
    feed.write_ingresses(&[("web", "internal", &hosts(0..2))]);
    let feed = feed.started();
    let ours: Vec<String> = hosts(0..2).iter().map(|host| cname(host)).collect();
    for _ in 0..2 {
        wait_records(&route53, "Z1", ours.clone()).await;
        route53.put("Z1", to("theirs.example.net", "00.example.com"));
    }
    wait_unhealthy(&feed, &["`00.example.com`", "another writer"]).await;
    wait_diagnostics(&feed, &["ContestedRecord web"]).await;
    settle(&route53).await;
    let theirs = to("theirs.example.net", "00.example.com").to_string();
    wait_records(&route53, "Z1", vec![theirs, ours[1].clone()]).await;
    route53.put("Z1", to("lb.example.net", "00.example.com"));
    wait_healthy(&feed).await;
}

/// The TXT record beside a CNAME.
fn entry(owner: &str, host: &str, ingress: &str) -> Record {
    let value = format!(
        "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/{ingress}\""
    );
    Record::values("TXT", &format!("cname-{host}"), &[&value])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn owners_never_touch_each_others_records() {
    let route53 = route53().await;
    let start = |owner: &str, hosts: &[&str]| {
        let feed = keeper(&route53).flag("--resync-period=1s").flag(&format!("--owner-id={owner}"));
        feed.write_ingresses(&[(owner, "internal", hosts)]);
        feed.started()
    };
    let of_nobody = to("lb.example.net", "old.example.com");
    let of_a_service = [
        to("elsewhere.example.net", "service.example.com"),
        Record::values(
            "TXT",
            "cname-service.example.com",
            &["\"heritage=external-dns,external-dns/owner=a,external-dns/resource=service/ns/s\""],
        ),
    ];
    for record in of_a_service.iter().chain([&of_nobody]) {
        route53.put("Z1", record.clone());
    }
    let a = start("a", &["a.example.com", "*.example.com", "old.example.com"]);
    let mut expected = vec![
        cname("a.example.com"),
        entry("a", "a.example.com", "a").to_string(),
        cname("*.example.com"),
        entry("a", "*.example.com", "a").to_string(),
        of_nobody.to_string(),
    ];
    expected.extend(of_a_service.iter().map(ToString::to_string));
    wait_records(&route53, "Z1", expected.clone()).await;
    wait_diagnostics(&a, &["RecordOfAnother a"]).await;
    let b = start("b", &["b.example.com", "a.example.com"]);
    expected.extend([cname("b.example.com"), entry("b", "b.example.com", "b").to_string()]);
    wait_records(&route53, "Z1", expected.clone()).await;
    wait_diagnostics(&b, &["RecordOfAnother b"]).await;
    settle(&route53).await;

    // Both go in one call, and come in one.
    route53.calls();
    b.write_ingresses(&[("b", "internal", &["c.example.com"])]);
    expected.truncate(expected.len() - 2);
    expected.extend([cname("c.example.com"), entry("b", "c.example.com", "b").to_string()]);
    wait_records(&route53, "Z1", expected).await;
    let calls = route53.calls();
    let changes: Vec<usize> = calls.iter().map(|call| call.changes).filter(|changes| *changes > 0).collect();
    assert_eq!(changes, [2, 2]);
    assert_eq!((a.admin("/health").await.0, b.admin("/health").await.0), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_external_dns_with_the_same_owner_are_taken_over() {
    let route53 = route53().await;
    route53.put("Z1", to("old-lb.example.net", "kept.example.com"));
    route53.put("Z1", entry("eu", "kept.example.com", "web"));
    route53.put("Z1", Record::values("A", "gone.example.com", &["192.0.2.1"]));
    let value = "\"heritage=external-dns,external-dns/owner=eu,external-dns/resource=ingress/shop/web\"";
    route53.put("Z1", Record::values("TXT", "gone.example.com", &[value]));
    let feed = keeper(&route53).flag("--owner-id=eu");
    feed.write_ingresses(&[("web", "internal", &["kept.example.com"])]);
    let plan = String::from_utf8(feed.plan(&[]).stdout).unwrap();
    assert!(plan.ends_with("0 to create, 1 to change, 2 to delete.\n"), "{plan}");
    let _feed = feed.started();
    let expected = vec![cname("kept.example.com"), entry("eu", "kept.example.com", "web").to_string()];
    wait_records(&route53, "Z1", expected).await;
}
