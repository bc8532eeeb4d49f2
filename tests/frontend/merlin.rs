//! `feed-ingress merlin`.

mod faults;
mod leaving;
mod status;

use std::net::Ipv4Addr;
use std::time::Duration;

use feed_tests::{
    Feed, FeedBuilder, HealthCheck, Merlin, MerlinPeer, NginxBinary, Sandbox, TestCertificate, eventually,
    eventually_within, free_port,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A feed behind Merlin that looks often, and drains briefly.
fn feed(nginx: &NginxBinary, endpoints: &str) -> FeedBuilder {
    feed_of(nginx, endpoints, "web").flag("--merlin-drain-delay", "1s").flag("--frontend-resync-period", "1s")
}

/// A feed behind a virtual service.
fn feed_of(nginx: &NginxBinary, endpoints: &str, service: &str) -> FeedBuilder {
    Feed::builder(nginx)
        .command("merlin")
        .flag("--merlin-endpoint", endpoints)
        .flag("--merlin-service-id", service)
        .flag("--merlin-instance-ip", "10.0.0.1")
}

fn all(peers: &[&MerlinPeer]) -> String {
    peers.iter().map(|peer| peer.address().to_string()).collect::<Vec<_>>().join(",")
}

async fn wait_weights(merlin: &Merlin, service: &str, expected: &[u32]) {
    eventually(&format!("the weights of {service} are {expected:?}"), async || {
        let weights: Vec<u32> = merlin.weights(service).into_iter().flatten().collect();
        if weights == expected { Ok(()) } else { Err(format!("{weights:?}: {:#?}", merlin.trace())) }
    })
    .await;
}

/// What `/status` says of the virtual service.
async fn balancer(feed: &Feed) -> Value {
    feed.status().await["frontends"]["balancers"][0].clone()
}

async fn wait_state(feed: &Feed, state: &str) {
    eventually(&format!("the state is {state}"), async || {
        let balancer = balancer(feed).await;
        if balancer["state"] == state { Ok(()) } else { Err(balancer) }
    })
    .await;
}

#[tokio::test]
async fn what_is_registered_is_what_the_flags_say() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (forward, expected) in [("route", 1), ("tunnel", 2), ("masq", 3)] {
        let merlin = Merlin::new(&["web", "other"]);
        let peer = merlin.listen(LOOPBACK).await;
        let feed = feed(&nginx, &all(&[&peer]))
            .flag("--merlin-forward-method", forward)
            .flag("--merlin-request-timeout", "5s")
            .flag("--merlin-health-up-threshold", "5")
            .flag("--merlin-health-down-threshold", "4")
            .flag("--merlin-health-period", "7s")
            .flag("--merlin-health-timeout", "1500ms")
            .ready()
            .await;
        let [server] = &merlin.servers("web")[..] else { panic!("{:?}", merlin.servers("web")) };
        let key = server.key.as_ref().unwrap();
        assert_eq!((key.ip.as_str(), key.port), ("10.0.0.1", feed.address().port().into()));
        let config = server.config.unwrap();
        assert_eq!((config.weight, config.forward), (Some(1), expected));
        let duration = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
        let expected = HealthCheck {
            endpoint: Some(format!("http://:{}/health", feed.status_address().port())),
            period: duration(7, 0),
            timeout: duration(1, 500_000_000),
            up_threshold: 5,
            down_threshold: 4,
        };
        assert_eq!(server.health_check.as_ref(), Some(&expected));
        assert_eq!(merlin.servers("other"), []);
        assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(1.0));
        assert_eq!(feed.metric("feed_ingress_frontends_expected").await, Some(1.0));
        assert_eq!(balancer(&feed).await["state"], "in_service");
    }
}

