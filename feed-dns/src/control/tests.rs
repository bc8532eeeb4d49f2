use std::collections::BTreeSet;
use std::sync::Arc;

use feed_reconcile::desired::Scheme;
use feed_reconcile::dns::keeper::{Found, Settings};
use feed_reconcile::dns::{Endpoint, RecordName, RecordSet, Rules, Target};
use feed_reconcile::snapshot::ClusterSnapshot;
use feed_supervisor::runtime::health::Health;
use feed_supervisor::runtime::metrics::{Format, Metrics};
use feed_supervisor::runtime::shutdown::{self, Trigger};
use feed_supervisor::runtime::source::{self, Change, SourceWriter};
use k8s_openapi::api::networking::v1::{Ingress, IngressRule, IngressSpec};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::*;
use crate::endpoints::Wanted;
use crate::fake::{FakeBalancers, FakeZones, failure};
use crate::metrics::DnsMetrics;

const RESYNC: Duration = Duration::from_mins(15);

/// A loop that runs, and everything around it.
struct World {
    zones: FakeZones,
    balancers: FakeBalancers,
    writer: SourceWriter,
    health: Health,
    metrics: Metrics,
    reporter: Reporter,
    trigger: Trigger,
    look_again: Arc<Notify>,
    running: JoinHandle<()>,
}

fn balancer() -> Endpoint {
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: false };
    Endpoint { dns_name: RecordName::new("lb.aws"), target }
}

fn alias(name: &str) -> RecordSet {
    balancer().records(&RecordName::new(name)).remove(0)
}

/// The zones `Z1`, `example.com`, with these records, and `Z2`, `example.org`, without any.
fn world(records: &[RecordSet]) -> World {
    let zones = FakeZones::default();
    zones.create("Z1", "example.com", records.to_vec());
    zones.create("Z2", "example.org", []);
    let balancers = FakeBalancers::default();
    let found = Found { endpoints: vec![(Scheme::Internal, balancer())], ..Found::default() };
    balancers.0.lock().unwrap().push_back(Ok(found));
    let settings = Settings { resync_period: RESYNC, rules: Rules { max_deletion_percent: 50, owner: None } };
    let (writer, source) = source::channel(&BTreeSet::new());
    let (trigger, shutdown) = shutdown::channel();
    let look_again = Arc::new(Notify::new());
    let health = Health::new();
    let mut metrics = Metrics::new("feed_dns");
    let reporter =
        Reporter::new(health.clone(), DnsMetrics::register(&mut metrics, &health, source.freshness()));
    let control = Control {
        keeper: Keeper::new(settings, ["Z1", "Z2"].map(ZoneId::new), None),
        zones: zones.clone(),
        balancers: Some((balancers.clone(), Wanted::default())),
        waiting: Box::new(BTreeSet::new),
        adoption: Adoption::default(),
        source,
        leadership: Leadership::Alone,
        shutdown,
        look_again: Arc::clone(&look_again),
        reporter: reporter.clone(),
    };
    let running = tokio::spawn(control.run());
    World { zones, balancers, writer, health, metrics, reporter, trigger, look_again, running }
}

impl World {
    fn cluster(&self, hosts: &[String]) {
        let ingresses = hosts.iter().map(|host| {
            let mut ingress = Ingress::default();
            ingress.metadata.name = Some(host.clone());
            ingress.metadata.annotations =
                Some([("sky.uk/frontend-scheme".to_owned(), "internal".to_owned())].into());
            let rule = IngressRule { host: Some(host.clone()), http: None };
            ingress.spec = Some(IngressSpec { rules: Some(vec![rule]), ..IngressSpec::default() });
            Arc::new(ingress)
        });
        let snapshot = ClusterSnapshot { ingresses: ingresses.collect(), ..ClusterSnapshot::default() };
        self.writer.modify(Instant::now(), |state| {
            state.snapshot = snapshot;
            state.complete = true;
            Change::Decisive
        });
    }

    /// Lets so much time pass, and everything that is due happen, and returns the calls to the zone.
    async fn after(&self, milliseconds: u64) -> Vec<String> {
        let settle = async || {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        advance(Duration::from_millis(milliseconds)).await;
        settle().await;
        self.zones.calls("Z1")
    }

    fn metric(&self, name: &str) -> String {
        let text = self.metrics.encode(Format::Text).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("feed_dns_{name}")));
        let lines = lines.filter(|line| !line.contains("example.org"));
        let mut lines: Vec<_> = lines.map(|line| line.trim_start_matches("feed_dns_")).collect();
        lines.sort_unstable();
        lines.join("\n")
    }

    fn status(&self) -> Value {
        self.reporter.status(None)
    }
}

fn hosts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("{index:02}.example.com")).collect()
}

const NONE: [&str; 0] = [];

