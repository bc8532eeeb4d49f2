mod claims;
mod from_before;
mod properties;
mod simulation;
mod world;

use std::time::Duration;

use self::world::{Fault, World};
use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings() -> Settings {
    Settings {
        resync_period: seconds(60),
        ready_timeout: seconds(300),
        drain_delay: seconds(60),
        notice: seconds(0),
        grace_period: seconds(300),
        expected: 0,
        fewer_are_ready: false,
        releases: false,
        drains_fully: false,
        taken_over: false,
    }
}

fn left_cleanly() -> End<&'static str> {
    End { left_behind: vec![], unlisted: None, cut_short: None }
}

/// A process that serves, and is in service with `a` and `b`.
fn settled(settings: Settings) -> World {
    let mut world = World::new(settings, &["a", "b"]);
    world.event(Event::Serving);
    world.run(seconds(10));
    assert!(world.problems().is_empty(), "{:?}", world.problems());
    world.trace.clear();
    world
}

#[test]
fn nothing_is_attached_before_nginx_serves() {
    let mut world = World::new(settings(), &["a"]);
    world.run(seconds(600));
    assert_eq!(world.trace(), "");
    world.event(Event::Serving);
    world.run(seconds(5));
    insta::assert_snapshot!(world.trace(), @"
    600 list
    600 observe a
    600 attach a
    600 observe a
    ");
}

#[test]
fn every_period_balancers_are_listed_and_looked_at() {
    let mut world = settled(settings());
    world.run(seconds(60));
    insta::assert_snapshot!(world.trace(), @"
    60 list
    60 observe a
    60 observe b
    ");
}

#[test]
fn who_was_taken_out_or_has_come_later_is_attached_at_the_next_look() {
    let mut world = settled(settings());
    world.balancer("a").registered = false;
    world.add("c");
    world.run(seconds(60));
    insta::assert_snapshot!(world.trace(), @"
    60 list
    60 observe a
    60 observe b
    60 observe c
    60 attach a
    60 attach c
    60 observe a
    60 observe c
    ");
    assert!(world.problems().is_empty());
}

#[test]
fn an_attached_balancer_is_left_as_it_was_found_after_a_restart() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").registered = true;
    world.event(Event::Serving);
    world.run(seconds(5));
    insta::assert_snapshot!(world.trace(), @"
    0 list
    0 observe a
    ");
    assert_eq!(world.machine.situation(world.now).attached, 1);
}

#[test]
fn a_registration_that_is_not_as_it_should_be_is_renewed() {
    for restarted in [false, true] {
        let mut world = if restarted { World::new(settings(), &["a"]) } else { settled(settings()) };
        (world.balancer("a").registered, world.balancer("a").outdated) = (true, true);
        world.event(Event::Serving);
        world.run(seconds(60));
        assert_eq!(world.trace().matches("attach a").count(), 1, "{}", world.trace());
        assert!(!world.balancer("a").outdated);
        assert!(world.is_ready() && world.is_healthy(), "{:?}", world.problems());
    }
}

#[test]
fn a_balancer_that_does_not_keep_to_the_registration_is_not_stormed_and_still_used() {
    let mut world = settled(settings());
    (world.balancer("a").outdated, world.balancer("a").insists) = (true, true);
    world.run(seconds(300));
    let tries = world.trace().matches("attach a").count();
    assert!((5..20).contains(&tries), "{tries}");
    let situation = world.machine.situation(world.now);
    assert_eq!(situation.members[0].bond, Bond::InService);
    let error = situation.members[0].error.as_deref();
    assert_eq!(error, Some("it does not keep to the registration: another port"));
    assert_eq!(
        world.problems(),
        ["a sends requests otherwise than it should: it does not keep to the registration: another port"]
    );
    assert!(world.is_ready() && !world.is_healthy());
    world.event(Event::Leave);
    world.run(seconds(100));
    assert_eq!(world.end(), left_cleanly());
}

#[test]
fn one_that_left_the_list_is_not_looked_at_any_more_but_left_in_the_end() {
    let mut world = settled(settings());
    world.listed.retain(|name| *name != "a");
    world.run(seconds(180));
    assert!(!world.trace().contains(" a"), "{}", world.trace());
    assert_eq!(world.machine.situation(world.now).attached, 1);
    world.event(Event::Leave);
    world.run(seconds(300));
    assert_eq!(world.end(), left_cleanly());
    assert!(!world.balancer("a").registered);
}

#[test]
fn failures_are_tried_again_with_longer_and_longer_pauses() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").attach = Fault::Refused;
    world.event(Event::Serving);
    world.run(seconds(100));
    insta::assert_snapshot!(world.trace(), @"
    0 list
    0 observe a
    0 attach a
    1 observe a
    1 attach a
    3 observe a
    3 attach a
    7 observe a
    7 attach a
    15 observe a
    15 attach a
    31 observe a
    31 attach a
    60 list
    61 observe a
    61 attach a
    91 observe a
    91 attach a
    ");
}

#[test]
fn pauses_are_spread_by_the_jitter() {
    for (jitter, expected) in [(0.0, 500), (0.5, 750), (1.0, 1000), (7.0, 1000), (f64::NAN, 1000)] {
        let mut world = World::new(settings(), &["a"]);
        world.listing = Fault::Refused;
        world.jitter = Jitter::new(jitter);
        world.event(Event::Serving);
        world.run(Duration::ZERO);
        let wake_at = world.machine.wake_at().unwrap();
        assert_eq!(wake_at - world.now, Duration::from_millis(expected));
    }
}

#[test]
fn a_balancer_that_forgets_us_at_once_is_not_stormed() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").forgets = true;
    world.event(Event::Serving);
    world.run(seconds(300));
    let tries = world.trace().matches("attach a").count();
    assert!((5..20).contains(&tries), "{tries}");
    assert_eq!(
        world.problems(),
        ["a does not send requests: it took the registration, and does not know of it"]
    );
}

#[test]
fn readiness_comes_with_the_last_balancer() {
    let mut world = World::new(settings(), &["a", "b"]);
    assert_eq!(world.problems(), ["no load balancer is joined before nginx serves"]);
    assert!(!world.is_ready() && world.is_healthy());
    world.balancer("b").settles_after = seconds(100);
    world.event(Event::Serving);
    assert_eq!(world.problems(), ["the load balancers are not known yet"]);
    world.run(seconds(50));
    assert_eq!(world.problems(), ["b does not send requests yet: still settling"]);
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(60));
    assert!(world.is_ready() && world.is_healthy());
}

#[test]
fn a_balancer_that_takes_too_long_is_unhealthy_and_waited_for() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").settles_after = seconds(400);
    world.event(Event::Serving);
    world.run(seconds(299));
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(2));
    assert_eq!(world.problems(), ["a does not send requests: still settling"]);
    assert!(!world.is_ready() && !world.is_healthy());
    world.run(seconds(110));
    assert!(world.is_ready() && world.is_healthy());
}

