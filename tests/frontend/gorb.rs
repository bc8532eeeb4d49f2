//! `feed-ingress gorb`.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use feed_tests::{Feed, FeedBuilder, Gorb, NginxBinary, Request, eventually, in_network_namespace};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::loopback::{addresses, has_address, run};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// The backend that `--gorb-ingress-instance-ip=10.0.0.1` gives the service `web`.
const NODE: &str = "node-web-10.0.0.1";

/// Where the kernel has it for one interface, which a namespace has of its own.
const ARP: &str = "/proc/sys/net/ipv4/conf/lo";

/// A feed that is the backend of `web`, looks often, and drains briefly.
fn feed(nginx: &NginxBinary, gorb: &Gorb) -> FeedBuilder {
    feed_of(nginx, &gorb.url(), "web:8080")
}

fn feed_of(nginx: &NginxBinary, url: &str, services: &str) -> FeedBuilder {
    Feed::builder(nginx)
        .command("gorb")
        .flag("--gorb-endpoint", url)
        .flag("--gorb-ingress-instance-ip", "10.0.0.1")
        .flag("--gorb-services-definition", services)
        .flag("--drain-delay", "1s")
        .flag("--frontend-resync-period", "1s")
}

async fn wait_backend(gorb: &Gorb, what: &str, is_right: impl Fn(&Value) -> bool) {
    eventually(&format!("the backend is {what}"), async || {
        let backend = gorb.backend("web", NODE).unwrap_or_default();
        if is_right(&backend) { Ok(()) } else { Err(format!("{backend}: {:?}", gorb.trace())) }
    })
    .await;
}

/// What `/status` says of the first virtual service.
async fn error(feed: &Feed) -> String {
    feed.status().await["frontends"]["balancers"][0]["error"].to_string()
}

async fn end(mut feed: Feed) -> Option<i32> {
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_secs(30)).await;
    assert!(feed.nginx_masters().is_empty());
    exit.code()
}

#[tokio::test]
async fn what_is_put_is_what_the_flags_say() {
    let Some(nginx) = NginxBinary::system() else { return };
    let gorb = Gorb::start(LOOPBACK, &["web", "secure"]).await;
    let feed = feed_of(&nginx, &format!("{}/", gorb.url()), "web:80,secure:443").ready().await;
    let http =
        json!({"type": "http", "args": {"method": "GET", "path": "/", "expect": "404"}, "interval": "1s"});
    let expected =
        |port| json!({"host": "10.0.0.1", "port": port, "method": "dr", "weight": 1000, "pulse": http});
    assert_eq!(gorb.backend("web", NODE), Some(expected(80)));
    assert_eq!(gorb.backend("secure", "node-secure-10.0.0.1"), Some(expected(443)));
    let mut paths: Vec<_> =
        gorb.calls().into_iter().filter(|call| call.method == "PUT").map(|it| it.path).collect();
    paths.sort();
    assert_eq!(paths, ["/service/secure/node-secure-10.0.0.1", "/service/web/node-web-10.0.0.1"]);
    assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(2.0));
    assert_eq!(feed.metric("feed_ingress_frontends_expected").await, Some(2.0));
    assert_eq!(end(feed).await, Some(0));

    for (kind, pulse) in [
        ("tcp", json!({"type": "tcp", "args": {}, "interval": "1500ms"})),
        ("none", json!({"type": "none", "args": {}, "interval": "1500ms"})),
    ] {
        let feed = self::feed(&nginx, &gorb)
            .flag("--gorb-backend-method", "tunnel")
            .flag("--gorb-backend-weight", "7")
            .flag("--gorb-backend-healthcheck-type", kind)
            .flag("--gorb-backend-healthcheck-interval", "1500ms")
            .ready()
            .await;
        let expected =
            json!({"host": "10.0.0.1", "port": 8080, "method": "tunnel", "weight": 7, "pulse": pulse});
        assert_eq!(gorb.backend("web", NODE), Some(expected));
        assert_eq!(end(feed).await, Some(0));
    }
}

