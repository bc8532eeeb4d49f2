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
