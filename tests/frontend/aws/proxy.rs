//! Closed networks, in which AWS is reached by a proxy only.

use std::fs;

use feed_tests::{Elb, NginxBinary, Proxy, eventually};

use super::{ADDRESS, ELB, INSTANCE, KINDS, feed, wait_logged, wait_targets};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aws_is_reached_by_the_proxy() {
    let Some(nginx) = NginxBinary::system() else { return };
    for variable in ["HTTP_PROXY", "http_proxy"] {
        for kind in KINDS {
            let elb = Elb::start().await;
            kind.create(&elb);
            let proxy = Proxy::to(elb.address()).await;
            // The name cannot be resolved here.
            let feed = feed("http://elb.test", &nginx)
                .command(kind.command)
                .flag(kind.flag.0, kind.flag.1)
                .flag("--instance-id", INSTANCE)
                .flag("--instance-ip", ADDRESS)
                .variable(variable, &proxy.url())
                .variable("NO_PROXY", "10.0.0.0/8,.example.com")
                .ready()
                .await;
            wait_targets(&elb, kind.holder, &[(kind.target, "healthy")]).await;
            assert!(
                proxy.targets().iter().all(|target| target == "POST http://elb.test/"),
                "{:?}",
                proxy.targets()
            );
            drop(feed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_goes_by_the_proxy_for_https() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    let proxy = Proxy::to(elb.address()).await;
    let _feed = feed("https://elb.test", &nginx)
        .command("elb")
        .flag("--elb-frontend-tag-value", "main")
        .variable("HTTP_PROXY", NOWHERE)
        .variable("HTTPS_PROXY", &proxy.url())
        .spawn();
    eventually("the proxy is asked", async || match proxy.targets().first().cloned() {
        Some(target) if target == "CONNECT elb.test:443" => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_excepted_is_reached_without() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (variable, value) in [("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.0/8"), ("NO_PROXY", "*")] {
        let elb = Elb::start().await;
        ELB.create(&elb);
        let feed = ELB.feed(&elb, &nginx).variable("HTTP_PROXY", NOWHERE).variable(variable, value);
        let _feed = feed.ready().await;
        wait_targets(&elb, "edge", &[(ELB.target, "healthy")]).await;
    }
    // Without that it would be asked for by the proxy.
    let elb = Elb::start().await;
    ELB.create(&elb);
    let feed = ELB.feed(&elb, &nginx).variable("HTTP_PROXY", NOWHERE).spawn();
    wait_logged(&feed, &["the load balancers are not known yet: DescribeLoadBalancers (classic) failed"])
        .await;
    assert_eq!(elb.calls().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_is_reached_without() {
    let Some(nginx) = NginxBinary::system() else { return };
    let elb = Elb::start().await;
    ELB.create(&elb);
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    fs::write(kubeconfig.path(), super::killed::KUBECONFIG).unwrap();
    let feed = ELB.feed(&elb, &nginx).kubeconfig(kubeconfig.path());
    let feed = feed.variable("HTTPS_PROXY", "http://127.0.0.1:2").variable("NO_PROXY", "127.0.0.1").spawn();
    wait_logged(&feed, &["The cluster is not followed", "onnection refused"]).await;
}
