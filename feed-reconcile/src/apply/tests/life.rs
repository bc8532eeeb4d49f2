//! nginx's life, case by case.

use super::*;

const NO_TIME: Duration = Duration::ZERO;

#[test]
fn the_first_configuration_is_tested_and_started_with() {
    let (mut driver, commands) = Driver::begin(SETTINGS, NOTHING);
    assert_eq!(commands, []);
    assert_eq!(driver.problems(), ["nginx does not run yet: nothing is known of the cluster so far"]);

    assert_eq!(driver.desire("one"), [Command::Write(version(1, "one"))]);
    assert_eq!(driver.done(), [Command::Test(Generation(1))]);
    assert_eq!(driver.done(), [Command::Name(Generation(1))]);
    assert_eq!(driver.done(), [Command::Start(Some(Generation(1)))]);
    assert_eq!(driver.step(Event::Started { confirmed: true }), [Command::Keep(Generation(1))]);
    assert!(!driver.machine.situation().ready);
    let [Command::Tell(report)] = &driver.done()[..] else { panic!() };
    assert_eq!((report.outcome, report.starts), (Outcome::Confirmed, true));
    let situation = driver.machine.situation();
    assert_eq!((situation.ready, situation.confirmed, situation.live), (true, Some(Generation(1)), true));
    assert_eq!(situation.problems, []);
    assert_eq!(driver.bucket.0, 0, "starting takes no token");
}

#[test]
fn a_cluster_without_a_route_is_served() {
    let (mut driver, _) = Driver::begin(SETTINGS, NOTHING);
    assert_eq!(driver.desire(""), [Command::Write(version(1, ""))]);
}

#[test]
fn a_first_configuration_that_the_test_refuses_is_not_named() {
    let (mut driver, _) = Driver::begin(SETTINGS, NOTHING);
    driver.desire("bad");
    driver.done();
    let [Command::Tell(report)] = &driver.failed("unknown directive")[..] else { panic!() };
    assert_eq!((report.outcome, report.text.as_deref()), (Outcome::Refused, Some("unknown directive")));
    assert_eq!(
        driver.problems(),
        [
            "nginx does not run yet: nothing is known of the cluster so far",
            "nginx refused configuration 1: unknown directive; nothing is served",
        ]
    );
    assert_eq!(driver.desire("good"), [Command::Write(version(2, "good"))]);
}

#[test]
fn a_change_is_written_named_signalled_and_kept() {
    let mut driver = serving();
    assert_eq!(driver.desire("nine"), [Command::Write(version(9, "nine"))]);
    assert_eq!(driver.done(), [Command::Name(Generation(9))]);
    assert_eq!(driver.done(), [Command::Reload(Generation(9))]);
    driver.pass(Duration::from_millis(120));
    assert_eq!(driver.done(), [Command::Keep(Generation(9))]);
    let confirmed = report(version(9, "nine"), Outcome::Confirmed, None, Duration::from_millis(120));
    assert_eq!(driver.done(), [confirmed]);
    assert_eq!(driver.machine.situation().confirmed, Some(Generation(9)));
    assert_eq!(driver.machine.wake_at(), None);
}

#[test]
fn what_comes_during_a_reload_goes_out_together_after_it() {
    let mut driver = serving();
    driver.desire("nine");
    driver.done();
    driver.done();
    driver.pass(Duration::from_millis(150));
    for content in ["a", "b", "c"] {
        assert_eq!(driver.desire(content), []);
    }
    driver.done();
    let confirmed = report(version(9, "nine"), Outcome::Confirmed, None, Duration::from_millis(150));
    assert_eq!(driver.done(), [confirmed], "it waits for more to come");
    assert_eq!(driver.desire("d"), []);
    assert_eq!(driver.wake(), [Command::Write(version(10, "d"))]);
    assert_eq!(driver.bucket.0, 2, "a token for each reload, none for what was there");
}

#[test]
fn a_change_that_is_taken_back_while_it_waits_causes_no_reload() {
    let mut driver = serving();
    driver.desire("nine");
    assert_eq!(driver.desire("seven"), []);
    driver.done();
    driver.done();
    driver.done();
    driver.done();
    driver.desire("other");
    assert_eq!(driver.desire("nine"), [], "that is what nginx serves");
    assert_eq!(driver.machine.wake_at(), None);
}

