//! The end of a process behind Merlin.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use feed_tests::{Backend, Merlin, NginxBinary, Request, eventually, in_network_namespace};
use nix::sys::signal::Signal;
use serde_json::json;
use tonic::Code;

use super::{LOOPBACK, all, feed, feed_of, wait_state, wait_weights};
use crate::loopback::has_address;

const VIP: &str = "203.0.113.9/32";

/// Those of manifests/merlin.yaml are enough.
const SHIPPED_CAPABILITIES: &str =
    "--bounding-set=-all,+chown,+kill,+net_admin,+net_bind_service,+setgid,+setuid";

/// An Ingress that leads `a.test` to a backend.
fn route(backend: &Backend) -> String {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"clusterIP": backend.ip(), "ports": [{"name": "http", "port": backend.port()}]},
    });
    let backend = json!({"service": {"name": "a", "port": {"name": "http"}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {"ingressClassName": "test", "rules": [{"host": "a.test", "http": {"paths": [path]}}]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [service, ingress]}).to_string()
}

/// The status of a request that is made while everything else of the test stands still.
fn status(address: SocketAddr, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return "refused".to_owned() };
    write!(stream, "GET {path} HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok();
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// From a recorded trace: address there → registered → not ready → weight 0 → drained → requests done → deleted → address
/// gone → end.
#[tokio::test]
async fn it_is_left_in_order() {
    if !in_network_namespace("merlin::leaving::it_is_left_in_order") {
        return;
    }
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let backend = Backend::http("a").await;
    let mut feed = feed(&nginx, &all(&[&peer]))
        .manifest("a.yaml", &route(&backend))
        .flag("--merlin-vip", "203.0.113.9")
        .through(&["setpriv", SHIPPED_CAPABILITIES])
        .build();
    let (admin, nginx_status) = (feed.admin_address(), feed.status_address());
    merlin.at_each_call(move || {
        let (ready, serves) = (status(admin, "/readiness"), status(nginx_status, "/health"));
        let vip = if has_address("lo", VIP) { "with" } else { "without" };
        format!("ready {ready}, nginx {serves}, {vip} the address")
    });
    feed.start();
    feed.wait_ready().await;
    feed.wait_served_by("a", "a.test", "/").await;
    assert!(has_address("lo", VIP));

    let held = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
    let mut connection = held.connect(feed.address()).await.unwrap();
    let begun = connection.begin(&held).await.unwrap();
    feed.signal(Signal::SIGTERM);
    eventually("its requests are waited for", async || {
        if feed.log().contains("finishing those under way") { Ok(()) } else { Err(feed.log()) }
    })
    .await;
    // The drain is over, and yet the entry is there, since the request is.
    assert_eq!(merlin.weights("web"), [Some(0)]);
    assert!(has_address("lo", VIP));
    backend.release();
    assert_eq!(connection.finish(begun).await.unwrap().status, 200);
    drop(connection);
    let exit = feed.wait_exit(Duration::from_secs(20)).await;
    assert!(exit.success(), "{exit}\n{}", feed.log());
    assert!(!has_address("lo", VIP));
    let notes = merlin.calls().into_iter().map(|call| call.note);
    let trace: Vec<_> =
        merlin.trace().into_iter().zip(notes).map(|(call, note)| format!("{call}: {note}")).collect();
    assert_eq!(
        trace,
        [
            "CreateServer web 1: ready 503, nginx 200, with the address",
            "UpdateServer web 0: ready 503, nginx 200, with the address",
            "DeleteServer web: ready 503, nginx 200, with the address",
        ]
    );
}

#[tokio::test]
async fn an_entry_that_is_gone_already_is_fine() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let feed = feed_of(&nginx, &all(&[&peer]), "web");
    let mut feed = feed.flag("--merlin-drain-delay", "1s").ready().await;
    merlin.forget();
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_secs(20)).await;
    assert!(exit.success(), "{exit}\n{}", feed.log());
    let codes: Vec<_> = merlin.calls().iter().map(|call| call.code).collect();
    assert_eq!(codes, [Code::Ok, Code::NotFound, Code::NotFound]);
}

