use serde_json::{Value, json};

use super::*;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::kubernetes::script::{Script, script};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/feed/leases";
const DURATION: Duration = Duration::from_secs(15);

/// A participant and the API server that the test plays for it.
struct World {
    script: Script,
    claim: Claim,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    run: tokio::task::JoinHandle<()>,
}

impl World {
    fn new() -> Self {
        let (client, script) = script(&ObserveLayer::new(ApiCalls::default()));
        let config = LeaseConfig {
            name: "feed-ingress-main".to_owned(),
            namespace: Some("feed".to_owned()),
            duration: DURATION,
        };
        let (participant, claim) = Participant::new(client, &config, "me");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let run = tokio::spawn(participant.run(async {
            drop(stopped.await);
        }));
        Self { script, claim, stop: Some(stop), run }
    }

    /// A participant that has just got the Lease; what it wrote.
    async fn holding() -> (Self, Value) {
        let mut world = Self::new();
        world.get().await.refuse(404, "leases \"feed-ingress-main\" not found");
        let create = world.script.expect(&format!("POST {LEASES}")).await;
        let lease = taken(&create.body, "1");
        create.answer(&lease);
        world.claim.held().await;
        (world, lease)
    }

    async fn get(&mut self) -> crate::runtime::kubernetes::script::Call {
        self.script.expect(&format!("GET {LEASES}/feed-ingress-main")).await
    }

    async fn put(&mut self) -> crate::runtime::kubernetes::script::Call {
        self.script.expect(&format!("PUT {LEASES}/feed-ingress-main")).await
    }
}

/// What the API server keeps of a write.
fn taken(written: &Value, version: &str) -> Value {
    let mut lease = written.clone();
    lease["apiVersion"] = json!("coordination.k8s.io/v1");
    lease["kind"] = json!("Lease");
    lease["metadata"]["resourceVersion"] = json!(version);
    lease["metadata"]["namespace"] = json!("feed");
    lease
}

fn theirs(version: &str, renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "feed-ingress-main", "namespace": "feed", "resourceVersion": version},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": renewed},
    })
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_there_is_created_and_renewed_every_third() {
    let (mut world, lease) = World::holding().await;
    assert_eq!(lease["spec"]["holderIdentity"], "me");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    let created = Instant::now();
    assert!(world.claim.is_held());
    assert_eq!(world.claim.longest_action(), Duration::from_secs(5));
    let get = world.get().await;
    assert!((created.elapsed().as_secs_f64() - 5.0).abs() < 0.1, "{:?}", created.elapsed());
    get.answer(&lease);
    let put = world.put().await;
    assert_eq!(put.body["metadata"]["resourceVersion"], "1", "over the version that was read");
    let lease = taken(&put.body, "2");
    put.answer(&lease);
    world.get().await;
    assert!((created.elapsed().as_secs_f64() - 10.0).abs() < 0.1, "{:?}", created.elapsed());
}

#[tokio::test(start_paused = true)]
async fn another_holder_is_waited_for() {
    let mut world = World::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_mins(1) {
        let version = started.elapsed().as_secs() / 5;
        let renewed = format!("2026-11-23T00:00:{version:02}.000000Z");
        world.get().await.answer(&theirs(&version.to_string(), &renewed));
        assert!(!world.claim.is_held());
    }
    let silent_since = Instant::now();
    let put = loop {
        let call = world.script.call().await;
        if call.request.starts_with("PUT") {
            break call;
        }
        call.answer(&theirs("12", "2026-11-23T00:00:12.000000Z"));
    };
    assert!(silent_since.elapsed() > Duration::from_secs(10), "{:?}", silent_since.elapsed());
    let lease = taken(&put.body, "13");
    put.answer(&lease);
    world.claim.held().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_slower_than_another_does_not_hold_it() {
    let mut world = World::new();
    world.get().await.refuse(404, "not found");
    world.script.expect(&format!("POST {LEASES}")).await.refuse(409, "already exists");
    world.get().await.answer(&theirs("1", "2026-11-23T00:00:00.000000Z"));
    world.get().await;
    assert!(!world.claim.is_held());
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_claim_ends_before_the_term_does() {
    let (mut world, _) = World::holding().await;
    let held_since = Instant::now();
    let mut tries = Vec::new();
    while held_since.elapsed() < DURATION {
        // The answers do not come.
        tries.push(world.get().await);
        let is_early = held_since.elapsed() < DURATION * 2 / 3;
        assert_eq!(world.claim.is_held(), is_early, "{:?}", held_since.elapsed());
    }
    assert!(tries.len() > 2, "it was tried again");
}

#[tokio::test(start_paused = true)]
async fn who_lost_it_stops_at_once() {
    let (mut world, _) = World::holding().await;
    world.get().await.answer(&theirs("9", "2026-11-23T00:00:00.000000Z"));
    world.get().await;
    assert!(!world.claim.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_graceful_exit_releases_it() {
    let (mut world, lease) = World::holding().await;
    drop(world.stop.take());
    let get = world.get().await;
    assert!(!world.claim.is_held(), "nothing is begun any more");
    get.answer(&lease);
    let put = world.put().await;
    assert_eq!(put.body["spec"]["holderIdentity"], Value::Null);
    let lease = taken(&put.body, "2");
    put.answer(&lease);
    world.run.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_exit_does_not_wait_for_an_api_server_that_is_away() {
    let (mut world, _) = World::holding().await;
    drop(world.stop.take());
    let unanswered = world.get().await;
    let started = Instant::now();
    world.run.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(!world.claim.is_held());
    drop(unanswered);
}

#[test]
fn the_identity_names_host_and_process() {
    let identity = identity();
    let (host, process) = identity.rsplit_once('_').unwrap();
    assert!(!host.is_empty());
    assert_eq!(process, std::process::id().to_string());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_claim_can_be_waited_for() {
    let (publish, mut claim) = Claim::for_tests(DURATION / 3);
    claim.lost().await;
    let start = Instant::now();
    publish.send_replace(Some(start + DURATION));
    assert!(timeout(DURATION / 2, claim.lost()).await.is_err());
    publish.send_replace(Some(start + DURATION * 2));
    claim.lost().await;
    assert_eq!(start.elapsed().as_secs(), 30, "as long as it is renewed, it is not lost");
    publish.send_replace(Some(Instant::now() + DURATION));
    drop(publish);
    claim.lost().await;
    assert_eq!(start.elapsed().as_secs(), 45);
}