#[tokio::test(start_paused = true)]
async fn one_host_more_is_one_call_at_once_and_quiet_costs_none_until_the_resync() {
    let world = world(&[]);
    assert_eq!(world.after(60_000).await, ["open", "list"], "nothing is changed before the cluster is known");
    world.cluster(&hosts(0..2));
    assert_eq!(world.after(0).await, ["00.example.com 01.example.com"]);
    assert_eq!((world.health.not_ready(), world.health.unhealthy()), (vec![], vec![]));
    world.cluster(&hosts(0..3));
    assert_eq!(world.after(0).await, ["02.example.com"]);
    assert_eq!(world.after(13 * 60_000).await, NONE);
    assert_eq!(world.after(60_000).await, ["list"]);
    assert_eq!(
        world.metric("route53_"),
        [
            "route53_failures{zone=\"example.com\"} 0",
            "route53_held_back_deletions{zone=\"example.com\"} 0",
            "route53_owned_records{zone=\"example.com\"} 3",
            "route53_records{zone=\"example.com\"} 3",
            "route53_updates{zone=\"example.com\"} 3",
        ]
        .join("\n")
    );
    assert_eq!(world.metric("zone_up"), "zone_up{zone=\"example.com\",zone_id=\"Z1\"} 1");
    assert!(world.metric("change_to_route53_seconds_count").ends_with(" 2"));
}

#[tokio::test(start_paused = true)]
async fn deletions_wait_until_all_of_a_burst_is_seen_and_then_meet_the_guard() {
    let names = hosts(0..20);
    let records: Vec<_> = names.iter().map(|name| alias(name)).collect();
    let world = world(&records);
    world.cluster(&names);
    assert_eq!(world.after(0).await, ["open", "list"]);
    // The Ingresses of a namespace go one after another.
    for left in (5..20).rev() {
        world.cluster(&names[..left]);
        assert_eq!(world.after(200).await, NONE);
    }
    assert_eq!(world.after(2_000).await, NONE, "15 of 20 are held back");
    let reasons = world.health.unhealthy();
    assert!(reasons[0].starts_with("15 of our 20 records have no Ingress any more"), "{reasons:?}");
    assert_eq!(world.health.not_ready(), NONE);
    assert_eq!(world.metric("route53_held_back"), "route53_held_back_deletions{zone=\"example.com\"} 15");

    world.cluster(&[names[..5].to_vec(), hosts(30..31)].concat());
    assert_eq!(world.after(0).await, ["30.example.com"], "creations are not held back");
    world.cluster(&names[..15]);
    assert_eq!(world.after(500).await, NONE);
    assert_eq!(world.health.unhealthy(), NONE);
    let deleted = [hosts(15..20), hosts(30..31)].concat().join(" ");
    assert_eq!(world.after(600).await, [deleted]);
}

#[tokio::test(start_paused = true)]
async fn what_is_new_does_not_wait_for_what_goes() {
    let names = hosts(0..60);
    let records: Vec<_> = names.iter().map(|name| alias(name)).collect();
    let world = world(&records);
    world.cluster(&names);
    world.after(5_000).await;
    let mut now = names.clone();
    let mut deleted = 0;
    for step in 0..24 {
        now.rotate_left(1);
        *now.last_mut().unwrap() = format!("new-{step}.example.com");
        world.cluster(&now);
        let calls = world.after(500).await;
        assert_eq!(calls.first().map(String::as_str), now.last().map(String::as_str), "{step}: {calls:?}");
        deleted += calls.len() - 1;
    }
    assert!((1..=3).contains(&deleted), "deletions come all the same: {deleted}");
}

