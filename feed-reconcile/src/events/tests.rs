use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{BURST, Decision, Journal, LONGEST_NOTE, PERIOD, QUIET, RENEWAL, Subject, notes, shortened};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Field};
use crate::key::{ObjectKey, ObjectKind, ObjectName};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn diagnostic(kind: ObjectKind, namespace: &str, name: &str, code: Code, message: &str) -> Diagnostic {
    Diagnostic {
        object: ObjectKey { kind, name: ObjectName::new(namespace, name) },
        field: Field::default(),
        code,
        message: message.to_owned(),
        help: None,
        related: None,
    }
}

fn error(namespace: &str, name: &str, message: &str) -> Diagnostic {
    diagnostic(ObjectKind::Ingress, namespace, name, Code::ServiceNotFound, message)
}

fn subject(namespace: &str, name: &str) -> Subject {
    Subject { ingress: ObjectName::new(namespace, name), code: Code::ServiceNotFound }
}

/// Writes all that may be written at that time; the names and texts of what was written.
fn write_all(journal: &mut Journal, now: Timestamp) -> Vec<(String, String)> {
    let mut written = Vec::new();
    while let Decision::Write(subject, note) = journal.next(now) {
        written.push((subject.ingress.to_string(), note.clone()));
        journal.written(&subject, note, now);
    }
    written
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, note)| ((*name).to_owned(), (*note).to_owned())).collect()
}

