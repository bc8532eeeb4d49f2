//! What goes wrong between feed and Merlin.

use std::process::Command;
use std::time::Duration;

use feed_tests::{Feed, Merlin, NginxBinary, Request, Sandbox, eventually, in_network_namespace};
use nix::sys::signal::Signal;
use tonic::Code;

use super::{LOOPBACK, all, balancer, feed, feed_of, wait_weights};
use crate::loopback::{has_address, run};

async fn wait_error(feed: &Feed, expected: &str) {
    eventually(&format!("the error is {expected}"), async || {
        let error = balancer(feed).await["error"].clone();
        match error.as_str() {
            Some(text) if text.contains(expected) => Ok(()),
            _ => Err(error),
        }
    })
    .await;
}

/// An unknown virtual service, and a Merlin that refuses: nginx serves, and `/readiness` says why it is not ready.
#[tokio::test]
async fn a_registration_that_is_refused_is_tried_again() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["other", "web"]);
    let peer = merlin.listen(LOOPBACK).await;
    merlin.fail("CreateServer", Some(Code::InvalidArgument));
    let mut feed = feed(&nginx, &all(&[&peer])).spawn();
    eventually("nginx serves", async || feed.send(&Request::get("nobody.test", "/")).await).await;
    wait_error(&feed, "says InvalidArgument: as it was told").await;
    let readiness = feed.admin("/readiness").await.unwrap();
    assert_eq!(readiness.status, 503);
    assert!(readiness.text().contains("web does not send requests"), "{}", readiness.text());
    merlin.fail("CreateServer", None);
    feed.wait_ready().await;
    feed.kill();

    let unknown = feed_of(&nginx, &all(&[&peer]), "nowhere");
    let mut unknown = unknown.flag("--frontend-resync-period", "1s").spawn();
    eventually("nginx serves", async || unknown.send(&Request::get("nobody.test", "/")).await).await;
    wait_error(&unknown, "says NotFound: there is no service nowhere").await;
    eventually("it is unhealthy", async || match unknown.admin("/health").await.unwrap() {
        health if health.status == 500 => Ok(()),
        health => Err(health.text()),
    })
    .await;
    // Nothing was registered, so nothing is waited for.
    unknown.signal(Signal::SIGTERM);
    let exit = unknown.wait_exit(Duration::from_secs(20)).await;
    assert!(exit.success(), "{exit}\n{}", unknown.log());
}

/// A server that takes connections and says nothing costs `--merlin-request-timeout`, and the next one is asked.
#[tokio::test]
async fn a_server_that_hangs_is_passed_over() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let silent = tokio::net::TcpListener::bind(LOOPBACK).await.unwrap();
    let endpoints = format!("{},{}", silent.local_addr().unwrap(), peer.address());
    let feed = feed(&nginx, &endpoints).flag("--merlin-request-timeout", "200ms").ready().await;
    merlin.forget();
    wait_weights(&merlin, "web", &[1]).await;
    drop(feed);
}

/// Every address that a name has is one to ask, and it is looked up each time.
#[tokio::test]
async fn a_name_may_mean_several_servers_and_come_to_mean_others() {
    if !in_network_namespace("merlin::faults::a_name_may_mean_several_servers_and_come_to_mean_others") {
        return;
    }
    let Some(nginx) = NginxBinary::system() else { return };
    let sandbox = Sandbox::new("hosts");
    let hosts = sandbox.join("hosts");
    let write = |lines: &str| std::fs::write(&hosts, format!("127.0.0.1 localhost\n{lines}")).unwrap();
    let merlin = Merlin::new(&["web"]);
    let one = merlin.listen(([127, 0, 0, 11], 0)).await;
    let port = one.address().port();
    let other = merlin.listen(([127, 0, 0, 12], port)).await;
    let six = merlin.listen((std::net::Ipv6Addr::LOCALHOST, port)).await;
    write("127.0.0.11 merlin.test\n127.0.0.12 merlin.test\n");
    run(Command::new("mount").arg("--bind").arg(&hosts).arg("/etc/hosts"));
    let feed = feed(&nginx, &format!("dns:///merlin.test:{port}")).ready().await;
    eventually("both have answered", async || {
        let answered = (one.answered(), other.answered(), six.answered());
        if answered.0 > 1 && answered.1 > 1 { Ok(()) } else { Err(format!("{answered:?}")) }
    })
    .await;
    assert_eq!(six.answered(), 0);
    write("::1 merlin.test\n");
    drop((one, other));
    merlin.forget();
    wait_weights(&merlin, "web", &[1]).await;
    assert!(six.answered() > 0);
    drop(feed);
}

