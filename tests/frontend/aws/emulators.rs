//! Against emulators of AWS that others have made, and failures as AWS has them.

use std::time::Duration;

use feed_tests::{AwsEmulator, Backend, FeedBuilder, NginxBinary, Request, eventually, eventually_within};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{OURS, feed, route, wait_said};

const INSTANCE: &str = "i-0123456789abcdef0";
const ADDRESS: &str = "10.1.2.3";

/// Tags, as AWS takes them.
fn tags() -> Value {
    OURS.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// A classic load balancer.
fn create_classic(moto: &AwsEmulator) {
    let listener = json!({"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80});
    let create = json!({
        "LoadBalancerName": "classic", "Listeners": [listener], "AvailabilityZones": ["eu-west-1a"],
        "Scheme": "internal", "Tags": tags(),
    });
    moto.call(&[("elb", "create_load_balancer", create)]);
}

/// A load balancer of the other API, whose listener forwards to a group of targets of that type; returns the group's ARN.
fn create_v2(moto: &AwsEmulator, kind: &str, target_type: &str) -> String {
    let protocol = if kind == "network" { "TCP" } else { "HTTP" };
    let mut answers =
        moto.call(&[("ec2", "describe_subnets", json!({})), ("ec2", "describe_vpcs", json!({}))]);
    let vpc = answers.remove(1)["Vpcs"][0]["VpcId"].clone();
    let subnets: Vec<Value> =
        answers[0]["Subnets"].as_array().unwrap().iter().map(|it| it["SubnetId"].clone()).collect();
    let balancer = json!({
        "Name": kind, "Type": kind, "Scheme": "internet-facing", "Subnets": subnets[..2], "Tags": tags(),
    });
    let group = json!({
        "Name": format!("{kind}-{target_type}"), "Protocol": protocol, "Port": 80, "VpcId": vpc,
        "TargetType": target_type,
    });
    let made =
        moto.call(&[("elbv2", "create_load_balancer", balancer), ("elbv2", "create_target_group", group)]);
    let group = made[1]["TargetGroups"][0]["TargetGroupArn"].clone();
    let listener = json!({
        "LoadBalancerArn": made[0]["LoadBalancers"][0]["LoadBalancerArn"], "Protocol": protocol, "Port": 80,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
    });
    moto.call(&[("elbv2", "create_listener", listener)]);
    group.as_str().unwrap().to_owned()
}

/// The instances of the classic load balancer.
fn instances(moto: &AwsEmulator) -> Vec<Value> {
    let answer = moto.call(&[("elb", "describe_load_balancers", json!({}))]).remove(0);
    answer["LoadBalancerDescriptions"][0]["Instances"].as_array().unwrap().clone()
}

/// The targets of a group.
fn targets(moto: &AwsEmulator, group: &str) -> Vec<Value> {
    let answer =
        moto.call(&[("elbv2", "describe_target_health", json!({"TargetGroupArn": group}))]).remove(0);
    let health = answer["TargetHealthDescriptions"].as_array().unwrap();
    health.iter().map(|it| it["Target"]["Id"].clone()).collect()
}

fn builder(aws: &AwsEmulator, nginx: &NginxBinary, kind: &str, flag: (&str, &str)) -> FeedBuilder {
    feed(&aws.url(), nginx)
        .command(kind)
        .flag(flag.0, flag.1)
        .flag("--instance-id", INSTANCE)
        .flag("--instance-ip", ADDRESS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_joins_and_leaves() {
    let (Some(nginx), Some(moto)) = (NginxBinary::system(), AwsEmulator::moto().await) else { return };
    create_classic(&moto);
    let network = create_v2(&moto, "network", "ip");
    let application = create_v2(&moto, "application", "instance");
    let classic = builder(&moto, &nginx, "elb", ("--elb-frontend-tag-value", "main"));
    let network_feed = builder(&moto, &nginx, "nlb", ("--nlb-frontend-tag-value", "main"));
    let application_feed =
        builder(&moto, &nginx, "alb", ("--alb-target-group-names", "application-instance"));
    let mut feeds = [
        classic.flag("--elb-expected-number", "1").flag("--drain-delay", "1s").ready().await,
        network_feed.flag("--nlb-expected-number", "1").flag("--drain-delay", "1s").ready().await,
        application_feed.flag("--alb-target-group-deregistration-delay", "1s").ready().await,
    ];
    assert_eq!(instances(&moto), [json!({"InstanceId": INSTANCE})]);
    assert_eq!(targets(&moto, &network), [json!(ADDRESS)]);
    assert_eq!(targets(&moto, &application), [json!(INSTANCE)]);
    for (feed, scheme) in feeds.iter().zip(["internal", "internet-facing", "internet-facing"]) {
        let frontends = feed.status().await["frontends"].clone();
        assert_eq!(frontends["endpoints"][0]["scheme"], scheme, "{frontends}");
        assert_eq!(feed.admin("/health").await.unwrap().status, 200);
    }
    for feed in &mut feeds {
        feed.signal(Signal::SIGTERM);
        assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0));
    }
    assert_eq!(instances(&moto), [] as [Value; 0]);
    assert_eq!(targets(&moto, &network), [] as [Value; 0]);
    assert_eq!(targets(&moto, &application), [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttling_errors_resets_and_halves_of_answers_are_outlived() {
    let (Some(nginx), Some(moto)) = (NginxBinary::system(), AwsEmulator::moto().await) else { return };
    let Some(microburst) = AwsEmulator::microburst(&moto).await else { return };
    create_classic(&moto);
    // The proxy calls both APIs by the newer one's name. Once, halves come more often than the client tries by itself.
    let rules = json!([
        {"service": "elbv2", "operation": "DescribeLoadBalancers", "times": 4,
         "response": {"truncate_frac": 0.5}},
        {"service": "elbv2", "operation": "DescribeTags", "times": 2,
         "error": {"status": 400, "code": "Throttling", "message": "Rate exceeded"}},
        {"service": "elbv2", "operation": "DescribeInstanceHealth", "times": 1, "reset": true},
        {"service": "elbv2", "operation": "RegisterInstancesWithLoadBalancer", "times": 1,
         "error": {"status": 500, "code": "InternalFailure"}},
    ]);
    let address = microburst.url().trim_start_matches("http://").parse().unwrap();
    let request = Request::new("POST", "/_microburst/rules")
        .header("Host", "localhost")
        .header("Content-Type", "application/json")
        .body(rules.to_string());
    let answer = request.send(address).await.unwrap();
    assert_eq!(answer.status / 100, 2, "{}", answer.text());

    let backend = Backend::http("a").await;
    let builder = builder(&microburst, &nginx, "elb", ("--elb-frontend-tag-value", "main"));
    let mut feed = builder
        .flag("--elb-expected-number", "1")
        .flag("--drain-delay", "1s")
        .manifest("all.yaml", &route(&backend))
        .spawn();
    feed.wait_status(200, "a.test", "/").await;
    eventually_within(Duration::from_mins(1), "it is joined", async || {
        match feed.admin("/readiness").await.unwrap() {
            ready if ready.status == 200 => Ok(()),
            other => Err(other.text()),
        }
    })
    .await;
    wait_said(&feed, "/health", 200, &[]).await;
    assert_eq!(instances(&moto), [json!({"InstanceId": INSTANCE})]);
    let fired = Request::get("localhost", "/_microburst/fired").send(address).await.unwrap().text();
    assert_eq!(fired.matches("\"operation\"").count(), 8, "{fired}\n{}", feed.metrics().await);
    assert!(feed.log().contains("the answer was cut off"), "{}", feed.log());

    feed.signal(Signal::SIGTERM);
    assert_eq!(feed.wait_exit(Duration::from_secs(20)).await.code(), Some(0));
    eventually("it is left", async || match instances(&moto) {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    })
    .await;
}
