use std::time::Duration;

use feed_reconcile::key::ObjectName;
use serde_json::{Value, json};

use super::*;
use crate::runtime::kubernetes::script::{Call, Feed, Script, script};
use crate::runtime::source::{SourceState, channel};

const INGRESSES: &str = "GET /apis/networking.k8s.io/v1/ingresses";
const SERVICES: &str = "GET /api/v1/services";

/// A source and the API server that the test plays for it.
struct World {
    script: Script,
    reader: SourceReader,
    health: Health,
}

impl World {
    fn new(kinds: &[ObjectKind]) -> Self {
        Self::keeping_keys(kinds, true)
    }

    fn keeping_keys(kinds: &[ObjectKind], with_keys: bool) -> Self {
        let kinds = kinds.iter().copied().collect();
        let (writer, reader) = channel(&kinds);
        let observe = ObserveLayer::new(ApiCalls::default()).with_freshness(writer.freshness().clone());
        let (client, script) = script(&observe);
        let health = Health::new();
        tokio::spawn(KubeSource { client, kinds, writer, health: health.clone(), with_keys }.run());
        Self { script, reader, health }
    }

    /// A world in which these Ingresses have been listed, and the watch that goes on from version 7.
    async fn with_ingresses(ingresses: &[Value]) -> (Self, Feed) {
        let mut world = Self::new(&[ObjectKind::Ingress]);
        world.script.expect(INGRESSES).await.answer(&list("7", ingresses));
        let feed = world.watch("7").await.stream();
        (world, feed)
    }

    /// The next call, which must be the Ingresses' watch from that version.
    async fn watch(&mut self, version: &str) -> Call {
        self.script.expect(&format!("{INGRESSES}?watch=true&resourceVersion={version}")).await
    }

    async fn state(&mut self) -> SourceState {
        tokio::time::timeout(Duration::from_mins(1), self.reader.changed()).await.expect("nothing changes")
    }

    /// The names of the Ingresses in the next state.
    async fn names(&mut self) -> Vec<String> {
        self.state().await.snapshot.ingresses.iter().map(|(name, _)| name.name.to_string()).collect()
    }

    /// Waits until the source has done what it can do for now.
    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

fn list(version: &str, items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items})
}