/// The address is added where it is missing, kept where it is, and taken away whoever has added it.
#[tokio::test]
async fn the_address_is_there_while_it_is_registered() {
    if !in_network_namespace("merlin::faults::the_address_is_there_while_it_is_registered") {
        return;
    }
    let Some(nginx) = NginxBinary::system() else { return };
    run(Command::new("ip").args(["link", "add", "vip0", "type", "veth", "peer", "name", "vip1"]));
    run(Command::new("ip").args(["link", "set", "vip0", "up"]));
    for (vip, address) in [
        ("203.0.113.9", "203.0.113.9/32"),
        ("203.0.113.9/24", "203.0.113.9/24"),
        ("2001:db8::9", "2001:db8::9/128"),
    ] {
        let merlin = Merlin::new(&["web"]);
        let peer = merlin.listen(LOOPBACK).await;
        // A run that crashed has left it.
        run(Command::new("ip").args(["address", "add", address, "dev", "vip0"]));
        let mut feed = feed(&nginx, &all(&[&peer]))
            .flag("--merlin-vip", vip)
            .flag("--merlin-vip-interface", "vip0")
            .ready()
            .await;
        assert!(has_address("vip0", address));
        run(Command::new("ip").args(["address", "delete", address, "dev", "vip0"]));
        eventually(&format!("{address} is added again"), async || {
            if has_address("vip0", address) { Ok(()) } else { Err(feed.log()) }
        })
        .await;
        feed.signal(Signal::SIGTERM);
        let exit = feed.wait_exit(Duration::from_secs(20)).await;
        assert!(exit.success(), "{exit}\n{}", feed.log());
        assert!(!has_address("vip0", address));
    }

    // Gone before it leaves: no error.
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let mut feed = feed_of(&nginx, &all(&[&peer]), "web")
        .flag("--merlin-vip", "203.0.113.9")
        .flag("--merlin-drain-delay", "1s")
        .ready()
        .await;
    run(Command::new("ip").args(["address", "delete", "203.0.113.9/32", "dev", "lo"]));
    feed.signal(Signal::SIGTERM);
    assert!(feed.wait_exit(Duration::from_secs(20)).await.success(), "{}", feed.log());
    assert!(!feed.log().contains("Could not clean up"), "{}", feed.log());
}

/// Without the address nothing is registered: requests would come that nobody takes.
#[tokio::test]
async fn without_the_right_to_add_the_address_nothing_is_registered() {
    if !in_network_namespace("merlin::faults::without_the_right_to_add_the_address_nothing_is_registered") {
        return;
    }
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let feed = feed(&nginx, &all(&[&peer]));
    let mut feed =
        feed.flag("--merlin-vip", "203.0.113.9").through(&["setpriv", "--bounding-set=-net_admin"]).spawn();
    eventually("nginx serves", async || feed.send(&Request::get("nobody.test", "/")).await).await;
    wait_error(&feed, "may not change 203.0.113.9/32 on lo: the capability NET_ADMIN is missing").await;
    assert_eq!(merlin.trace(), Vec::<String>::new());
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 503);
    feed.signal(Signal::SIGTERM);
    assert!(feed.wait_exit(Duration::from_secs(20)).await.success(), "{}", feed.log());

    let feed = super::feed(&nginx, &all(&[&peer]));
    let feed = feed.flag("--merlin-vip", "203.0.113.9").flag("--merlin-vip-interface", "vip7").spawn();
    eventually("nginx serves", async || feed.send(&Request::get("nobody.test", "/")).await).await;
    wait_error(&feed, "there is no network interface vip7").await;
}
