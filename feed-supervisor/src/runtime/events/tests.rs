use std::sync::Arc;

use feed_reconcile::diagnostic::{Code, Diagnostic, Field};
use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::kubernetes::script::{Script, script};

const EVENTS: &str = "/api/v1/namespaces/shop/events";
const NAME: &str = "web.0123.servicenotfound";

fn diagnostics(messages: &[&str]) -> Arc<Diagnostics> {
    let one = |message: &&str| Diagnostic {
        object: ObjectKey { kind: ObjectKind::Ingress, name: ObjectName::new("shop", "web") },
        field: Field::default(),
        code: Code::ServiceNotFound,
        message: (*message).to_owned(),
        help: None,
        related: None,
    };
    Arc::new(messages.iter().map(one).collect())
}

/// A publisher, and the API server that the test plays for it.
struct World {
    script: Script,
    held: watch::Sender<Option<Instant>>,
    diagnostics: watch::Sender<Arc<Diagnostics>>,
    _state: watch::Sender<SourceState>,
    publishing: tokio::task::JoinHandle<()>,
}

impl World {
    fn new() -> Self {
        let (client, script) = script(&ObserveLayer::new(ApiCalls::default()));
        let (held, claim) = Claim::for_tests(Duration::from_secs(5));
        let mut known = SourceState::default();
        let ingress: Ingress =
            serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "web", "uid": "0123"}}))
                .unwrap();
        known.snapshot.ingresses.insert(Arc::new(ingress));
        let (state, states) = watch::channel(known);
        let (diagnostics, all) = watch::channel(diagnostics(&["no basket"]));
        let publisher = Publisher {
            client,
            claim,
            component: "feed-ingress",
            identity: "me".into(),
            state: states,
            clock: Clock::start(),
            journal: Journal::default(),
            told: BTreeSet::new(),
        };
        let publishing = tokio::spawn(publisher.run(all));
        Self { script, held, diagnostics, _state: state, publishing }
    }

    fn hold(&self) {
        self.held.send_replace(Some(Instant::now() + Duration::from_hours(2)));
    }

    /// The Event is looked for and is not there: what is created.
    async fn created(&mut self) -> Value {
        self.script.expect(&format!("GET {EVENTS}/{NAME}")).await.refuse(404, "not found");
        let create = self.script.expect(&format!("POST {EVENTS}")).await;
        let event = create.body.clone();
        create.answer(&event);
        event
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.publishing.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_holds_no_lease_writes_nothing() {
    let mut world = World::new();
    assert!(world.script.call_within(Duration::from_mins(1)).await.is_none());
    world.hold();
    let event = world.created().await;
    assert_eq!(event["involvedObject"]["uid"], "0123");
    let told = [&event["type"], &event["reason"], &event["message"], &event["count"]];
    assert_eq!(told, [&json!("Warning"), &json!("ServiceNotFound"), &json!("no basket"), &json!(1)]);
    assert!(world.script.call_within(Duration::from_mins(20)).await.is_none(), "it is told already");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_there_is_counted_on() {
    let mut world = World::new();
    world.hold();
    let mut event = world.created().await;
    world.diagnostics.send_replace(diagnostics(&["no basket", "no cart"]));
    let get = world.script.expect(&format!("GET {EVENTS}/{NAME}")).await;
    event["count"] = json!(7);
    get.answer(&event);
    let patch = world.script.expect(&format!("PATCH {EVENTS}/{NAME}")).await;
    assert_eq!(patch.body["count"], 8);
    assert_eq!(patch.body["message"], "no basket (1 more like this.)");
    patch.answer(&event);
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_writes_nothing_that_was_just_written() {
    let mut world = World::new();
    world.hold();
    let event = world.created().await;
    world.held.send_replace(None);
    tokio::task::yield_now().await;
    world.hold();
    world.script.expect(&format!("GET {EVENTS}/{NAME}")).await.answer(&event);
    assert!(world.script.call_within(Duration::from_mins(20)).await.is_none(), "it is as it should be");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_tried_again() {
    let mut world = World::new();
    world.hold();
    world.script.expect(&format!("GET {EVENTS}/{NAME}")).await.refuse(403, "events is forbidden");
    assert_eq!(world.created().await["message"], "no basket");
}

#[test]
fn names_are_names() {
    let subject =
        |name: &str| Subject { ingress: ObjectName::new("shop", name), code: Code::CertificateKeyMismatch };
    assert_eq!(name(&subject("web"), "0123"), "web.0123.certificatekeymismatch");
    let uid = "6e5e8ae2-3e0b-4f57-9f3a-6f3c1e7f2a10";
    assert!(name(&subject(&"a".repeat(253)), uid).len() <= 253);
    assert!(
        name(&subject(&format!("{}-b", "a".repeat(LONGEST_NAME - 1))), uid)
            .starts_with(&format!("{}.6", "a".repeat(LONGEST_NAME - 1)))
    );
}
