use super::*;

#[test]
fn the_groups_of_a_load_balancer_are_seen_together() {
    use Standing::{Absent, Draining, InService};
    let settling = || Standing::Settling("initial".to_owned());
    for (standings, expected) in [
        (vec![InService, InService], InService),
        (vec![InService, settling()], settling()),
        (vec![Absent, Absent], Absent),
        (vec![Absent, InService], Draining),
        (vec![Absent, settling()], Draining),
        (vec![Absent, Draining], Draining),
        (vec![Draining, InService], Draining),
    ] {
        assert_eq!(together(standings.iter().cloned().map(Ok).collect()), Ok(expected), "{standings:?}");
    }
    let failure = Failure { why: "no answer".to_owned(), refused: false };
    for (standing, expected) in [
        (Absent, Ok(Draining)),
        (Draining, Ok(Draining)),
        (InService, Err(failure.clone())),
        (settling(), Err(failure.clone())),
    ] {
        assert_eq!(together(vec![Ok(standing), Err(failure.clone())]), expected);
    }
}

#[test]
fn what_was_done_for_one_group_is_not_refused() {
    let failure = |refused| Err(Failure { why: "no".to_owned(), refused });
    for (outcomes, expected) in [
        (vec![Ok(()), Ok(())], Ok(())),
        (vec![Ok(()), failure(true)], Err(("no".to_owned(), false))),
        (vec![failure(true), failure(true)], Err(("no; no".to_owned(), true))),
        (vec![failure(true), failure(false)], Err(("no; no".to_owned(), false))),
    ] {
        let together = all_of(outcomes).map_err(|failure| (failure.why, failure.refused));
        assert_eq!(together, expected);
    }
}

#[test]
fn a_group_that_may_not_be_looked_at_hides_no_departure() {
    let unseen = || Standing::Unseen("not allowed".to_owned());
    for (standings, expected) in [
        (vec![Standing::InService, unseen()], unseen()),
        (vec![Standing::Settling("initial".to_owned()), unseen()], unseen()),
        (vec![Standing::Absent, unseen()], Standing::Draining),
    ] {
        assert_eq!(together(standings.into_iter().map(Ok).collect()), Ok(expected));
    }
}

/// Target groups, each with the load balancers that use it.
fn described(groups: &[(&str, &[&str])]) -> Vec<Described> {
    let arn = |name: &&str| format!("arn:aws:elb:loadbalancer/net/{name}/1");
    let groups = groups.iter().map(|(name, users)| Described {
        name: (*name).to_owned(),
        group: Ok(TargetGroup::of_addresses(name)),
        balancer_arns: users.iter().map(arn).collect(),
    });
    groups.collect()
}

#[test]
fn a_group_that_others_have_taken_over_is_left() {
    let web = || TargetGroup::of_addresses("web");
    let ours = BTreeSet::from(["arn:aws:elb:loadbalancer/net/edge/1"]);
    let leaves = |all: &[(&str, &[&str])], incomplete| {
        let former = Groups { used: vec![], former: vec![web()] };
        let mut known = BTreeMap::from([("edge".to_owned(), former)]);
        let (foreign, remarks) = leave_others(&mut known, &described(all), &ours, incomplete);
        (foreign, remarks.join("; "), known["edge"].former.len())
    };
    let (foreign, remarks, kept) = leaves(&[("web", &["green"])], false);
    assert_eq!((foreign, kept), (vec!["target group web".to_owned()], 0));
    assert!(remarks.starts_with("the target group web is used by green now, which is not ours"), "{remarks}");
    let (foreign, remarks, kept) = leaves(&[("web", &[])], false);
    assert_eq!((foreign, kept), (vec![], 1));
    assert!(remarks.starts_with("no load balancer uses the target group web any more"), "{remarks}");
    assert_eq!(leaves(&[("web", &["edge"])], false), (vec![], String::new(), 0), "ours again");
    assert_eq!(leaves(&[], false), (vec![], String::new(), 0), "deleted");
    assert_eq!(leaves(&[], true), (vec![], String::new(), 1), "not seen");
}