#[tokio::test]
async fn nothing_is_registered_before_nginx_serves() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let sandbox = Sandbox::new("kubeconfig");
    let kubeconfig = json!({
        "clusters": [{"name": "a", "cluster": {"server": format!("http://127.0.0.1:{}", free_port())}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "users": [{"name": "a", "user": {}}],
        "current-context": "a",
    });
    std::fs::write(sandbox.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let mut feed = feed(&nginx, &all(&[&peer])).kubeconfig(&sandbox.join("kubeconfig")).spawn();
    eventually("it waits for the API server", async || {
        if feed.log().contains("onnection refused") { Ok(()) } else { Err(feed.log()) }
    })
    .await;
    assert_eq!((peer.answered(), merlin.trace()), (0, vec![]));
    feed.signal(Signal::SIGTERM);
    assert!(feed.wait_exit(Duration::from_secs(20)).await.success(), "{}", feed.log());
    // It was looked whether an earlier process is registered.
    assert_eq!((peer.answered(), merlin.trace()), (1, vec![]));
}

/// Who took us out, or changed us, is corrected at the next look; and what an earlier process has left is taken over.
#[tokio::test]
async fn the_registration_is_kept_as_it_should_be() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let mut feed = feed(&nginx, &all(&[&peer])).ready().await;
    let registered = merlin.servers("web");

    merlin.forget();
    wait_weights(&merlin, "web", &[1]).await;
    assert_eq!(merlin.trace(), ["CreateServer web 1", "CreateServer web 1"]);
    assert_eq!(merlin.servers("web"), registered);

    merlin.meddle(|server| server.config.as_mut().unwrap().weight = Some(0));
    wait_weights(&merlin, "web", &[1]).await;
    assert_eq!(merlin.trace()[2..], ["CreateServer web 1", "UpdateServer web 1"]);

    merlin.meddle(|server| server.health_check.as_mut().unwrap().up_threshold = 9);
    eventually("the health check is as it was", async || {
        let servers = merlin.servers("web");
        if servers == registered { Ok(()) } else { Err(format!("{servers:?}")) }
    })
    .await;

    feed.kill();
    feed.add_arguments(&["--merlin-health-up-threshold=6"]);
    let calls = merlin.calls().len();
    feed.start();
    feed.wait_ready().await;
    eventually("the next process has its own health check", async || {
        let check = merlin.servers("web")[0].health_check.clone().unwrap();
        if check.up_threshold == 6 { Ok(()) } else { Err(check.up_threshold) }
    })
    .await;
    assert_eq!(merlin.trace()[calls..], ["CreateServer web 1", "UpdateServer web 1"]);
}

#[tokio::test]
async fn several_servers_are_asked_in_turn_and_dead_ones_passed_over() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let (one, other, dead) =
        (merlin.listen(LOOPBACK).await, merlin.listen(LOOPBACK).await, merlin.listen(LOOPBACK).await);
    let endpoints = all(&[&dead, &one, &other]);
    drop(dead);
    let feed = feed(&nginx, &endpoints).ready().await;
    eventually("both have answered several times", async || {
        let answered = (one.answered(), other.answered());
        if answered.0 > 2 && answered.1 > 2 { Ok(()) } else { Err(format!("{answered:?}")) }
    })
    .await;

    let address = one.address();
    drop(one);
    merlin.forget();
    wait_weights(&merlin, "web", &[1]).await;
    wait_state(&feed, "in_service").await;
    drop(other);
    eventually_within(Duration::from_secs(20), "it is unhealthy", async || {
        let health = feed.admin("/health").await.unwrap();
        if health.status == 500 && health.text().contains("no Merlin answers") {
            Ok(())
        } else {
            Err(health.text())
        }
    })
    .await;
    assert_eq!(feed.get("nobody.test", "/").await.status, 404, "nginx goes on");
    assert_eq!(
        feed.admin("/readiness").await.unwrap().status,
        200,
        "and the virtual service has not been left"
    );

    let _again = merlin.listen(address).await;
    eventually("it is healthy again", async || match feed.admin("/health").await.unwrap() {
        health if health.status == 200 => Ok(()),
        health => Err(health.text()),
    })
    .await;
    wait_weights(&merlin, "web", &[1]).await;
}

/// Each port has a virtual service of its own, and either may be the only one.
#[tokio::test]
async fn https_has_a_virtual_service_of_its_own() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web", "secure"]);
    let peer = merlin.listen(LOOPBACK).await;
    let feed = feed(&nginx, &all(&[&peer])).flag("--merlin-https-service-id", "secure");
    let mut feed = feed.tls(&TestCertificate::new(&["default.test"])).ready().await;
    let https = feed.tls_address().port();
    let port = |service: &str| merlin.servers(service)[0].key.as_ref().unwrap().port;
    assert_eq!(port("web"), u32::from(feed.address().port()));
    assert_eq!(port("secure"), u32::from(https));
    assert_eq!(merlin.servers("web")[0].health_check, merlin.servers("secure")[0].health_check);
    assert_eq!(feed.metric("feed_ingress_frontends_attached").await, Some(2.0));

    // One is left although the other cannot be.
    merlin.fail_service("secure", Some(tonic::Code::Internal));
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_mins(1)).await;
    assert_eq!(exit.code(), Some(1));
    assert!(feed.log().contains("left while attached to secure\n"), "{}", feed.log());
    assert_eq!((merlin.weights("web"), merlin.weights("secure")), (vec![], vec![Some(1)]));
}

#[tokio::test]
async fn https_may_be_the_only_one() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["secure"]);
    let peer = merlin.listen(LOOPBACK).await;
    let feed = Feed::builder(&nginx)
        .command("merlin")
        .tls(&TestCertificate::new(&["default.test"]))
        .tls_alone()
        .flag("--merlin-endpoint", &all(&[&peer]))
        .flag("--merlin-https-service-id", "secure")
        .flag("--merlin-instance-ip", "10.0.0.1")
        .ready()
        .await;
    assert_eq!(merlin.trace(), ["CreateServer secure 1"]);
    let key = merlin.servers("secure")[0].key.clone().unwrap();
    assert_eq!(key.port, u32::from(feed.tls_address().port()));
}
