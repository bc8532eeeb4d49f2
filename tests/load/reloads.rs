//! Reloads under load.

use feed_tests::{Backend, Feed, Load, NginxBinary, Request, eventually};

use super::{ingress, list, machine, reloads, service};

const RELOADS: u32 = 1000;
const CONNECTIONS: usize = 100;

/// Each reload is a change of its own that has been confirmed before the next is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_a_hundred_busy_connections_fail_no_request() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let _machine = machine().await;
    let backend = Backend::http("a").await;
    let objects = |change: u32| {
        list(&[
            service(&backend),
            ingress("busy", "test", &backend),
            ingress(&format!("change-{change}"), "test", &backend),
        ])
    };
    let feed =
        Feed::builder(&nginx).flag("--nginx-update-burst", "1000000").flag("--nginx-update-period", "1ms");
    let feed = feed.manifest("all.yaml", &objects(0)).ready().await;
    let before = reloads(&feed).await;

    let load = Load::start(feed.address(), &Request::get("busy.test", "/"), CONNECTIONS);
    for change in 1..=RELOADS {
        feed.write_manifest("all.yaml", &objects(change));
        eventually("the change is confirmed", async || match reloads(&feed).await - before {
            count if count >= f64::from(change) => Ok(()),
            count => Err(format!("{count} reloads after {change} changes")),
        })
        .await;
    }
    feed.wait_served_by("a", &format!("change-{RELOADS}.test"), "/").await;
    let report = load.stop().await;
    assert_eq!(report.failures, [""; 0]);
    assert_eq!(report.answers.keys().copied().collect::<Vec<_>>(), [200]);
    // It was load: each connection was told to go, and came again, at nearly every reload.
    assert!(report.announced_closes > 10 * u64::from(RELOADS), "{report:?}");
}
