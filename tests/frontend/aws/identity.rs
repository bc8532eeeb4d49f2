//! Who we are: by flags, or by the metadata service of EC2.

use feed_tests::{AwsEmulator, Backend, Elb, NginxBinary, free_port};

use super::{feed, route, wait_said, wait_targets};

/// Without flags that say who we are: `elb`, and `nlb` with groups of both types.
fn builders(elb: &Elb, nginx: &NginxBinary, metadata: &str) -> [feed_tests::FeedBuilder; 2] {
    elb.create_classic("edge", "internal", &super::OURS);
    elb.create_network("edge-2", "internal", &super::OURS);
    elb.create_group("pods", "ip", &["edge-2"]);
    elb.create_group("nodes", "instance", &["edge-2"]);
    ["elb", "nlb"].map(|kind| {
        feed(&elb.url(), nginx)
            .command(kind)
            .flag(&format!("--{kind}-frontend-tag-value"), "main")
            .flag("--drain-delay", "2s")
            .variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metadata_service_says_who_we_are() {
    let (Some(nginx), Some(ministack)) = (NginxBinary::system(), AwsEmulator::ministack().await) else {
        return;
    };
    let elb = Elb::start().await;
    let [classic, network] = builders(&elb, &nginx, &ministack.url());
    let _classic = classic.ready().await;
    let _network = network.ready().await;
    let instance = elb.targets("edge").into_keys().next().unwrap();
    assert!(instance.starts_with("i-"), "{instance}");
    wait_targets(&elb, "nodes", &[(&instance, "healthy")]).await;
    let address = elb.targets("pods").into_keys().next().unwrap();
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok(), "{address}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_metadata_service_the_flags_are_named_and_nginx_serves() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let backend = Backend::http("a").await;
    let [classic, network] = builders(&elb, &nginx, &nowhere);
    let classic = classic.manifest("all.yaml", &route(&backend)).flag("--elb-ready-timeout", "2s").spawn();
    let network = network.flag("--instance-id", "i-1").spawn();
    classic.wait_status(200, "a.test", "/").await;
    let sentence = "the id of this EC2 instance is not known, as the metadata service does not tell it";
    wait_said(&classic, "/readiness", 503, &[sentence, "--instance-id gives it"]).await;
    wait_said(&classic, "/health", 500, &[sentence]).await;
    assert!(elb.targets("edge").is_empty());
    // The groups of instances are joined although those of addresses cannot be.
    wait_targets(&elb, "nodes", &[("i-1", "healthy")]).await;
    wait_said(
        &network,
        "/readiness",
        503,
        &["the IP address of this pod is not known", "--instance-ip gives it"],
    )
    .await;
    assert_eq!(classic.get("a.test", "/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_flags_say_is_not_asked_for() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let [classic, network] = builders(&elb, &nginx, &nowhere);
    let _classic = classic.flag("--instance-id", "i-1").ready().await;
    let _network = network.flag("--instance-id", "i-1").flag("--instance-ip", "10.0.0.1").ready().await;
    for (holder, target) in [("edge", "i-1"), ("nodes", "i-1"), ("pods", "10.0.0.1")] {
        wait_targets(&elb, holder, &[(target, "healthy")]).await;
    }
}
