use feed_reconcile::host::Host;
use serde_json::Value;

use super::*;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::kubernetes::script::{Call, Script, script};

/// A writer and the API server that the test plays for it.
struct World {
    script: Script,
    held_until: watch::Sender<Option<Instant>>,
    state: watch::Sender<SourceState>,
    endpoints: watch::Sender<BTreeSet<(Scheme, Endpoint)>>,
}

impl World {
    /// A writer that holds the Lease for an hour.
    fn new(ingresses: &[Value]) -> Self {
        let (client, script) = script(&ObserveLayer::new(ApiCalls::default()));
        let (held_until, claim) = Claim::for_tests(Duration::from_secs(5));
        held_until.send_replace(Some(Instant::now() + Duration::from_hours(1)));
        let adoption = Adoption { class: Some("main".to_owned()), ..Adoption::default() };
        let endpoints = BTreeSet::from([
            (Scheme::Internal, Endpoint::Ip("192.0.2.1".parse().unwrap())),
            (Scheme::InternetFacing, Endpoint::Name(Host::new("lb.example.com").unwrap())),
        ]);
        let (endpoints, known) = watch::channel(endpoints);
        let (state, states) = watch::channel(state(ingresses));
        tokio::spawn(StatusWriter::new(client, claim, adoption, known).run(states));
        Self { script, held_until, state, endpoints }
    }

    /// The next call, which must write the status of that Ingress.
    async fn patch(&mut self, name: &str) -> Call {
        let path = format!("PATCH /apis/networking.k8s.io/v1/namespaces/n/ingresses/{name}/status");
        self.script.expect(&path).await
    }

    async fn get(&mut self, name: &str) -> Call {
        self.script.expect(&format!("GET /apis/networking.k8s.io/v1/namespaces/n/ingresses/{name}")).await
    }

    fn cluster_has(&self, ingresses: &[Value]) {
        self.state.send_replace(state(ingresses));
    }

    /// Nothing is called for that long.
    async fn is_quiet_for(&mut self, time: Duration) {
        let call = self.script.call_within(time).await.map(|call| call.request);
        assert_eq!(call, None);
    }
}

fn state(ingresses: &[Value]) -> SourceState {
    let ingresses =
        ingresses.iter().map(|ingress| Arc::new(serde_json::from_value(ingress.clone()).unwrap()));
    let snapshot = ClusterSnapshot { ingresses: ingresses.collect(), ..ClusterSnapshot::default() };
    SourceState { snapshot, complete: true, ..SourceState::default() }
}