#[test]
fn a_refused_configuration_is_taken_back_at_once_and_said() {
    let mut driver = serving();
    driver.desire("bad");
    driver.done();
    driver.done();
    let text = r#"unknown directive "x" in /w/nginx.conf:3"#;
    assert_eq!(
        driver.step(Event::Emergency(text.into())),
        [report(version(9, "bad"), Outcome::Refused, Some(text), NO_TIME), Command::Name(Generation(7))]
    );
    assert_eq!(driver.step(Event::Emergency("and again".into())), [], "nginx often says it twice");
    assert_eq!(driver.done(), []);
    let situation = driver.machine.situation();
    assert_eq!((situation.ready, situation.live, situation.confirmed), (true, true, Some(Generation(7))));
    assert_eq!(driver.problems(), [format!("nginx refused configuration 9: {text}; 7 is served instead")]);

    driver.pass(Duration::from_secs(20));
    assert_eq!(driver.desire("bad"), [], "the same is not tried again so soon");
    assert_eq!(driver.desire("good"), [Command::Write(version(10, "good"))]);
    driver.done();
    driver.done();
    assert_eq!(driver.problems().len(), 1, "still unhealthy until something is confirmed");
    driver.done();
    driver.done();
    assert_eq!(driver.problems(), [] as [&str; 0]);
}

#[test]
fn a_refused_configuration_that_is_not_wanted_any_more_is_forgotten() {
    let mut driver = serving();
    driver.desire("bad");
    driver.done();
    driver.done();
    driver.step(Event::Emergency("no".into()));
    driver.done();
    assert_eq!(driver.desire("seven"), []);
    assert_eq!(driver.problems(), [] as [&str; 0]);
}

#[test]
fn a_refused_configuration_is_tried_again_ever_more_slowly() {
    let mut driver = serving();
    driver.desire("bad");
    let mut waits = Vec::new();
    for _ in 0..6 {
        driver.done();
        driver.done();
        driver.step(Event::Emergency("no".into()));
        driver.done();
        let before = driver.now;
        let commands = driver.wake();
        assert!(matches!(commands[..], [Command::Write(_)]), "{commands:?}");
        waits.push((driver.now - before).as_secs());
    }
    assert_eq!(waits, [30, 60, 120, 240, 480, 600]);
}

#[test]
fn without_confirmation_in_time_nginx_is_told_to_go_back() {
    let mut driver = serving();
    driver.desire("slow");
    driver.done();
    driver.done();
    driver.pass(Duration::from_secs(119));
    assert_eq!(driver.step(Event::Woken), [], "not yet");
    let commands = driver.wake();
    let text = "nginx has not confirmed it within 120s";
    let told = report(version(9, "slow"), Outcome::TimedOut, Some(text), Duration::from_mins(2));
    assert_eq!(commands, [told, Command::Name(Generation(7))]);
    assert_eq!(driver.done(), [Command::Reload(Generation(7))]);
    assert!(
        driver.problems().contains(&"nginx serves another configuration than the one confirmed last".into())
    );
    assert_eq!(driver.done(), []);
    assert!(driver.machine.situation().live);
    assert_eq!(driver.problems().len(), 1, "what failed is still wanted");
}

#[test]
fn an_nginx_that_does_not_go_back_is_told_again_later() {
    let mut driver = serving();
    assert_eq!(driver.desire(""), [], "held back");
    driver.step(Event::Observed(Generation(3)));
    assert_eq!(driver.step(Event::Observed(Generation(3))), [Command::Reload(Generation(7))]);
    assert_eq!(driver.wake(), [], "not confirmed in time");
    let before = driver.now;
    assert_eq!(driver.wake(), [Command::Reload(Generation(7))]);
    assert_eq!(driver.now - before, Duration::from_secs(30));
    assert_eq!(driver.done(), []);
    assert!(driver.machine.situation().live);
}

#[test]
fn a_dead_nginx_is_started_again_with_what_was_confirmed() {
    let mut driver = serving();
    assert_eq!(driver.step(Event::Died("its master process is gone".into())), []);
    assert!(!driver.machine.situation().ready);
    assert_eq!(driver.problems(), ["nginx does not run: its master process is gone"]);
    assert_eq!(driver.wake(), [Command::Start(Some(Generation(7)))]);
    assert_eq!(driver.step(Event::Started { confirmed: true }), []);
    let situation = driver.machine.situation();
    assert!(situation.ready && situation.live);
    assert_eq!(situation.problems, []);
}

