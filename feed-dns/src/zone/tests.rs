use std::cell::Cell;

use feed_reconcile::dns::{Action, Change, Endpoint, RecordName, Target};

use super::*;
use crate::fake::{FakeZone, failure};

fn creations(names: impl IntoIterator<Item = usize>) -> Vec<NameChange> {
    let target = Target::Hostname { ttl_seconds: 60 };
    let endpoint = Endpoint { dns_name: RecordName::new("lb.example.net"), target };
    names
        .into_iter()
        .map(|index| {
            let name = RecordName::new(&format!("{index}.example.com"));
            let records = endpoint.records(&name).into_iter();
            let changes = records.map(|record| Change { action: Action::Create, record }).collect();
            NameChange { name, changes, ingress: None }
        })
        .collect()
}

fn refused(applied: &Applied) -> Vec<String> {
    applied.refused.iter().map(|(change, reason)| format!("{}: {reason}", change.name)).collect()
}

#[tokio::test]
async fn what_is_possible_is_done_and_the_rest_is_told() {
    for silent in [false, true] {
        let zone = FakeZone::new([]);
        zone.with(|state| {
            state.refused = ["3.example.com".to_owned()].into();
            state.silent = silent;
        });
        let applied = apply(&zone, creations(0..6), || true).await;
        assert_eq!(applied.accepted.len(), 5);
        assert_eq!(zone.with(|state| state.records.len()), 5);
        let reason = if silent { "no" } else { "name='3.example.com.'" };
        assert_eq!(refused(&applied), [format!("3.example.com: {reason}")]);
        assert_eq!(applied.failure, None);
    }
}

#[tokio::test]
async fn a_call_that_fails_ends_it() {
    let zone = FakeZone::new([]);
    zone.with(|state| state.failures = [failure("AccessDenied")].into());
    let applied = apply(&zone, creations(0..1_500), || true).await;
    assert_eq!(applied, Applied { failure: Some(failure("AccessDenied")), ..Applied::default() });
    assert_eq!(zone.calls().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_once_it_may_not_write() {
    let zone = FakeZone::new([]);
    let left = Cell::new(1);
    let applied = apply(&zone, creations(0..3_000), || left.replace(left.get() - 1) > 0).await;
    assert_eq!((zone.calls().len(), applied.failure), (1, None));
    assert_eq!(applied.accepted.len(), zone.with(|state| state.records.len()));
}

#[tokio::test]
async fn a_zone_that_refuses_everything_is_given_up_soon() {
    let zone = FakeZone::new([]);
    zone.with(|state| {
        state.refused = (0..1_000).map(|index| format!("{index}.example.com")).collect();
        state.silent = true;
    });
    let applied = apply(&zone, creations(0..1_000), || true).await;
    assert_eq!((applied.accepted.len(), applied.refused.len()), (0, MAX_REFUSED));
    assert!(zone.calls().len() < 100);
}
