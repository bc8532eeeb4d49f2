//! What is not ours, and hosts that cannot have a record.

use feed_tests::{FeedDns, Record, Route53, eventually};
use serde_json::Value;

use crate::world::{cname, keeper, route53, wait_records};

/// Record sets of other systems, with every routing policy and many types.
fn theirs() -> Vec<Record> {
    let routed = |name: &str, routing: &str| {
        Record::values("A", name, &["192.0.2.1"]).routed(&format!("set-{name}"), routing)
    };
    vec![
        routed("weighted.example.com", "<Weight>7</Weight>"),
        routed("latency.example.com", "<Region>eu-west-1</Region>"),
        routed("failover.example.com", "<Failover>PRIMARY</Failover>"),
        routed("geo.example.com", "<GeoLocation><CountryCode>DE</CountryCode></GeoLocation>"),
        routed(
            "proximity.example.com",
            "<GeoProximityLocation><AWSRegion>eu-west-1</AWSRegion><Bias>1</Bias></GeoProximityLocation>",
        ),
        routed(
            "cidr.example.com",
            "<CidrRoutingConfig><CollectionId>c</CollectionId><LocationName>*</LocationName></CidrRoutingConfig>",
        ),
        routed("multi.example.com", "<MultiValueAnswer>true</MultiValueAnswer>"),
        // It points to our endpoint, but has a policy: not ours.
        Record::values("CNAME", "ours-weighted.example.com", &["lb.example.net"])
            .routed("one", "<Weight>1</Weight>"),
        Record::values("TXT", "txt.example.com", &["\"some text & <more>\""]),
        Record::values("MX", "mail.example.com", &["10 lb.example.net"]),
        Record::values("NS", "delegated.example.com", &["lb.example.net"]),
        Record::values("SRV", "_sip._tcp.example.com", &["1 1 80 lb.example.net"]),
        Record::values("CAA", "example.com", &["0 issue \"ca.example.net\""]),
        Record::values("A", "plain.example.com", &["192.0.2.1", "192.0.2.2"]),
        Record::values("CNAME", "elsewhere.example.com", &["elsewhere.example.net"]),
        Record::alias("A", "alias.example.com", "their-lb.eu-west-1.elb.amazonaws.com"),
        Record::values("TXT", "odd!name.example.com", &["\"escaped\""]),
    ]
}

fn codes(status: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let diagnostics = status["diagnostics"].as_array().cloned().unwrap_or_default();
    let host = |message: &str| message.split('`').nth(1).unwrap_or_default().to_owned();
    diagnostics.iter().map(|it| (text(&it["code"]), host(&text(&it["message"])))).collect()
}

/// Waits until `/status` has these diagnostics: code and host.
async fn wait_codes(feed: &FeedDns, expected: &[(&str, &str)]) {
    let mut expected: Vec<_> =
        expected.iter().map(|(code, host)| ((*code).to_owned(), (*host).to_owned())).collect();
    expected.sort();
    eventually("the diagnostics are told", async || {
        let mut found = codes(&feed.status().await);
        found.sort();
        if found == expected { Ok(()) } else { Err(format!("{found:#?}")) }
    })
    .await;
}

#[tokio::test]
async fn records_of_others_stay_as_they_are() {
    let route53 = route53().await;
    route53.set_page_size(4);
    let theirs = theirs();
    for record in &theirs {
        route53.put("Z1", record.clone());
    }
    route53.put("Z1", Record::values("CNAME", "gone.example.com", &["LB.example.net."]));
    let feed = keeper(&route53);
    feed.write_ingresses(&[(
        "web",
        "internal",
        &[
            "new.example.com",
            "*.example.com",
            "weighted.example.com",
            "multi.example.com",
            "txt.example.com",
            "mail.example.com",
            "example.com",
            "plain.example.com",
            "alias.example.com",
        ],
    )]);
    let mut feed = feed.started();
    let replaced = ["plain.example.com.", "alias.example.com."];
    let mut expected: Vec<String> = theirs
        .iter()
        .filter(|record| !replaced.contains(&record.name.as_str()))
        .map(ToString::to_string)
        .collect();
    expected
        .extend(["new.example.com", "*.example.com", "plain.example.com", "alias.example.com"].map(cname));
    wait_records(&route53, "Z1", expected.clone()).await;
    let diagnostics = [
        ("RoutingPolicyInTheWay", "weighted.example.com"),
        ("RoutingPolicyInTheWay", "multi.example.com"),
        ("CnameNotPossible", "txt.example.com"),
        ("CnameNotPossible", "mail.example.com"),
        ("CnameNotPossible", "example.com"),
    ];
    wait_codes(&feed, &diagnostics).await;

    // Listed again, escaped names and all, there is nothing to do.
    assert!(feed.stop().await.success());
    route53.calls();
    feed.start();
    wait_codes(&feed, &diagnostics).await;
    assert_eq!(route53.count("ChangeResourceRecordSets"), 0);
    wait_records(&route53, "Z1", expected).await;
}