#[test]
fn an_nginx_that_keeps_dying_is_given_up() {
    let mut driver = serving();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        driver.step(Event::Died("gone".into()));
        let before = driver.now;
        assert_eq!(driver.wake(), [Command::Start(Some(Generation(7)))]);
        pauses.push((driver.now - before).as_millis());
        driver.step(Event::Started { confirmed: true });
        driver.pass(Duration::from_secs(59));
    }
    assert_eq!(
        pauses,
        [100, 200, 400, 800, 1600],
        "the first death comes after an hour, the others in a row"
    );
    let commands = driver.step(Event::Died("gone".into()));
    let [Command::GiveUp(why)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(why, "nginx cannot be kept alive: gone; it was started again 5 times (--nginx-max-restarts)");
    assert_eq!(driver.machine.wake_at(), None);
    assert_eq!(driver.desire("other"), []);
}

#[test]
fn deaths_that_lie_apart_are_not_counted_together() {
    let mut driver = serving();
    for _ in 0..20 {
        driver.step(Event::Died("gone".into()));
        assert_eq!(driver.wake(), [Command::Start(Some(Generation(7)))]);
        driver.step(Event::Started { confirmed: true });
        driver.pass(Duration::from_mins(1));
    }
}

#[test]
fn a_death_during_a_reload_brings_the_confirmed_configuration_back() {
    let mut driver = serving();
    driver.desire("nine");
    driver.done();
    driver.done();
    let text = "gone while it took it up";
    assert_eq!(
        driver.step(Event::Died("gone".into())),
        [report(version(9, "nine"), Outcome::Failed, Some(text), NO_TIME), Command::Name(Generation(7))]
    );
    assert_eq!(driver.done(), []);
    assert_eq!(driver.wake(), [Command::Start(Some(Generation(7)))]);
}

#[test]
fn a_death_before_the_signal_does_not_count_against_the_configuration() {
    for named in [false, true] {
        let mut driver = serving();
        driver.desire("nine");
        if named {
            driver.done();
        }
        assert_eq!(driver.step(Event::Died("gone".into())), []);
        let expected = if named { vec![Command::Name(Generation(7))] } else { vec![] };
        assert_eq!(driver.done(), expected);
        if named {
            assert_eq!(driver.done(), []);
        }
        assert_eq!(driver.wake(), [Command::Start(Some(Generation(7)))]);
        let commands = driver.step(Event::Started { confirmed: true });
        assert_eq!(commands, [Command::Write(version(10, "nine"))], "named: {named}");
    }
}

#[test]
fn a_confirmed_configuration_with_which_nginx_does_not_start_gives_way_to_the_wanted_one() {
    let (mut driver, commands) = Driver::begin(SETTINGS, left(7, Running::No));
    assert_eq!(commands, [Command::Start(Some(Generation(7)))]);
    assert_eq!(driver.desire("new"), []);
    assert_eq!(driver.failed("host not found in upstream"), []);
    assert_eq!(driver.wake(), [Command::Write(version(9, "new"))]);
    assert_eq!(driver.done(), [Command::Test(Generation(9))]);
    let commands = driver.failed("no");
    let [Command::Tell(_), start] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*start, Command::Start(Some(Generation(7))), "no better, so the confirmed one again");
}

#[test]
fn a_first_start_that_fails_is_repeated_until_given_up() {
    let (mut driver, _) = Driver::begin(SETTINGS, NOTHING);
    driver.desire("one");
    for attempt in 1..=6 {
        driver.done();
        driver.done();
        assert_eq!(driver.done(), [Command::Start(Some(Generation(attempt)))]);
        let commands = driver.failed("bind() failed");
        if attempt == 6 {
            assert!(matches!(commands[..], [Command::Tell(_), Command::GiveUp(_)]), "{commands:?}");
        } else {
            assert!(matches!(commands[..], [Command::Tell(_)]), "{commands:?}");
            assert_eq!(driver.wake(), [Command::Write(version(attempt + 1, "one"))]);
        }
    }
}

#[test]
fn an_unconfirmed_name_is_set_back_before_anything_else() {
    for running in [Running::No, Running::Yes(Some(Generation(7))), Running::Yes(Some(Generation(8)))] {
        let (mut driver, commands) = Driver::begin(SETTINGS, left(8, running));
        assert_eq!(commands, [Command::Name(Generation(7))]);
        assert_eq!(driver.desire("new"), []);
        let expected = if running == Running::No {
            Command::Start(Some(Generation(7)))
        } else {
            Command::Write(version(9, "new"))
        };
        assert_eq!(driver.done(), [expected]);
        assert_eq!(driver.bucket.0, 0);
    }
}