#[test]
fn a_later_balancer_takes_readiness_only_when_it_is_overdue() {
    let mut world = settled(settings());
    world.add("c");
    world.balancer("c").settles_after = seconds(1000);
    world.run(seconds(200));
    assert!(world.is_ready() && world.is_healthy());
    world.run(seconds(200));
    assert!(!world.is_ready() && !world.is_healthy());
}

#[test]
fn fewer_balancers_than_expected_are_unhealthy() {
    for (expected, fine) in [(0, true), (2, true), (3, false)] {
        let mut world = World::new(Settings { expected, ..settings() }, &["a", "b"]);
        world.event(Event::Serving);
        world.run(seconds(10));
        assert_eq!((world.is_ready(), world.is_healthy()), (fine, fine), "{expected}");
        if !fine {
            assert_eq!(world.problems(), ["attached to 2 load balancers where 3 are expected"]);
            world.add("c");
            world.run(seconds(60));
            assert!(world.is_ready() && world.is_healthy());
        }
    }
}

#[test]
fn fewer_balancers_may_be_ready_though_unhealthy() {
    let mut world = World::new(Settings { expected: 2, fewer_are_ready: true, ..settings() }, &["a"]);
    world.balancer("a").settles_after = seconds(10);
    world.event(Event::Serving);
    world.run(seconds(5));
    assert!(!world.is_ready(), "the one that is there does not send requests yet");
    world.run(seconds(10));
    assert_eq!(world.problems(), ["attached to 1 load balancers where 2 are expected"]);
    assert!(world.is_ready() && !world.is_healthy());
}