#[tokio::test]
async fn the_backend_is_kept_as_it_should_be_and_left_in_order() {
    let Some(nginx) = NginxBinary::system() else { return };
    let gorb = Gorb::start(LOOPBACK, &["web"]).await;
    let feed = feed(&nginx, &gorb).ready().await;
    assert_eq!(gorb.trace(), ["PUT 1000"]);
    let put = gorb.backend("web", NODE);

    gorb.meddle("web", NODE, |backend| *backend = Value::Null);
    wait_backend(&gorb, "put again", |backend| !backend.is_null()).await;
    gorb.meddle("web", NODE, |backend| backend["weight"] = json!(0));
    wait_backend(&gorb, "of full weight", |backend| backend["weight"] == 1000).await;
    gorb.meddle("web", NODE, |backend| backend["weight"] = json!(3));
    wait_backend(&gorb, "of full weight", |backend| backend["weight"] == 1000).await;
    gorb.meddle("web", NODE, |backend| backend["port"] = json!(81));
    wait_backend(&gorb, "of the right port", |backend| backend["port"] == 8080).await;
    assert_eq!(gorb.backend("web", NODE), put);
    assert_eq!(gorb.trace()[1..], ["PUT 1000", "PATCH 1000", "PATCH 1000", "DELETE", "PUT 1000"]);

    let calls = gorb.trace().len();
    assert_eq!(end(feed).await, Some(0));
    assert_eq!(gorb.trace()[calls..], ["PATCH 0", "DELETE"]);
    assert_eq!(gorb.backend("web", NODE), None);
}

#[tokio::test]
async fn a_request_is_tried_three_times() {
    let Some(nginx) = NginxBinary::system() else { return };
    let gorb = Gorb::start(LOOPBACK, &["web"]).await;
    gorb.fail("PUT", 500, 2);
    let feed = feed(&nginx, &gorb).ready().await;
    assert_eq!(gorb.trace(), ["PUT 1000", "PUT 1000", "PUT 1000"]);
    let statuses: Vec<_> =
        gorb.calls().iter().filter(|call| call.method == "PUT").map(|call| call.status).collect();
    assert_eq!(statuses, [500, 500, 200]);

    // For ever: the end says what is left.
    gorb.fail("DELETE", 500, usize::MAX);
    let mut feed = feed;
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_mins(1)).await;
    let log = feed.log();
    assert_eq!(exit.code(), Some(1), "{log}");
    assert!(log.contains("left while attached to web"), "{log}");
    assert!(log.contains(&format!("DELETE {}/service/web/{NODE}: Gorb says 500", gorb.url())), "{log}");
    assert_eq!(gorb.backend("web", NODE).unwrap()["weight"], 0);
}

/// What a killed process has left is left by the next one, although that never learns what is there.
#[tokio::test]
async fn what_a_killed_process_has_left_is_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    for fails in [false, true] {
        let gorb = Gorb::start(LOOPBACK, &["web"]).await;
        let mut feed = feed(&nginx, &gorb).ready().await;
        feed.kill();
        if fails {
            gorb.fail("LIST", 500, usize::MAX);
            gorb.fail("GET", 500, usize::MAX);
        }
        feed.start();
        eventually("it has begun", async || feed.admin("/alive").await.map(drop)).await;
        assert_eq!(end(feed).await, Some(0));
        assert_eq!(gorb.backend("web", NODE), None);
    }
}

#[tokio::test]
async fn without_gorb_nginx_serves_and_health_says_so() {
    let Some(nginx) = NginxBinary::system() else { return };
    let listener = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let feed = feed_of(&nginx, &format!("http://{address}"), "web:8080").spawn();
    eventually("nginx serves", async || feed.send(&Request::get("nobody.test", "/")).await).await;
    eventually("it is unhealthy", async || match feed.admin("/health").await.unwrap() {
        health if health.status == 500 && health.text().contains("Connection refused") => Ok(()),
        health => Err(health.text()),
    })
    .await;
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 503);
    let gorb = Gorb::start(address, &["web"]).await;
    feed.wait_ready().await;

    gorb.fail("LIST", 503, usize::MAX);
    eventually("it is unhealthy", async || match feed.admin("/health").await.unwrap() {
        health if health.status == 500 && health.text().contains("Gorb says 503") => Ok(()),
        health => Err(health.text()),
    })
    .await;
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 200, "it is still the backend");
}

