//! Two replicas, told apart by the API server: who writes, and who does not any more.

use std::time::Duration;

use feed_tests::{ControlPlane, Feed, Namespace, NginxBinary, Write, eventually, eventually_within};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{holder, ingress, wait_status};

/// The term of a Lease.
const TERM: Duration = Duration::from_secs(3);

/// A replica that writes an address of its own, as an account of its own. Replicas of other tests, which adopt other
/// classes, would take their own addresses away from these Ingresses.
async fn replica(nginx: &NginxBinary, namespace: &Namespace<'_>, account: &str, address: &str) -> Feed {
    Feed::builder(nginx)
        .command("static")
        .kubernetes(namespace)
        .kubeconfig(&namespace.account(account))
        .flag("--internal-hostname", address)
        .flag("--lease-name", "the-lease")
        .flag("--lease-namespace", namespace.name())
        .flag("--lease-duration", "3s")
        .ready()
        .await
}

/// Whether the Lease was written that decides about status.
fn is_of_lease(write: &Write) -> bool {
    write.lease() == Some("the-lease") && write.is_done()
}

/// The account whose replica holds the Lease, as the API server has it.
fn acting(namespace: &Namespace<'_>) -> Option<String> {
    namespace.writes().iter().rfind(|write| is_of_lease(write)).map(|write| write.account().to_owned())
}

async fn wait_acting(namespace: &Namespace<'_>, account: &str) {
    // A term, the look that finds out, and a machine that does much else.
    eventually_within(TERM * 10, &format!("{account} acts"), async || match acting(namespace) {
        Some(acting) if acting == account => Ok(()),
        acting => Err(format!("{acting:?}")),
    })
    .await;
}

fn time(lease: &Value, field: &str) -> jiff::Timestamp {
    lease["spec"][field].as_str().unwrap().parse().unwrap()
}

/// What is left of a holder that was killed: the other one takes over when its term is over, and not before.
#[tokio::test]
async fn a_holder_that_dies_is_replaced_after_its_term() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let mut first = replica(&nginx, &namespace, "first", "192.0.2.11").await;
    wait_acting(&namespace, "first").await;
    let second = replica(&nginx, &namespace, "second", "192.0.2.12").await;
    namespace.apply(&ingress("one", namespace.name(), "internal"));
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.11"}]"#).await;
    first.kill();
    namespace.apply(&ingress("two", namespace.name(), "internal"));
    wait_acting(&namespace, "second").await;
    wait_status(&namespace, "two", r#"[{"ip":"192.0.2.12"}]"#).await;
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.12"}]"#).await;

    let writes = namespace.writes();
    let leases = || writes.iter().filter(|write| is_of_lease(write));
    let last = leases().rfind(|write| write.account() == "first").unwrap();
    let next = leases().find(|write| write.account() == "second").unwrap();
    let waited = time(next.sent(), "acquireTime").duration_since(time(last.sent(), "renewTime"));
    assert!(waited >= jiff::SignedDuration::try_from(TERM).unwrap(), "it took over after {waited:#}");
    drop(second);
}

/// A holder that stands still past its term, and goes on: what it sees then it leaves to the other one.
#[tokio::test]
async fn a_holder_whose_term_has_ended_writes_nothing() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::system(), ControlPlane::shared().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let mut first = replica(&nginx, &namespace, "first", "192.0.2.21").await;
    wait_acting(&namespace, "first").await;
    let held_by_first = holder_of(&namespace);
    let second = replica(&nginx, &namespace, "second", "192.0.2.22").await;
    namespace.apply(&ingress("one", namespace.name(), "internal"));
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.21"}]"#).await;

    first.signal(Signal::SIGSTOP);
    wait_acting(&namespace, "second").await;
    assert_ne!(holder_of(&namespace), held_by_first);
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.22"}]"#).await;
    // It wakes up to an Ingress that says otherwise than it would. Who holds the Lease it cannot learn: only the time tells.
    namespace.take_leases_from("first");
    first.signal(Signal::SIGCONT);
    namespace.apply(&ingress("two", namespace.name(), "internal"));
    wait_status(&namespace, "two", r#"[{"ip":"192.0.2.22"}]"#).await;
    eventually("the first has seen it", async || match first.status().await["ingresses"].as_u64() {
        Some(2) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    eventually("the first knows that it does not act any more", async || {
        if first.log().contains("This replica no longer acts") { Ok(()) } else { Err(first.log()) }
    })
    .await;
    namespace.apply(&ingress("three", namespace.name(), "internal"));
    wait_status(&namespace, "three", r#"[{"ip":"192.0.2.22"}]"#).await;
    // Its end gives up nothing that it does not have.
    first.signal(Signal::SIGINT);
    assert!(first.wait_exit(Duration::from_secs(20)).await.success());
    wait_status(&namespace, "one", r#"[{"ip":"192.0.2.22"}]"#).await;

    let writes = namespace.writes();
    let taken_over =
        writes.iter().position(|write| write.account() == "second" && is_of_lease(write)).unwrap();
    let late: Vec<_> = writes[taken_over..].iter().filter(|write| write.account() == "first").collect();
    assert!(late.is_empty(), "{late:?}");
    assert_eq!(acting(&namespace).as_deref(), Some("second"));
    drop(second);
}

fn holder_of(namespace: &Namespace<'_>) -> String {
    holder(namespace, "the-lease")
}