#[test]
fn no_balancer_at_all_is_ready_unless_some_are_expected() {
    for (expected, ready) in [(0, true), (1, false)] {
        let mut world = World::new(Settings { expected, ..settings() }, &[]);
        world.event(Event::Serving);
        world.run(seconds(1));
        assert_eq!(world.is_ready(), ready);
    }
}

#[test]
fn an_api_that_fails_takes_nobody_out() {
    let mut world = settled(settings());
    world.listing = Fault::Unknown;
    world.balancer("a").observe = Fault::Unknown;
    world.run(seconds(100));
    assert!(world.is_ready() && world.is_healthy(), "{:?}", world.problems());
    world.balancer("a").observe = Fault::None;
    world.run(seconds(40));
    assert_eq!(world.problems(), ["the list of load balancers is out of date: no answer"]);
    assert!(world.is_ready() && !world.is_healthy());
    world.listing = Fault::None;
    world.run(seconds(30));
    assert!(world.is_ready() && world.is_healthy());
}

#[test]
fn an_api_that_never_answered_is_not_ready() {
    let mut world = World::new(settings(), &["a"]);
    world.listing = Fault::Unknown;
    world.event(Event::Serving);
    world.run(seconds(30));
    assert_eq!(world.problems(), ["the load balancers are not known yet: no answer"]);
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(60));
    assert!(!world.is_ready() && !world.is_healthy());
}

#[test]
fn leaving_goes_in_order() {
    let mut world = settled(settings());
    world.balancer("a").drains_in = seconds(20);
    world.balancer("b").drains_in = seconds(1);
    world.requests_take = seconds(3);
    world.event(Event::Leave);
    assert_eq!(world.problems(), ["this process is about to end"]);
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(100));
    insta::assert_snapshot!(world.trace(), @"
    10 detach a
    10 detach b
    10 observe a
    10 observe b
    12 observe a
    12 observe b
    14 observe a
    14 observe b
    16 observe a
    16 observe b
    18 observe a
    18 observe b
    20 observe a
    20 observe b
    22 observe a
    22 observe b
    24 observe a
    24 observe b
    26 observe a
    26 observe b
    28 observe a
    28 observe b
    30 observe a
    30 observe b
    30 finish requests
    33 clean up
    33 stop
    33 end [] None
    ");
}

#[test]
fn a_drain_takes_five_seconds_at_least_and_the_delay_at_most() {
    for (drains_in, delay, expected) in [(1, 60, 5), (30, 60, 30), (100, 60, 60), (0, 2, 2), (100, 2, 2)] {
        let mut world = settled(Settings { drain_delay: seconds(delay), ..settings() });
        let begun = world.now;
        world.balancer("a").drains_in = seconds(drains_in);
        world.event(Event::Leave);
        world.run(seconds(200));
        let took = world.at("finish requests") - begun;
        assert!(
            (seconds(expected)..=seconds(expected + 1)).contains(&took),
            "drained after {drains_in} of {delay}: {took:?}"
        );
    }
}

#[test]
fn with_nothing_attached_nothing_is_drained() {
    let mut world = World::new(settings(), &[]);
    world.event(Event::Serving);
    world.run(seconds(10));
    world.trace.clear();
    world.event(Event::Leave);
    world.run(seconds(1));
    insta::assert_snapshot!(world.trace(), @"
    10 finish requests
    10 clean up
    10 stop
    10 end [] None
    ");
}

#[test]
fn before_nginx_serves_there_is_nothing_to_leave() {
    let mut world = World::new(settings(), &["a"]);
    world.event(Event::Leave);
    world.run(seconds(1));
    assert_eq!(world.end(), left_cleanly());
}

#[test]
fn a_refused_registration_is_not_drained() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").attach = Fault::Refused;
    world.event(Event::Serving);
    world.run(seconds(10));
    world.trace.clear();
    world.event(Event::Leave);
    world.run(seconds(1));
    assert_eq!(world.end(), left_cleanly());
    assert!(!world.trace().contains("detach"));
}