/// Which of the calls fails, and what it says; whether requests may still come in the end.
#[tokio::test]
async fn what_cannot_be_left_is_named_and_the_end_is_a_failure() {
    let Some(nginx) = NginxBinary::system() else { return };
    for (call, weights) in [("UpdateServer", vec![Some(1)]), ("DeleteServer", vec![Some(0)])] {
        let merlin = Merlin::new(&["web"]);
        let peer = merlin.listen(LOOPBACK).await;
        let mut feed = feed(&nginx, &all(&[&peer])).ready().await;
        merlin.fail(call, Some(Code::Internal));
        feed.signal(Signal::SIGTERM);
        let exit = feed.wait_exit(Duration::from_mins(1)).await;
        assert_eq!(exit.code(), Some(1), "{call}: {}", feed.log());
        assert_eq!(merlin.weights("web"), weights);
        let log = feed.log();
        let expected = format!("{call}: Merlin at {} says Internal: as it was told", peer.address());
        assert!(log.contains(&expected), "{log}");
        assert!(log.contains("left while attached to web"), "{log}");
        assert!(feed.nginx_masters().is_empty());
    }
}

/// A registration is under way, and no server answers: it is waited for, and taken back.
#[tokio::test]
async fn a_signal_during_the_first_registration_takes_it_back() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let mut feed = feed(&nginx, &all(&[&peer])).build();
    // While the call is being carried out, the process is told to end.
    let (sender, receiver) = std::sync::mpsc::channel::<feed_tests::Process>();
    let receiver = std::sync::Mutex::new(receiver);
    merlin.at_each_call(move || {
        if let Ok(process) = receiver.lock().unwrap().recv_timeout(Duration::from_secs(20)) {
            process.signal(Signal::SIGTERM);
        }
        String::new()
    });
    feed.start();
    sender.send(feed.process()).unwrap();
    drop(sender);
    let exit = feed.wait_exit(Duration::from_secs(30)).await;
    assert!(exit.success(), "{exit}\n{}", feed.log());
    assert_eq!(merlin.trace(), ["CreateServer web 1", "UpdateServer web 0", "DeleteServer web"]);
    assert_eq!(merlin.servers("web"), []);
}

#[tokio::test]
async fn a_merlin_that_is_away_is_named_and_does_not_hold_up_the_end() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let mut feed = feed(&nginx, &all(&[&peer])).ready().await;
    drop(peer);
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_mins(1)).await;
    assert_eq!(exit.code(), Some(1), "{}", feed.log());
    assert!(feed.log().contains("UpdateServer: no Merlin answers"), "{}", feed.log());
    assert!(feed.log().contains("left while attached to web"), "{}", feed.log());
    assert!(feed.nginx_masters().is_empty());
}

/// What a killed process has left is left by the next one, although that never learns what is there.
#[tokio::test]
async fn what_a_killed_process_has_left_is_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    for code in [None, Some(Code::Internal)] {
        let merlin = Merlin::new(&["web"]);
        let peer = merlin.listen(LOOPBACK).await;
        let mut feed = feed(&nginx, &all(&[&peer])).ready().await;
        feed.kill();
        if let Some(code) = code {
            merlin.fail("List", Some(code));
        }
        feed.start();
        eventually("it has begun", async || feed.admin("/alive").await.map(drop)).await;
        feed.signal(Signal::SIGTERM);
        let exit = feed.wait_exit(Duration::from_secs(30)).await;
        assert!(exit.success(), "{exit}\n{}", feed.log());
        assert_eq!(merlin.servers("web"), []);
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_says_what_is_left() {
    let Some(nginx) = NginxBinary::system() else { return };
    let merlin = Merlin::new(&["web"]);
    let peer = merlin.listen(LOOPBACK).await;
    let mut feed = feed_of(&nginx, &all(&[&peer]), "web").ready().await;
    feed.signal(Signal::SIGTERM);
    wait_weights(&merlin, "web", &[0]).await;
    wait_state(&feed, "detached").await;
    feed.signal(Signal::SIGTERM);
    let exit = feed.wait_exit(Duration::from_secs(10)).await;
    assert_eq!(exit.code(), Some(1), "{}", feed.log());
    assert!(feed.log().contains("This load balancer was not left"), "{}", feed.log());
    assert!(feed.nginx_masters().is_empty());
}
