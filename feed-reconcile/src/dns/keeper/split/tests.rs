use super::*;
use crate::dns::keeper::cloud::balancer;
use crate::dns::{Action, Change};

fn batch(count: usize, targets: &[&str]) -> Batch {
    let change = |index: usize| {
        let name = RecordName::new(&format!("{index}.example.com"));
        let records = balancer(targets[index % targets.len()]).records(&name);
        let changes = records.into_iter().map(|record| Change { action: Action::Upsert, record });
        NameChange { name, changes: changes.collect(), ingress: None }
    };
    Batch { changes: (0..count).map(change).collect() }
}

fn reasons(text: &str) -> Refused {
    Refused { reasons: vec![text.to_owned()], ..Refused::default() }
}

const NOT_FOUND: &str =
    "[Tried to create an alias that targets NEW.aws., type A in zone ZLB, but that target was not found]";

#[test]
fn changes_to_a_target_that_is_not_known_stand_and_fall_together() {
    let mut split = Split::default();
    let verdict = split.refused(batch(100, &["new.aws"]), &reasons(NOT_FOUND), Past::Accepted);
    assert_eq!((verdict.refused.len(), split.is_empty()), (100, true));
    let mut split = Split::default();
    let verdict = split.refused(batch(100, &["new.aws", "old.aws"]), &reasons(NOT_FOUND), Past::Accepted);
    assert_eq!((verdict, split.is_empty()), (Verdict::default(), false));
}

#[test]
fn after_many_refusals_the_rest_is_given_up() {
    let mut split = Split::default();
    let mut open = Some(batch(300, &["lb.aws"]));
    let (mut refused, mut given_up, mut calls) = (0, 0, 0);
    while let Some(batch) = open {
        calls += 1;
        let verdict = split.refused(batch, &reasons("no"), Past::Accepted);
        refused += verdict.refused.len();
        given_up += verdict.given_up.len();
        open = split.next(|_| true);
    }
    assert_eq!((refused, given_up), (20, 280));
    assert!(calls < 60, "{calls}");
}