#[tokio::test]
async fn hosts_that_cannot_have_a_record_are_told_and_counted() {
    let route53 = route53().await;
    let feed = keeper(&route53);
    let long = format!("{}.example.com", "l".repeat(64));
    let ingress = |name: &str, created: &str, annotations: &str, hosts: &[&str]| {
        let rules: Vec<String> = hosts.iter().map(|host| format!("{{host: \"{host}\"}}")).collect();
        format!(
            "kind: Ingress\napiVersion: networking.k8s.io/v1\nmetadata: {{name: {name}, namespace: ns, \
             creationTimestamp: {created}, annotations: {annotations}}}\nspec: {{rules: [{}]}}\n",
            rules.join(", ")
        )
    };
    let internal = "{sky.uk/frontend-scheme: internal}";
    let documents = [
        ingress("older", "2026-01-01T00:00:00Z", internal, &["a.example.com", &long, "x.example.net"]),
        ingress(
            "younger",
            "2026-01-02T00:00:00Z",
            "{sky.uk/frontend-scheme: internet-facing}",
            &["a.example.com", "b.example.com"],
        ),
        ingress("without", "2026-01-02T00:00:00Z", "{}", &["c.example.com"]),
    ];
    feed.write_manifest("ingresses.yaml", &documents.join("---\n"));
    let feed = feed.started();
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    wait_codes(
        &feed,
        &[
            // Its message quotes the host otherwise.
            ("InvalidHost", "-"),
            ("HostInNoZone", "x.example.net"),
            ("ConflictingFrontendScheme", "a.example.com"),
            ("NoLoadBalancer", "b.example.com"),
            ("MissingFrontendScheme", "c.example.com"),
        ],
    )
    .await;
    assert_eq!(feed.metric("skipped_ingress_entries{zone=\"example.com\"}").await, Some(2.0));
    assert_eq!(feed.metric("skipped_ingress_entries{zone=\"\"}").await, Some(2.0));
    assert_eq!(feed.admin("/health").await.0, 200, "an author's mistake is not the operator's");
}

#[tokio::test]
async fn overlapping_zones_have_each_their_own_hosts() {
    let route53 = Route53::start().await;
    route53.create_zone("ZPUBLIC", "example.com", false);
    route53.create_zone("ZPRIVATE", "example.com", true);
    route53.create_zone("ZSUB", "sub.example.com", false);
    let flags = [
        "--r53-hosted-zone=ZPUBLIC,ZPRIVATE,/hostedzone/ZSUB",
        "--internal-hostname=lb.example.net",
        "--external-hostname=LB-out.example.net",
        "--cname-ttl=1m",
    ];
    let feed = FeedDns::new(&route53.url(), &flags);
    feed.write_ingresses(&[
        ("in", "internal", &["a.example.com", "a.sub.example.com", "sub.example.com.test"]),
        ("out", "internet-facing", &["b.example.com", "a.example.com", "b.sub.example.com"]),
    ]);
    let feed = feed.started();
    let record = |name: &str, target: &str| {
        Record::values("CNAME", name, &[target]).to_string().replace(" 300 ", " 60 ")
    };
    let public = ["a.example.com", "b.example.com"].map(|name| record(name, "lb-out.example.net")).to_vec();
    wait_records(&route53, "ZPUBLIC", public).await;
    wait_records(&route53, "ZPRIVATE", vec![record("a.example.com", "lb.example.net")]).await;
    let sub = vec![
        record("a.sub.example.com", "lb.example.net"),
        record("b.sub.example.com", "lb-out.example.net"),
    ];
    wait_records(&route53, "ZSUB", sub).await;
    wait_codes(&feed, &[("HostInNoZone", "sub.example.com.test")]).await;
}
