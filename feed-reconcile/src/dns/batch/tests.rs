use super::*;
use crate::dns::{Change, RecordName, RecordSet, RecordType};

fn change(index: usize, action: Action, data: &RecordData) -> NameChange {
    let name = RecordName::new(&format!("{index}.example.com"));
    let record =
        RecordSet { name: name.clone(), record_type: RecordType::A, data: data.clone(), routing: None };
    NameChange { name, changes: vec![Change { action, record }], ingress: None }
}

fn alias() -> RecordData {
    RecordData::Alias { dns_name: "lb".to_owned(), zone_id: "Z".to_owned(), evaluate_target_health: false }
}

fn values(count: usize, length: usize) -> RecordData {
    RecordData::Values { ttl_seconds: 1, values: vec!["x".repeat(length); count] }
}

fn sizes(count: usize, action: Action, data: &RecordData) -> Vec<usize> {
    let changes: Vec<_> = (0..count).map(|index| change(index, action, data)).collect();
    let batches = batches(changes.clone(), BatchLimits::default());
    let joined: Vec<_> = batches.iter().flat_map(|batch| batch.changes.clone()).collect();
    assert_eq!(joined, changes, "nothing lost, nothing reordered");
    batches.iter().map(Batch::len).collect()
}

#[test]
fn calls_are_as_full_as_the_limits_allow() {
    assert_eq!(sizes(0, Action::Create, &alias()), [0; 0]);
    assert_eq!(sizes(1_000, Action::Create, &alias()), [1_000]);
    assert_eq!(sizes(1_001, Action::Create, &alias()), [1_000, 1]);
    assert_eq!(sizes(1_000, Action::Upsert, &alias()), [500, 500]);
    assert_eq!(sizes(1_000, Action::Delete, &alias()), [1_000]);
    assert_eq!(sizes(1_000, Action::Create, &values(1, 32)), [1_000]);
    assert_eq!(sizes(1_000, Action::Create, &values(1, 33)), [969, 31]);
    assert_eq!(sizes(1_000, Action::Upsert, &values(1, 64)), [250, 250, 250, 250]);
    assert_eq!(sizes(4, Action::Delete, &values(400, 7)), [2, 2]);
}

#[test]
fn a_name_is_never_cut_in_two_even_when_it_is_over_the_limits() {
    assert_eq!(sizes(3, Action::Create, &values(1, 40_000)), [1, 1, 1]);

    let mut pair = change(1, Action::Create, &alias());
    pair.changes.extend(change(1, Action::Create, &alias()).changes);
    let limits = BatchLimits { records: 3, characters: 10 };
    let batches = batches(vec![pair.clone(), pair.clone()], limits);
    assert_eq!(batches, [Batch { changes: vec![pair.clone()] }, Batch { changes: vec![pair] }]);
}

#[test]
fn halving_ends_at_every_single_change() {
    let changes: Vec<_> = (0..7).map(|index| change(index, Action::Create, &alias())).collect();
    let mut open = vec![Batch { changes: changes.clone() }];
    let mut alone = Vec::new();
    while let Some(batch) = open.pop() {
        match batch.halves() {
            Some((first, second)) => open.extend([second, first]),
            None => alone.extend(batch.changes),
        }
    }
    assert_eq!(alone, changes);
}
