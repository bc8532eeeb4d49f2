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

/// How many calls it takes to find these bad changes among `count`, and that all others are accepted.
fn calls(count: usize, bad: &[usize], messages: impl Fn(&Batch) -> Vec<String>) -> usize {
    let is_bad =
        |change: &NameChange| bad.iter().any(|index| change.name.as_str() == format!("{index}.example.com"));
    let changes = (0..count).map(|index| change(index, Action::Create, &alias())).collect();
    let (mut open, mut calls) = (vec![Batch { changes }], 0);
    let (mut accepted, mut refused) = (0, Vec::new());
    while let Some(batch) = open.pop() {
        calls += 1;
        if !batch.changes.iter().any(is_bad) {
            accepted += batch.changes.len();
            continue;
        }
        let parts = batch.split(&messages(&batch));
        if parts.is_empty() {
            refused.extend(batch.changes);
        }
        open.extend(parts);
    }
    assert!(refused.iter().all(is_bad) && refused.len() == bad.len());
    assert_eq!(accepted, count - bad.len());
    calls
}

#[test]
fn splitting_ends_at_every_bad_change() {
    let silent = |_: &Batch| vec!["Something is wrong.".to_owned()];
    assert_eq!(calls(1, &[0], silent), 1);
    assert_eq!(calls(7, &[0, 3, 6], silent), 11);
    assert_eq!(calls(7, &[0, 1, 2, 3, 4, 5, 6], silent), 13);
    assert_eq!(calls(1_000, &[700], silent), 21);
}

#[test]
fn names_in_the_messages_save_calls() {
    let message = |index: usize| {
        format!(
            r"Tried to create resource record set [name='{index}.EXAMPLE.com.', type='A'] but it already exists"
        )
    };
    assert_eq!(calls(1_000, &[700], |_| vec![message(700)]), 3);
    assert_eq!(calls(1_000, &[1, 700], |_| vec![message(1), message(700)]), 5);
    assert_eq!(
        calls(1_000, &[700], |_| vec![message(3)]),
        23,
        "a message that blames another name misleads little"
    );
}
