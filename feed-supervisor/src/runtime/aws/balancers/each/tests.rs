use std::collections::BTreeSet;

use super::*;

fn error(code: &str) -> CallError {
    CallError {
        operation: "Look".to_owned(),
        code: Some(code.to_owned()),
        message: code.to_owned(),
        refused: true,
    }
}

/// Asks for 50, of which some fail; returns those that were told, the codes of failures, and the calls.
fn ask(failing: &[(usize, &str)]) -> (BTreeSet<usize>, Vec<String>, usize) {
    let ids: Vec<String> = (0..50).map(|id| id.to_string()).collect();
    let (mut told, mut calls) = (BTreeSet::new(), 0);
    let mut asking = EachForItself::new(&ids);
    while let Some(ids) = asking.next() {
        calls += 1;
        assert!(ids.len() <= AT_ONCE);
        let numbers: Vec<usize> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let outcome = match failing.iter().find(|(id, _)| numbers.contains(id)) {
            Some((_, code)) => Err(error(code)),
            None => Ok(numbers),
        };
        told.extend(asking.done(ids, outcome).into_iter().flatten());
    }
    let codes = asking.failures().into_iter().map(|failure| failure.code.unwrap()).collect();
    (told, codes, calls)
}

#[test]
fn nothing_fails() {
    assert_eq!(ask(&[]), ((0..50).collect(), vec![], 3));
}

#[test]
fn what_is_gone_hides_no_other() {
    let (told, codes, calls) = ask(&[(3, "LoadBalancerNotFound"), (47, "LoadBalancerNotFound")]);
    assert_eq!(told, (0..50).filter(|id| ![3, 47].contains(id)).collect());
    assert_eq!(codes, [""; 0]);
    assert!(calls < 25, "{calls}");
}

#[test]
fn what_is_not_allowed_is_told_and_hides_no_other() {
    let (told, codes, calls) = ask(&[(25, "AccessDenied")]);
    assert_eq!(told, (0..50).filter(|id| *id != 25).collect());
    assert_eq!(codes, ["AccessDenied"]);
    assert!(calls < 15, "{calls}");
}

#[test]
fn what_is_not_allowed_at_all_is_not_asked_for_each() {
    let all: Vec<_> = (0..50).map(|id| (id, "AccessDenied")).collect();
    let (told, codes, calls) = ask(&all);
    assert_eq!((told.len(), calls), (0, IN_A_ROW));
    assert!(!codes.is_empty());
}

#[test]
fn throttled_calls_are_not_followed_by_many_more() {
    let (told, codes, calls) = ask(&[(25, "Throttling")]);
    assert_eq!(told, (0..20).chain(40..50).collect());
    assert_eq!((codes.as_slice(), calls), (&["Throttling".to_owned()][..], 3));
    let all: Vec<_> = (0..50).map(|id| (id, "Throttling")).collect();
    assert_eq!(ask(&all).2, 2);
}