#[test]
fn an_unconfirmed_configuration_that_nginx_serves_is_replaced_even_by_what_was_confirmed() {
    let (mut driver, _) = Driver::begin(SETTINGS, left(8, Running::Yes(Some(Generation(8)))));
    driver.done();
    assert_eq!(driver.desire("seven"), [Command::Write(version(9, "seven"))]);
}

#[test]
fn a_name_that_cannot_be_set_back_is_said_and_tried_again() {
    let (mut driver, _) = Driver::begin(SETTINGS, left(8, Running::Yes(Some(Generation(7)))));
    assert_eq!(driver.failed("cannot rename: no space"), []);
    assert_eq!(
        driver.problems(),
        ["what nginx would read is not confirmed, and cannot be set back: cannot rename: no space"]
    );
    assert_eq!(driver.wake(), [Command::Name(Generation(7))]);
    driver.done();
    assert_eq!(driver.problems(), [] as [&str; 0]);
}

#[test]
fn routes_are_not_removed_all_at_once_unless_that_is_allowed() {
    let mut driver = serving();
    assert_eq!(driver.desire(""), []);
    assert_eq!(
        driver.problems(),
        ["there is no route any more: the last 1 are still served; with --allow-empty they would not be"]
    );
    assert!(driver.machine.situation().ready);
    assert_eq!(driver.desire("seven"), []);
    assert_eq!(driver.problems(), [] as [&str; 0]);

    let settings = Settings { allow_empty: true, ..SETTINGS };
    let (mut driver, _) = Driver::begin(settings, left(7, Running::Yes(Some(Generation(7)))));
    assert_eq!(driver.desire(""), [Command::Write(version(9, ""))]);
}

#[test]
fn an_empty_configuration_is_held_back_after_a_restart_too() {
    let (mut driver, commands) = Driver::begin(SETTINGS, left(7, Running::No));
    assert_eq!(commands, [Command::Start(Some(Generation(7)))]);
    driver.desire("");
    assert_eq!(driver.step(Event::Started { confirmed: true }), []);
    assert!(driver.machine.situation().ready);
    assert_eq!(driver.problems().len(), 1);
}

#[test]
fn an_nginx_that_serves_something_else_is_brought_back() {
    let mut driver = serving();
    assert_eq!(driver.step(Event::Observed(Generation(7))), []);
    assert_eq!(driver.step(Event::Observed(Generation(3))), [], "that may be an answer from before a reload");
    assert_eq!(driver.step(Event::Observed(Generation(3))), [Command::Write(version(9, "seven"))]);
}

#[test]
fn a_neighbour_is_waited_for_and_never_given_up() {
    let settings = Settings { sidecar: true, max_restarts: 0, ..SETTINGS };
    let (mut driver, commands) = Driver::begin(settings, NOTHING);
    assert_eq!(commands, [Command::Start(None)]);
    assert_eq!(driver.problems(), ["nginx does not run: waiting for the neighbouring container to start it"]);
    assert_eq!(driver.desire("one"), []);
    assert_eq!(driver.step(Event::Started { confirmed: false }), [Command::Write(version(1, "one"))]);
    driver.done();
    assert_eq!(driver.done(), [Command::Reload(Generation(1))]);
    driver.done();
    driver.done();
    for _ in 0..10 {
        assert_eq!(driver.step(Event::Died("gone".into())), [Command::Start(Some(Generation(1)))]);
        assert!(!driver.machine.situation().ready);
        driver.step(Event::Started { confirmed: true });
        assert!(driver.machine.situation().ready);
    }
}

#[test]
fn keeping_is_repeated_until_it_works() {
    let mut driver = serving();
    driver.desire("nine");
    driver.done();
    driver.done();
    driver.done();
    assert_eq!(driver.failed("no space"), []);
    assert_eq!(driver.wake(), [Command::Keep(Generation(9))]);
    assert!(matches!(driver.done()[..], [Command::Tell(_)]));
}

#[test]
fn what_is_urgent_takes_no_token_and_is_ready_although_more_waits() {
    let (mut driver, _) = Driver::begin(SETTINGS, NOTHING);
    driver.step(Event::Urgent(true));
    driver.desire("one");
    driver.done();
    driver.done();
    driver.done();
    driver.step(Event::Started { confirmed: true });
    // It comes before the first one is dealt with.
    driver.desire("two");
    let commands = driver.done();
    assert!(matches!(commands[..], [Command::Tell(_), Command::Write(_)]), "{commands:?}");
    assert!(driver.machine.situation().ready);
    assert_eq!(driver.bucket.0, 0);
}