#[tokio::test]
async fn a_virtual_service_that_is_not_there_is_said() {
    let Some(nginx) = NginxBinary::system() else { return };
    let gorb = Gorb::start(LOOPBACK, &["other"]).await;
    let feed = feed(&nginx, &gorb).spawn();
    eventually("the error is that of PUT", async || {
        let error = match feed.admin("/status").await {
            Ok(_) => error(&feed).await,
            Err(error) => error.to_string(),
        };
        if error.contains("PUT") && error.contains("Gorb says 404") { Ok(()) } else { Err(error) }
    })
    .await;
    assert_eq!(end(feed).await, Some(0), "there is nothing to leave");
}

/// The addresses are there, and ARP does not speak of them, from before the registration until after the end.
#[tokio::test]
async fn the_loopback_interface_has_the_addresses_while_it_is_the_backend() {
    if !in_network_namespace("gorb::the_loopback_interface_has_the_addresses_while_it_is_the_backend") {
        return;
    }
    let Some(nginx) = NginxBinary::system() else { return };
    let arp =
        || ["arp_ignore", "arp_announce"].map(|file| fs::read_to_string(format!("{ARP}/{file}")).unwrap());
    let gorb = Gorb::start(LOOPBACK, &["web"]).await;
    let vips = ["203.0.113.7/32", "203.0.113.8/32"];
    // A run that crashed has left one.
    run(Command::new("ip").args(["address", "add", vips[1], "dev", "lo"]));
    let feed = feed(&nginx, &gorb)
        .flag("--gorb-vip-loadbalancer", "203.0.113.7,203.0.113.8")
        .flag("--gorb-interface-proc-fs-path", ARP)
        .ready()
        .await;
    assert!(vips.iter().all(|vip| has_address("lo", vip)));
    assert!(
        addresses("lo").iter().any(|line| line.contains(vips[0]) && line.contains(" lo:0")),
        "{:?}",
        addresses("lo")
    );
    assert_eq!(arp(), ["1\n", "2\n"]);
    run(Command::new("ip").args(["address", "delete", vips[1], "dev", "lo"]));
    eventually(
        "it is added again",
        async || {
            if has_address("lo", vips[1]) { Ok(()) } else { Err(feed.log()) }
        },
    )
    .await;
    assert!(
        addresses("lo").iter().any(|line| line.contains(vips[1]) && line.contains(" lo:1")),
        "{:?}",
        addresses("lo")
    );
    assert_eq!(end(feed).await, Some(0));
    assert!(!vips.iter().any(|vip| has_address("lo", vip)));
    assert_eq!(arp(), ["0\n", "0\n"]);

    // By the operator's wish, or without the files, or without the right.
    let feed = |flags: &[(&str, &str)]| {
        let feed = feed_of(&nginx, &gorb.url(), "web:8080").flag("--gorb-vip-loadbalancer", "203.0.113.7");
        flags.iter().fold(feed, |feed, (flag, value)| feed.flag(flag, value))
    };
    let unmanaged = feed(&[]).argument("--gorb-management-loopback=false").ready().await;
    assert!(!has_address("lo", vips[0]));
    assert_eq!(end(unmanaged).await, Some(0));

    let calls = gorb.trace().len();
    let no_files = feed(&[("--gorb-interface-proc-fs-path", "/nowhere")]).spawn();
    wait_error(&no_files, "cannot write /nowhere/arp_ignore: No such file or directory").await;
    let no_right = feed(&[("--gorb-interface-proc-fs-path", ARP)]);
    let no_right = no_right.through(&["setpriv", "--bounding-set=-net_admin"]).spawn();
    wait_error(&no_right, "the capability NET_ADMIN is missing").await;
    assert_eq!(gorb.trace().len(), calls, "and nothing is put");
}

async fn wait_error(feed: &Feed, expected: &str) {
    eventually(&format!("the error is {expected}"), async || {
        let error = match feed.admin("/status").await {
            Ok(_) => error(feed).await,
            Err(error) => error.to_string(),
        };
        if error.contains(expected) { Ok(()) } else { Err(error) }
    })
    .await;
}
