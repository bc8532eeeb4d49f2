//! Against emulators of AWS: load balancers of every kind, pages, and failures as AWS has them.

use std::time::Duration;

use feed_tests::{AwsEmulator, FeedDns, Request, eventually, eventually_within};
use serde_json::{Value, json};

const TAG: &str = "sky.uk/KubernetesClusterFrontend";

/// Makes a hosted zone; returns its id.
fn create_zone(aws: &AwsEmulator, name: &str) -> String {
    let answer =
        aws.call(&[("route53", "create_hosted_zone", json!({"Name": name, "CallerReference": name}))]);
    answer[0]["HostedZone"]["Id"].as_str().unwrap().trim_start_matches("/hostedzone/").to_owned()
}

/// The record sets of a zone but NS and SOA, as `NAME TYPE TARGET`.
fn records(aws: &AwsEmulator, zone: &str) -> Vec<String> {
    let mut records = Vec::new();
    let mut parameters = json!({"HostedZoneId": zone});
    loop {
        let answer = aws.call(&[("route53", "list_resource_record_sets", parameters.clone())]).remove(0);
        for set in answer["ResourceRecordSets"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap_or_default().trim_end_matches('.').to_owned();
            let target = match &set["AliasTarget"] {
                Value::Null => text(&set["ResourceRecords"][0]["Value"]),
                target => format!("alias {} {}", text(&target["HostedZoneId"]), text(&target["DNSName"])),
            };
            if set["Type"] != "NS" && set["Type"] != "SOA" {
                records.push(format!("{} {} {target}", text(&set["Name"]), text(&set["Type"])));
            }
        }
        if answer["IsTruncated"] != true {
            records.sort();
            return records;
        }
        parameters["StartRecordName"] = answer["NextRecordName"].clone();
        parameters["StartRecordType"] = answer["NextRecordType"].clone();
    }
}

#[track_caller]
fn wait_records(aws: &AwsEmulator, zone: &str, mut expected: Vec<String>) -> impl Future<Output = ()> {
    expected.sort();
    eventually("the zone holds what it should", async move || {
        let found = records(aws, zone);
        if found == expected { Ok(()) } else { Err(format!("{found:#?}")) }
    })
}