#[test]
fn a_registration_without_answer_is_taken_back() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").attach = Fault::Unknown;
    world.event(Event::Serving);
    world.run(seconds(1));
    world.balancer("a").registered = true;
    world.event(Event::Leave);
    world.run(seconds(100));
    assert_eq!(world.end(), left_cleanly());
    assert!(!world.balancer("a").registered);
}

#[test]
fn a_registration_that_is_under_way_when_leaving_begins_is_taken_back() {
    let mut world = World::new(settings(), &["a"]);
    world.calls_take = seconds(10);
    world.event(Event::Serving);
    world.run(seconds(25));
    assert!(world.trace().ends_with("attach a"), "{}", world.trace());
    world.trace.clear();
    world.event(Event::Leave);
    world.run(seconds(200));
    insta::assert_snapshot!(world.trace(), @"
    30 detach a
    40 observe a
    50 finish requests
    50 clean up
    50 stop
    50 end [] None
    ");
    assert!(!world.balancer("a").registered);
}

#[test]
fn a_registration_that_takes_longer_than_the_drain_is_taken_back() {
    for attach in [Fault::None, Fault::Unknown] {
        let mut world = World::new(Settings { drain_delay: seconds(2), ..settings() }, &["a"]);
        world.calls_take = seconds(10);
        world.balancer("a").attach = attach;
        let start = world.now;
        world.event(Event::Serving);
        world.run(seconds(25));
        assert!(world.trace().ends_with("attach a"), "{}", world.trace());
        world.balancer("a").registered = true;
        world.event(Event::Leave);
        world.run(seconds(200));
        assert_eq!(world.end(), left_cleanly());
        assert!(!world.balancer("a").registered, "{}", world.trace());
        assert_eq!(world.at("detach a"), start + seconds(30), "at once");
    }
}

#[test]
fn one_that_an_earlier_process_left_attached_is_left_too() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").registered = true;
    world.calls_take = seconds(10);
    world.event(Event::Serving);
    world.run(seconds(15));
    assert!(world.trace().ends_with("observe a"), "{}", world.trace());
    world.event(Event::Leave);
    world.run(seconds(200));
    assert!(!world.balancer("a").registered);
    assert_eq!(world.end(), left_cleanly());
}

#[test]
fn a_deregistration_that_fails_is_tried_until_the_drain_is_over() {
    let mut world = settled(settings());
    let begun = world.now;
    world.balancer("a").detach = Fault::Unknown;
    world.balancer("b").drains_in = seconds(1000);
    world.event(Event::Leave);
    world.run(seconds(30));
    assert_eq!(world.problems(), ["this process is about to end", "a cannot be left: no answer"]);
    assert!(!world.is_healthy());
    world.run(seconds(100));
    assert_eq!(
        world.end(),
        End { left_behind: vec![("a", "no answer".to_owned())], unlisted: None, cut_short: None }
    );
    assert!((seconds(60)..seconds(95)).contains(&(world.at("finish requests") - begun)));
    assert!(world.trace().matches("detach a").count() > 4, "{}", world.trace());
}

#[test]
fn one_that_is_left_late_is_drained_as_well() {
    let mut world = settled(settings());
    world.balancer("a").detach = Fault::Unknown;
    world.balancer("a").drains_in = seconds(1000);
    world.event(Event::Leave);
    world.run(seconds(30));
    world.balancer("a").detach = Fault::None;
    world.run(seconds(200));
    assert_eq!(world.end(), left_cleanly());
    assert!(world.at("finish requests") - world.at("detach a") >= seconds(60));
}

/// Others decide who gets requests: they learn of the end on their own.
fn unasked() -> World {
    let mut world = World::new(Settings { notice: seconds(15), drain_delay: seconds(0), ..settings() }, &[]);
    world.event(Event::Serving);
    world.run(seconds(10));
    world.trace.clear();
    world
}

#[test]
fn others_get_time_to_learn_of_the_end() {
    let mut world = unasked();
    world.requests_take = seconds(3);
    world.event(Event::Leave);
    world.run(seconds(14));
    assert_eq!(world.problems(), ["this process is to end, and serves as before until others know of it"]);
    assert!(world.is_ready() && world.is_healthy());
    world.run(seconds(2));
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(10));
    insta::assert_snapshot!(world.trace(), @"
    25 finish requests
    28 clean up
    28 stop
    28 end [] None
    ");
}