fn ingress(name: &str, version: &str, class: &str, addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses.iter().map(|address| json!({"ip": address})).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": name, "namespace": "n", "resourceVersion": version,
            "annotations": {"sky.uk/frontend-scheme": "internal"},
        },
        "spec": {"ingressClassName": class},
        "status": {"loadBalancer": {"ingress": addresses}},
    })
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_replaced_over_the_version_that_was_seen() {
    let mut world = World::new(&[
        ingress("missing", "3", "main", &[]),
        ingress("other-class", "4", "other", &["198.51.100.7"]),
        ingress("right", "5", "main", &["192.0.2.1"]),
    ]);
    let call = world.patch("missing").await;
    let expected = json!({
        "metadata": {"resourceVersion": "3"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    });
    assert_eq!(call.body, expected);
    call.answer(&ingress("missing", "6", "main", &["192.0.2.1"]));
    world.is_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_ingress_that_is_no_longer_ours_loses_our_entries_alone() {
    let mut world = World::new(&[ingress("left", "3", "other", &["198.51.100.7", "192.0.2.1"])]);
    let call = world.patch("left").await;
    assert_eq!(call.body["status"]["loadBalancer"]["ingress"], json!([{"ip": "198.51.100.7"}]));
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_that_is_found_later_is_written_at_once() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.answer(&ingress("a", "4", "main", &["192.0.2.1"]));
    world.cluster_has(&[ingress("a", "4", "main", &["192.0.2.1"])]);
    world.is_quiet_for(Duration::from_secs(5)).await;
    let replacement = Endpoint::Ip("192.0.2.9".parse().unwrap());
    world.endpoints.send_replace(BTreeSet::from([(Scheme::Internal, replacement)]));
    let call = world.patch("a").await;
    assert_eq!(call.body["status"]["loadBalancer"]["ingress"], json!([{"ip": "192.0.2.9"}]));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_settled_on_the_fresh_object() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.refuse(409, "the object has been modified");
    world.get("a").await.answer(&ingress("a", "8", "main", &["198.51.100.7"]));
    let call = world.patch("a").await;
    assert_eq!(call.body["metadata"]["resourceVersion"], "8");
    call.answer(&ingress("a", "9", "main", &["192.0.2.1"]));
    world.is_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn another_replica_having_written_the_same_is_success() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.refuse(409, "the object has been modified");
    world.get("a").await.answer(&ingress("a", "8", "main", &["192.0.2.1"]));
    world.is_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn an_ingress_whose_class_changed_meanwhile_is_not_written() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.refuse(409, "the object has been modified");
    world.get("a").await.answer(&ingress("a", "8", "other", &[]));
    world.is_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_is_let_go() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.refuse(404, "not found");
    world.is_quiet_for(Duration::from_mins(1)).await;
}

#[tokio::test(start_paused = true)]
async fn changes_are_written_when_they_come() {
    let mut world = World::new(&[]);
    world.is_quiet_for(Duration::from_mins(1)).await;
    world.cluster_has(&[ingress("a", "3", "main", &[])]);
    world.patch("a").await.answer(&ingress("a", "4", "main", &["192.0.2.1"]));
    world.is_quiet_for(Duration::from_mins(1)).await;
    world.cluster_has(&[ingress("a", "5", "main", &["198.51.100.7"])]);
    assert_eq!(world.patch("a").await.body["metadata"]["resourceVersion"], "5", "somebody wrote over it");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_without_the_lease() {
    let mut world = World::new(&[]);
    world.is_quiet_for(Duration::from_secs(5)).await;
    world.held_until.send_replace(Some(Instant::now()));
    world.cluster_has(&[ingress("a", "3", "main", &[])]);
    world.is_quiet_for(Duration::from_mins(5)).await;
    world.held_until.send_replace(Some(Instant::now() + Duration::from_secs(10)));
    world.patch("a").await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_looked_at_before_each_write() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    let call = world.patch("a").await;
    world.held_until.send_replace(None);
    call.refuse(409, "the object has been modified");
    world.get("a").await.answer(&ingress("a", "8", "main", &[]));
    world.is_quiet_for(Duration::from_mins(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_is_tried_again_ever_later() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    let mut tries = Vec::new();
    while tries.len() < 9 {
        world.patch("a").await.refuse(403, "forbidden");
        tries.push(Instant::now());
    }
    let waits: Vec<u64> = tries.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(waits, [2, 4, 8, 16, 32, 64, 120, 120]);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_is_given_up_in_time() {
    let mut world = World::new(&[ingress("a", "3", "main", &[])]);
    let unanswered = world.patch("a").await;
    let begun = Instant::now();
    let again = world.patch("a").await;
    assert!((6..9).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drop((unanswered, again));
}

#[tokio::test(start_paused = true)]
async fn writes_are_limited_in_number_and_rate() {
    let names: Vec<String> = (0..120).map(|number| format!("a{number:03}")).collect();
    let ingresses: Vec<Value> = names.iter().map(|name| ingress(name, "3", "main", &[])).collect();
    let mut world = World::new(&ingresses);
    let begun = Instant::now();
    let mut waiting = Vec::new();
    for _ in 0..CONCURRENT_WRITES {
        waiting.push(world.script.call().await);
    }
    assert!(world.script.call_within(Duration::from_millis(10)).await.is_none(), "too many at a time");
    let mut written = waiting.len();
    for call in waiting {
        call.answer(&ingress("a", "4", "main", &[]));
    }
    while written < names.len() {
        world.script.call().await.answer(&ingress("a", "4", "main", &[]));
        written += 1;
    }
    assert_eq!(begun.elapsed().as_secs(), 2, "{WRITES_PER_PERIOD} a second");
    world.is_quiet_for(Duration::from_mins(1)).await;
}