fn ingress(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "n", "resourceVersion": version},
        "spec": {"rules": [{"host": format!("{name}.example.com")}]},
    })
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_listed_and_then_watched() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1"), ingress("b", "2")]).await;
    assert_eq!(world.names().await, ["a", "b"]);
    assert!(world.health.unhealthy().is_empty());
    feed.send("ADDED", &ingress("c", "8"));
    assert_eq!(world.names().await, ["a", "b", "c"]);
    feed.send("DELETED", &ingress("a", "9"));
    assert_eq!(world.names().await, ["b", "c"]);
    let mut changed = ingress("b", "10");
    changed["spec"]["rules"][0]["host"] = json!("other.example.com");
    feed.send("MODIFIED", &changed);
    let state = world.state().await;
    let b = state.snapshot.ingresses.get(&ObjectName::new("n", "b")).unwrap();
    assert_eq!(b.spec.clone().unwrap().rules.unwrap()[0].host.as_deref(), Some("other.example.com"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_before_every_kind_is_listed() {
    let mut world = World::new(&[ObjectKind::Ingress, ObjectKind::Service]);
    let (first, second) = (world.script.call().await, world.script.call().await);
    let (ingresses, services) = if first.request == INGRESSES { (first, second) } else { (second, first) };
    assert_eq!(services.request, SERVICES);
    assert_eq!(
        world.health.not_ready(),
        [
            "The cluster's ingresses.networking.k8s.io have not been listed yet.",
            "The cluster's services have not been listed yet.",
        ]
    );
    ingresses.answer(&list("7", &[ingress("a", "1")]));
    world.settle().await;
    assert!(!world.reader.subscribe().borrow().complete);
    assert_eq!(world.health.unhealthy(), ["The cluster's services have not been listed yet."]);
    services.answer(&list("7", &[]));
    assert_eq!(world.names().await, ["a"]);
    assert!(world.health.unhealthy().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_empty_cluster_is_a_state_too() {
    let (mut world, _feed) = World::with_ingresses(&[]).await;
    assert!(world.state().await.complete);
}

#[tokio::test(start_paused = true)]
async fn pages_are_listed_together() {
    let mut world = World::new(&[ObjectKind::Ingress]);
    let mut page = list("7", &[ingress("a", "1")]);
    page["metadata"]["continue"] = json!("more");
    world.script.expect(INGRESSES).await.answer(&page);
    let second = world.script.expect(&format!("{INGRESSES}?continue=more")).await;
    assert!(!world.reader.subscribe().borrow().complete);
    second.answer(&list("7", &[ingress("b", "2")]));
    assert_eq!(world.names().await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_is_listed_anew_without_a_gap() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1"), ingress("b", "2")]).await;
    let before = world.state().await.snapshot;
    feed.send("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    let relist = world.script.expect(INGRESSES).await;
    assert_eq!(
        world.reader.subscribe().borrow().snapshot.ingresses.len(),
        2,
        "the last state stays meanwhile"
    );
    relist.answer(&list("20", &[ingress("b", "2"), ingress("c", "15")]));
    let after = world.state().await.snapshot;
    let changed: Vec<String> =
        before.ingresses.changed(&after.ingresses).iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["n/a", "n/c"], "b is the very same");
    world.watch("20").await;
}

#[tokio::test(start_paused = true)]
async fn an_equal_listing_changes_nothing() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1")]).await;
    let before = world.state().await.snapshot;
    feed.send("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    world.script.expect(INGRESSES).await.answer(&list("20", &[ingress("a", "1")]));
    world.watch("20").await;
    let state = world.reader.subscribe().borrow().clone();
    assert_eq!(state.changed_at, None);
    assert!(before.ingresses.changed(&state.snapshot.ingresses).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_expired_while_the_api_server_was_away_is_listed_anew_at_once() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1")]).await;
    world.names().await;
    feed.fail();
    for _ in 0..10 {
        world.watch("7").await.fail();
    }
    let feed = world.watch("7").await.stream();
    let back = tokio::time::Instant::now();
    feed.send("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    let relist = world.script.expect(INGRESSES).await;
    assert!(back.elapsed() < Duration::from_secs(1), "{:?}", back.elapsed());
    relist.answer(&list("20", &[ingress("a", "1")]));
    let feed = world.watch("20").await.stream();
    let again = tokio::time::Instant::now();
    feed.send("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    world.script.expect(INGRESSES).await;
    // The second pause is at least twice the first one's least, 300 ms.
    assert!(
        again.elapsed() >= Duration::from_millis(600),
        "a listing that expires at once is not repeated without end: {:?}",
        again.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_where_it_was() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1")]).await;
    world.names().await;
    feed.send("ADDED", &ingress("b", "12"));
    assert_eq!(world.names().await, ["a", "b"]);
    feed.fail();
    let feed = world.watch("12").await.stream();
    let bookmark = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"resourceVersion": "30"}});
    feed.send("BOOKMARK", &bookmark);
    drop(feed);
    world.watch("30").await;
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_away_the_state_stays_and_its_age_grows() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1")]).await;
    world.names().await;
    assert_eq!(world.reader.freshness().age(), Some(Duration::ZERO));
    feed.fail();
    let lost = tokio::time::Instant::now();
    let away = Duration::from_mins(2);
    let mut tries = 0;
    while lost.elapsed() < away {
        world.watch("7").await.fail();
        tries += 1;
        let age = world.reader.freshness().age().unwrap();
        assert!(age <= lost.elapsed() && lost.elapsed() < age + Duration::from_secs(2), "{age:?}");
        assert!(world.health.unhealthy().is_empty(), "a pod that serves is healthy");
    }
    assert!((8..60).contains(&tries), "{tries} tries in two minutes");
    assert_eq!(world.reader.subscribe().borrow().snapshot.ingresses.len(), 1);
    let _feed = world.watch("7").await.stream();
    world.settle().await;
    assert_eq!(world.reader.freshness().age(), Some(Duration::ZERO), "although nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn what_we_may_not_list_is_named() {
    let mut world = World::new(&[ObjectKind::Ingress]);
    let message = "ingresses.networking.k8s.io is forbidden: User \"x\" cannot list resource \"ingresses\"";
    world.script.expect(INGRESSES).await.refuse(403, message);
    let again = world.script.expect(INGRESSES).await;
    let expected = format!(
        "The cluster's ingresses.networking.k8s.io have not been listed yet: we may not list \
         ingresses.networking.k8s.io, which our ClusterRole should allow: {message}."
    );
    assert_eq!(world.health.unhealthy(), [expected]);
    again.answer(&list("7", &[]));
    world.state().await;
    assert!(world.health.unhealthy().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_named() {
    let mut world = World::new(&[ObjectKind::Ingress]);
    world.script.expect(INGRESSES).await.fail();
    world.script.expect(INGRESSES).await;
    assert_eq!(
        world.health.unhealthy(),
        ["The cluster's ingresses.networking.k8s.io have not been listed yet: cannot list \
          ingresses.networking.k8s.io: connection refused."]
    );
}

#[tokio::test(start_paused = true)]
async fn a_malformed_object_leaves_its_last_good_version_and_all_others() {
    let broken = |name, version| {
        let mut broken = ingress(name, version);
        broken["spec"]["rules"] = json!("nope");
        broken
    };
    let (mut world, feed) = World::with_ingresses(&[broken("a", "1"), ingress("b", "2")]).await;
    let state = world.state().await;
    assert_eq!(state.snapshot.ingresses.len(), 1);
    let told: Vec<String> =
        state.diagnostics.iter().map(|it| format!("{} {}: {}", it.object, it.code, it.message)).collect();
    assert_eq!(
        told,
        [
            "Ingress n/a InvalidManifest: The API server's version of it cannot be understood, so it is left out: \
          Invalid type string \"nope\". Expected a sequence."
        ]
    );

    let unreadable = |state: &SourceState| -> Vec<String> {
        state.snapshot.unreadable.iter().map(ToString::to_string).collect()
    };
    assert_eq!(unreadable(&state), ["Ingress n/a"]);

    feed.send("MODIFIED", &broken("b", "8"));
    let state = world.state().await;
    assert_eq!(unreadable(&state), ["Ingress n/a"], "there is a version of b that can be read");
    assert_eq!(state.snapshot.ingresses.len(), 1, "the last good version of b stays");
    assert_eq!(state.diagnostics.len(), 2);

    feed.send("ERROR", &json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}));
    world.script.expect(INGRESSES).await.answer(&list("20", &[broken("b", "8"), ingress("c", "9")]));
    let state = world.state().await;
    assert_eq!(state.snapshot.ingresses.len(), 2, "b stays even so");
    assert_eq!(state.diagnostics.len(), 1, "a is gone");
    assert_eq!(unreadable(&state), [""; 0]);

    let feed = world.watch("20").await.stream();
    feed.send("MODIFIED", &ingress("b", "21"));
    assert!(world.state().await.diagnostics.is_empty());
    feed.send("MODIFIED", &broken("c", "22"));
    assert_eq!(world.state().await.diagnostics.len(), 1);
    feed.send("DELETED", &broken("c", "23"));
    let state = world.state().await;
    assert_eq!((state.snapshot.ingresses.len(), state.diagnostics.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_status_alone_wakes_nobody_who_decides() {
    let (mut world, feed) = World::with_ingresses(&[ingress("a", "1")]).await;
    world.names().await;
    let mut written = ingress("a", "8");
    written["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    let mut looking = world.reader.subscribe();
    feed.send("MODIFIED", &written);
    looking.changed().await.unwrap();
    let state = looking.borrow().clone();
    assert_eq!(state.changed_at, None);
    let a = state.snapshot.ingresses.get(&ObjectName::new("n", "a")).unwrap();
    assert!(a.status.is_some(), "who writes it sees it");
}

#[tokio::test(start_paused = true)]
async fn of_secrets_only_certificates_are_asked_for() {
    for (with_keys, expected) in [(true, vec!["tls.key"]), (false, vec![])] {
        let mut world = World::keeping_keys(&[ObjectKind::Secret], with_keys);
        let call = world.script.expect("GET /api/v1/secrets?fieldSelector=type%3Dkubernetes.io%2Ftls").await;
        let secret = json!({
            "metadata": {"name": "a", "namespace": "n", "resourceVersion": "1"},
            "type": "kubernetes.io/tls", "data": {"tls.key": "c2VjcmV0", "ca.crt": "b3RoZXI="},
        });
        call.answer(&list("7", &[secret]));
        let state = world.state().await;
        let secret = state.snapshot.secrets.get(&ObjectName::new("n", "a")).unwrap();
        let names: Vec<_> = secret.data.iter().flatten().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected);
    }
}