/// Sixty classic load balancers, of which one, on the second page, has the tag with the right value.
fn create_classic(moto: &AwsEmulator) {
    let mut calls = Vec::new();
    for index in 0..60 {
        let name = format!("classic-{index:02}");
        let listener = json!({"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80});
        let create = json!({
            "LoadBalancerName": name, "Listeners": [listener], "AvailabilityZones": ["eu-west-1a"],
        });
        let value = if index == 57 { "feed" } else { "other" };
        let tags = json!({"LoadBalancerNames": [name], "Tags": [{"Key": TAG, "Value": value}]});
        calls.push(("elb", "create_load_balancer", create));
        calls.push(("elb", "add_tags", tags));
    }
    moto.call(&calls);
}

/// A network or application load balancer; returns its DNS name.
fn create_v2(
    moto: &AwsEmulator,
    kind: &str,
    name: &str,
    scheme: &str,
    ip_address_type: &str,
    tag: Option<&str>,
) -> String {
    let subnets = moto.call(&[("ec2", "describe_subnets", json!({}))]).remove(0);
    let subnets: Vec<&Value> =
        subnets["Subnets"].as_array().unwrap().iter().map(|it| &it["SubnetId"]).collect();
    let mut create = json!({
        "Name": name, "Type": kind, "Scheme": scheme, "IpAddressType": ip_address_type, "Subnets": &subnets[..2],
    });
    if let Some(value) = tag {
        create["Tags"] = json!([{"Key": TAG, "Value": value}]);
    }
    let answer = moto.call(&[("elbv2", "create_load_balancer", create)]).remove(0);
    answer["LoadBalancers"][0]["DNSName"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_balancers_are_found_by_tag_and_by_name() {
    let (Some(moto), Some(ministack)) = (AwsEmulator::moto().await, AwsEmulator::ministack().await) else {
        return;
    };
    create_classic(&moto);
    let network = create_v2(&moto, "network", "nlb", "internal", "dualstack", Some("feed"));
    create_v2(&moto, "network", "nlb-other", "internal", "ipv4", Some("other"));
    create_v2(&moto, "application", "alb", "internet-facing", "ipv4", Some("feed"));
    let zone = create_zone(&ministack, "example.com");
    let feed = FeedDns::new(&ministack.url(), &[&format!("--r53-hosted-zone={zone}")])
        .variable("AWS_ENDPOINT_URL", &moto.url())
        .flag("--elb-label-value=feed");
    feed.write_ingresses(&[
        ("in", "internal", &["in.example.com", "*.in.example.com"]),
        ("out", "internet-facing", &["out.example.com", "example.com"]),
    ]);
    let mut feed = feed.started();
    let classic = "alias Z32O12XQLNTSW2 classic-57.us-east-1.elb.amazonaws.com";
    let network = format!("alias Z2P70J7EXAMPLE {network}");
    let expected = vec![
        format!("example.com A {classic}"),
        format!("out.example.com A {classic}"),
        format!("in.example.com A {network}"),
        format!("in.example.com AAAA {network}"),
        format!("*.in.example.com A {network}"),
        format!("*.in.example.com AAAA {network}"),
    ];
    wait_records(&ministack, &zone, expected).await;
    assert_eq!(feed.admin("/health").await, (200, "ok\n".to_owned()));
    let calls = async |service: &str, operation: &str| {
        let sample =
            format!("aws_requests_total{{service=\"{service}\",operation=\"{operation}\",outcome=\"ok\"}}");
        feed.metric(&sample).await
    };
    assert_eq!(calls("Elastic Load Balancing", "DescribeLoadBalancers").await, Some(2.0), "all pages");
    assert_eq!(calls("Elastic Load Balancing", "DescribeTags").await, Some(3.0), "20 names a call");
    assert_eq!(calls("Elastic Load Balancing v2", "DescribeTags").await, Some(1.0));

    // By name; one that does not exist is told, and a second one of a scheme too.
    assert!(feed.stop().await.success());
    let feed = feed.flag("--alb-names=alb,missing").started();
    eventually("what is wrong is told", async || {
        let (_, text) = feed.admin("/health").await;
        let told = text.contains("There is no load balancer named missing.")
            && text.contains("gets no records, since")
            && text.contains("is internet-facing too and in use");
        if told { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_reads_every_page_and_changes_nothing() {
    let Some(ministack) = AwsEmulator::ministack().await else { return };
    let zone = create_zone(&ministack, "example.com");
    let flags = [&format!("--r53-hosted-zone={zone}"), "--internal-hostname=lb.example.net"];
    let feed = FeedDns::new(&ministack.url(), &flags);
    let hosts: Vec<String> = (0..700).map(|index| format!("host-{index}.example.com")).collect();
    feed.write_ingresses(&[("web", "internal", &hosts)]);
    assert_eq!(feed.plan(&[]).status.code(), Some(2));
    let mut feed = feed.started();
    let expected: Vec<String> = hosts.iter().map(|host| format!("{host} CNAME lb.example.net")).collect();
    wait_records(&ministack, &zone, expected.clone()).await;
    assert!(feed.stop().await.success());
    assert_eq!(feed.plan(&[]).status.code(), Some(0));

    feed.start();
    eventually("everything is known again", async || {
        let status = feed.status().await;
        if status["zones"][0]["owned_records"] == 700 { Ok(()) } else { Err(status) }
    })
    .await;
    let calls = async |operation: &str| {
        let sample =
            format!("aws_requests_total{{service=\"Route 53\",operation=\"{operation}\",outcome=\"ok\"}}");
        feed.metric(&sample).await
    };
    assert_eq!(calls("ListResourceRecordSets").await, Some(3.0));
    assert_eq!(calls("ChangeResourceRecordSets").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_on_the_way_are_outlived() {
    let Some(ministack) = AwsEmulator::ministack().await else { return };
    let Some(microburst) = AwsEmulator::microburst(&ministack).await else { return };
    let zone = create_zone(&ministack, "example.com");
    // The proxy does not recognise ChangeResourceRecordSets: the first three hit what comes first.
    let rules = json!([
        {"service": "route53", "times": 2,
         "error": {"status": 400, "code": "Throttling", "message": "Rate exceeded"}},
        {"service": "route53", "operation": "GetHostedZone", "times": 1, "reset": true},
        {"service": "route53", "operation": "ListResourceRecordSets", "times": 1,
         "error": {"status": 500, "code": "InternalFailure"}},
        {"service": "route53", "operation": "ListResourceRecordSets", "times": 1,
         "response": {"truncate_frac": 0.5}},
    ]);
    let address = microburst.url().trim_start_matches("http://").parse().unwrap();
    let request = Request::new("POST", "/_microburst/rules")
        .header("Host", "localhost")
        .header("Content-Type", "application/json")
        .body(rules.to_string());
    let answer = request.send(address).await.unwrap();
    assert_eq!(answer.status / 100, 2, "{}", answer.text());

    let flags = [&format!("--r53-hosted-zone={zone}"), "--internal-hostname=lb.example.net"];
    let feed = FeedDns::new(&microburst.url(), &flags);
    feed.write_ingresses(&[("web", "internal", &["a.example.com"])]);
    let feed = feed.started();
    // The proxy's first answer takes long, and each of the retries its time.
    eventually_within(Duration::from_mins(1), "the record is made, and all is well", async || {
        let health = feed.admin("/health").await;
        let done = records(&ministack, &zone) == ["a.example.com CNAME lb.example.net"] && health.0 == 200;
        if done { Ok(()) } else { Err(health.1) }
    })
    .await;
    let fired = Request::get("localhost", "/_microburst/fired").send(address).await.unwrap().text();
    let metrics = feed.admin("/metrics").await.1;
    let requests: Vec<&str> = metrics.lines().filter(|line| line.contains("aws_requests_total{")).collect();
    assert_eq!(fired.matches("\"operation\"").count(), 5, "{fired}\n{requests:#?}");
    assert!(feed.log().contains("the answer was cut off"), "{}", feed.log());
}