#[tokio::test(start_paused = true)]
async fn the_last_ingress_gone_deletes_nothing_and_is_no_fault() {
    let world = world(&[alias("00.example.com")]);
    world.cluster(&hosts(0..1));
    world.after(0).await;
    world.cluster(&[]);
    assert_eq!(world.after(60_000).await, NONE);
    assert_eq!(world.health.unhealthy(), NONE);
    assert!(world.status()["held_back"].as_str().unwrap().starts_with("There is no Ingress at all"));
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_and_tried_again_ever_later() {
    let world = world(&[]);
    world
        .zones
        .with("Z1", |state| state.failures = std::iter::repeat_n(failure("AccessDenied"), 4).collect());
    world.cluster(&hosts(0..1));
    assert_eq!(world.after(0).await, ["open"]);
    assert_eq!(world.health.unhealthy(), ["Zone Z1: Fake failed: AccessDenied"]);
    world.cluster(&hosts(0..2));
    assert_eq!(world.after(500).await, NONE, "a change of the cluster is no reason to try again");
    assert_eq!(world.after(500).await, ["open"]);
    assert_eq!(world.after(2_000).await, ["open"]);
    assert_eq!(world.after(3_000).await, NONE);
    assert_eq!(world.after(1_000).await, ["open"]);
    assert_eq!(world.after(8_000).await, ["open", "list", "00.example.com 01.example.com"]);
    assert_eq!(world.health.unhealthy(), NONE);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_never_answered_is_told_after_a_minute_and_holds_up_no_other() {
    let world = world(&[]);
    world.zones.with("Z2", |state| state.hangs = true);
    world.cluster(&[hosts(0..1), vec!["a.example.org".to_owned()]].concat());
    assert_eq!(world.after(0).await, ["open", "list", "00.example.com"]);
    world.cluster(&[hosts(0..2), vec!["a.example.org".to_owned()]].concat());
    assert_eq!(world.after(0).await, ["01.example.com"]);
    world.after(55_000).await;
    assert_eq!(world.health.unhealthy(), NONE);
    world.after(6_000).await;
    let reasons = world.health.unhealthy();
    assert!(reasons[0].starts_with("Zone example.org (Z2) has not been read for 6"), "{reasons:?}");
    assert_eq!(world.health.not_ready(), NONE);
    assert_eq!(world.status()["zones"][1]["state"], "unread");
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_is_told_and_tried_again_ever_later() {
    let world = world(&[]);
    world.zones.with("Z1", |state| state.refused = ["00.example.com".to_owned()].into());
    world.cluster(&hosts(0..2));
    let calls = ["open", "list", "00.example.com 01.example.com", "01.example.com", "00.example.com", "list"];
    assert_eq!(world.after(0).await, calls);
    let reasons = world.health.unhealthy();
    assert!(reasons[0].contains("`00.example.com` (name='00.example.com.')"), "{reasons:?}");
    assert_eq!(world.status()["diagnostics"][0]["code"], "RecordRefused");
    let skipped = "skipped_ingress_entries{zone=\"\"} 0\nskipped_ingress_entries{zone=\"example.com\"} 1";
    assert_eq!(world.metric("skipped"), skipped);
    for pause in [5_000, 10_000, 20_000, 40_000] {
        assert_eq!(world.after(pause - 100).await, NONE);
        assert_eq!(world.after(100).await, ["00.example.com"]);
    }
    world.cluster(&hosts(0..3));
    assert_eq!(world.after(0).await, ["02.example.com"], "others do not wait for it");
    world.zones.with("Z1", |state| state.refused.clear());
    assert_eq!(world.after(80_000).await, ["00.example.com"]);
    assert_eq!(world.health.unhealthy(), NONE);
}

#[tokio::test(start_paused = true)]
async fn a_missing_load_balancer_is_looked_for_every_minute() {
    let world = world(&[]);
    let missing = vec!["There is no load balancer named x.".to_owned()];
    let found = world.balancers.0.lock().unwrap().pop_front().unwrap();
    *world.balancers.0.lock().unwrap() = [Ok(Found { missing, ..Found::default() }), found].into();
    world.cluster(&hosts(0..1));
    assert_eq!(world.after(0).await, ["open", "list"]);
    assert_eq!(
        world.health.unhealthy(),
        ["There is no load balancer named x.; No load balancer was found, so no record can be made."]
    );
    assert_eq!(world.after(59_000).await, NONE);
    assert_eq!(world.after(1_000).await, ["00.example.com"]);
    assert_eq!(world.health.unhealthy(), NONE);
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_have_everything_looked_at_again() {
    let world = world(&[]);
    world.cluster(&hosts(0..1));
    assert_eq!(world.after(0).await, ["open", "list", "00.example.com"]);
    world.look_again.notify_one();
    assert_eq!(world.after(0).await, ["list"]);
    assert_eq!(world.after(14 * 60_000).await, NONE);
}

#[tokio::test(start_paused = true)]
async fn load_balancers_that_cannot_be_looked_up_are_those_found_last() {
    let world = world(&[]);
    let found = world.balancers.0.lock().unwrap().pop_front().unwrap();
    *world.balancers.0.lock().unwrap() =
        [Err(failure("Throttling")), found, Err(failure("Throttling"))].into();
    world.cluster(&hosts(0..1));
    assert_eq!(world.after(0).await, ["open", "list"], "nothing is decided before they are known");
    assert_eq!(world.health.unhealthy(), ["Fake failed: Throttling"]);
    assert_eq!(world.after(1_000).await, ["00.example.com"]);
    assert_eq!(world.after(15 * 60_000).await, ["list"]);
    assert_eq!(world.health.unhealthy(), ["Fake failed: Throttling"]);
    world.cluster(&hosts(0..2));
    assert_eq!(world.after(0).await, ["01.example.com"]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_told_to() {
    let world = world(&[]);
    world.cluster(&hosts(0..1));
    world.after(0).await;
    world.trigger.drain();
    world.running.await.unwrap();
}