#[test]
fn a_notice_is_cut_short_by_a_hurry_and_by_an_abort() {
    for (event, cut_short) in [(Event::Hurry, None), (Event::Abort, Some(CutShort::Aborted))] {
        let mut world = unasked();
        world.event(Event::Leave);
        world.run(seconds(5));
        world.event(event);
        assert!(!world.is_ready());
        world.run(seconds(0));
        assert_eq!(world.end(), End { left_behind: vec![], unlisted: None, cut_short });
    }
}

#[test]
fn a_notice_leaves_half_the_grace_period_for_the_requests() {
    let settings = Settings { notice: seconds(15), grace_period: seconds(10), ..settings() };
    let mut world = World::new(settings, &[]);
    world.event(Event::Serving);
    world.requests_take = seconds(4);
    world.event(Event::Leave);
    world.run(seconds(20));
    insta::assert_snapshot!(world.trace(), @"
    0 list
    5 finish requests
    9 clean up
    9 stop
    9 end [] None
    ");
}

#[test]
fn there_is_a_notice_where_nginx_may_serve_from_before() {
    for taken_over in [false, true] {
        let mut world = World::new(Settings { notice: seconds(15), taken_over, ..settings() }, &[]);
        let begun = world.now;
        world.event(Event::Leave);
        world.run(seconds(100));
        assert_eq!(world.at("stop") - begun, seconds(if taken_over { 15 } else { 0 }));
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut world = settled(settings());
    world.event(Event::Leave);
    world.run(seconds(2));
    world.trace.clear();
    world.event(Event::Abort);
    world.run(seconds(0));
    insta::assert_snapshot!(world.trace(), @"
    12 stop now
    12 end [] Some(Aborted)
    ");
}

#[test]
fn an_abort_needs_no_leaving_before() {
    let mut world = settled(settings());
    world.event(Event::Abort);
    world.run(seconds(0));
    let reason = "there was no time left".to_owned();
    assert_eq!(
        world.end(),
        End {
            left_behind: vec![("a", reason.clone()), ("b", reason)],
            unlisted: None,
            cut_short: Some(CutShort::Aborted)
        }
    );
}

#[test]
fn the_grace_period_ends_everything() {
    let mut world = settled(settings());
    world.requests_take = seconds(100_000);
    let begun = world.now;
    world.event(Event::Leave);
    world.run(seconds(400));
    assert_eq!(
        world.end(),
        End { left_behind: vec![], unlisted: None, cut_short: Some(CutShort::GracePeriodOver) }
    );
    assert_eq!(world.at("stop now") - begun, seconds(300));
}

#[test]
fn entries_are_removed_after_the_requests() {
    let mut world = settled(Settings { releases: true, ..settings() });
    world.requests_take = seconds(30);
    world.event(Event::Leave);
    world.run(seconds(200));
    insta::assert_snapshot!(world.trace(), @"
    10 detach a
    10 detach b
    10 observe a
    10 observe b
    12 observe a
    12 observe b
    14 observe a
    14 observe b
    15 finish requests
    45 release a
    45 release b
    45 clean up
    45 stop
    45 end [] None
    ");
}

#[test]
fn entries_are_removed_in_time_although_requests_do_not_end() {
    let mut world = settled(Settings { releases: true, ..settings() });
    world.requests_take = seconds(100_000);
    let begun = world.now;
    world.event(Event::Leave);
    world.run(seconds(400));
    assert_eq!(world.at("release a") - begun, seconds(295));
    assert_eq!(world.at("clean up") - begun, seconds(295));
    assert_eq!(
        world.end(),
        End { left_behind: vec![], unlisted: None, cut_short: Some(CutShort::GracePeriodOver) }
    );
}

#[test]
fn an_entry_that_cannot_be_removed_is_given_up() {
    let mut world = settled(Settings { releases: true, ..settings() });
    world.balancer("a").release = Fault::Unknown;
    world.event(Event::Leave);
    world.run(seconds(200));
    assert_eq!(
        world.end(),
        End { left_behind: vec![("a", "no answer".to_owned())], unlisted: None, cut_short: None }
    );
    assert_eq!(world.trace().matches("release a").count(), 5);
}