#[test]
fn there_is_one_text_for_each_ingress_and_code() {
    let diagnostics = Diagnostics::from([
        error("shop", "a", "no b"),
        error("shop", "a", "no c"),
        error("shop", "b", "no d"),
        diagnostic(ObjectKind::Ingress, "shop", "a", Code::InvalidPath, "bad path"),
        diagnostic(ObjectKind::Ingress, "shop", "a", Code::EmptyRule, "a warning"),
        diagnostic(ObjectKind::Service, "shop", "a", Code::ServiceNotFound, "another kind"),
    ]);
    let found: Vec<_> = notes(&diagnostics).into_iter().collect();
    let path = Subject { ingress: ObjectName::new("shop", "a"), code: Code::InvalidPath };
    let expected = [
        (path, "bad path".to_owned()),
        (subject("shop", "a"), "no b (1 more like this.)".to_owned()),
        (subject("shop", "b"), "no d".to_owned()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_error_is_told_once_and_again_before_it_is_forgotten() {
    let mut journal = Journal::default();
    let diagnostics = Diagnostics::from([error("shop", "a", "no b")]);
    journal.observe(at(0), &diagnostics);
    assert_eq!(write_all(&mut journal, at(0)), pairs(&[("shop/a", "no b")]));
    journal.observe(at(1), &diagnostics);
    let again = at(0).checked_add(RENEWAL).unwrap();
    assert_eq!(journal.next(at(1)), Decision::Wait(Some(again)));
    assert_eq!(write_all(&mut journal, again), pairs(&[("shop/a", "no b")]));
}

#[test]
fn news_of_what_was_just_told_waits() {
    for (before, meanwhile) in [("another text", None), ("no b", Some(Diagnostics::new()))] {
        let mut journal = Journal::default();
        journal.observe(at(0), &Diagnostics::from([error("shop", "a", before)]));
        write_all(&mut journal, at(0));
        if let Some(meanwhile) = meanwhile {
            journal.observe(at(1), &meanwhile);
            assert_eq!(journal.next(at(1)), Decision::Wait(None));
        }
        journal.observe(at(2), &Diagnostics::from([error("shop", "a", "no b")]));
        let then = at(0).checked_add(QUIET).unwrap();
        assert_eq!(journal.next(at(2)), Decision::Wait(Some(then)));
        assert_eq!(write_all(&mut journal, then), pairs(&[("shop/a", "no b")]));
    }
}

#[test]
fn what_is_mended_is_forgotten() {
    let mut journal = Journal::default();
    journal.observe(at(0), &Diagnostics::from([error("shop", "a", "no b"), error("shop", "b", "no c")]));
    journal.observe(at(1), &Diagnostics::from([error("shop", "a", "no b")]));
    assert_eq!(write_all(&mut journal, at(1)), pairs(&[("shop/a", "no b")]));
    journal.observe(at(1000), &Diagnostics::new());
    assert!(journal.entries.is_empty() && journal.served.is_empty());
}

#[test]
fn many_at_once_are_told_one_after_the_other() {
    let mut journal = Journal::default();
    let names: Vec<String> = (0..100).map(|number| format!("{number:03}")).collect();
    journal.observe(at(0), &names.iter().map(|name| error("shop", name, "no b")).collect());
    let burst = usize::try_from(BURST).unwrap();
    assert_eq!(write_all(&mut journal, at(0)).len(), burst);
    assert_eq!(journal.next(at(0)), Decision::Wait(Some(at(0).checked_add(PERIOD).unwrap())));
    for second in 1..=3 {
        assert_eq!(write_all(&mut journal, at(second)).len(), 1);
    }
    assert_eq!(write_all(&mut journal, at(1000)).len(), burst);
}

#[test]
fn a_namespace_with_many_errors_holds_no_other_up() {
    let mut journal = Journal::default();
    let mut diagnostics: Diagnostics =
        (0..100).map(|number| error("a", &number.to_string(), "no b")).collect();
    journal.observe(at(0), &diagnostics);
    write_all(&mut journal, at(0));
    diagnostics.insert(error("z", "late", "no b"));
    journal.observe(at(0), &diagnostics);
    assert_eq!(write_all(&mut journal, at(1)), pairs(&[("z/late", "no b")]));
}

#[test]
fn a_write_that_failed_is_tried_again_ever_later() {
    let mut journal = Journal::default();
    journal.observe(at(0), &Diagnostics::from([error("shop", "a", "no b")]));
    for (now, next) in [(0, 10), (10, 30), (30, 70)] {
        let expected = Decision::Write(subject("shop", "a"), "no b".into());
        assert_eq!(journal.next(at(now)), expected);
        journal.failed(&subject("shop", "a"), at(now));
        assert_eq!(journal.next(at(now)), Decision::Wait(Some(at(next))));
    }
    write_all(&mut journal, at(70));
    assert_eq!(journal.next(at(70)), Decision::Wait(Some(at(70).checked_add(RENEWAL).unwrap())));
}

#[test]
fn who_takes_over_looks_at_all_again() {
    let mut journal = Journal::default();
    journal.observe(at(0), &Diagnostics::from([error("shop", "a", "no b")]));
    write_all(&mut journal, at(0));
    journal.taken_over();
    assert_eq!(write_all(&mut journal, at(1)), pairs(&[("shop/a", "no b")]));
}

#[test]
fn a_text_is_cut_between_letters() {
    assert_eq!(shortened("short"), "short");
    let long = "ä".repeat(LONGEST_NOTE);
    assert_eq!(shortened(&format!("x{long}")).len(), LONGEST_NOTE - 1);
    assert_eq!(shortened(&long).len(), LONGEST_NOTE);
}

proptest! {
    /// Whatever Ingresses do: no more than may be, none too often, and all that stays is told in the end.
    #[test]
    fn limits_hold(changes in prop::collection::vec((0..120_i64, prop::collection::btree_set((0..3_u8, 0..40_u8, 0..2_u8), 0..60)), 1..20)) {
        let mut journal = Journal::default();
        let (mut now, mut written) = (0, Vec::new());
        let mut last = Diagnostics::new();
        for (pause, wrong) in changes {
            now += pause;
            last = wrong.iter().map(|(namespace, name, text)| error(&namespace.to_string(), &name.to_string(), &text.to_string())).collect();
            journal.observe(at(now), &last);
            written.extend(write_all(&mut journal, at(now)).into_iter().map(|(name, _)| (now, name)));
        }
        for (index, (begin, name)) in written.iter().enumerate() {
            for (count, (end, other)) in written[index..].iter().enumerate().skip(1) {
                let allowed = i64::from(BURST) + (end - begin) / PERIOD.as_secs() + 1;
                prop_assert!(i64::try_from(count).unwrap() < allowed, "{count} in {} s", end - begin);
                prop_assert!(name != other || end - begin >= QUIET.as_secs(), "{name} after {} s", end - begin);
            }
        }
        for _ in 0..400 {
            now += 1;
            write_all(&mut journal, at(now));
        }
        prop_assert!(matches!(journal.next(at(now)), Decision::Wait(_)));
        let expected = notes(&last);
        let is_told = |(subject, note): (&Subject, &String)| {
            journal.entries[subject].told.as_ref().and_then(|told| told.note.as_ref()) == Some(note)
        };
        prop_assert!(expected.iter().all(is_told));
        let quiet = SignedDuration::from_secs(now) + QUIET;
        journal.observe(at(quiet.as_secs()), &Diagnostics::new());
        prop_assert!(journal.entries.is_empty());
    }
}
