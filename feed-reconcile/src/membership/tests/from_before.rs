//! What an earlier process has left, and what cannot be seen.

use super::*;

/// A process that was killed while it was registered with `a` and `b`, and is back.
fn back(settings: Settings) -> World {
    let mut world = World::new(settings, &["a", "b"]);
    for name in ["a", "b"] {
        world.balancer(name).registered = true;
    }
    world
}

#[test]
fn what_may_be_registered_from_before_is_deregistered() {
    for serves in [false, true] {
        for (listing, observe) in
            [(Fault::None, Fault::None), (Fault::None, Fault::Unknown), (Fault::Unknown, Fault::Refused)]
        {
            let mut world = back(settings());
            world.listing = listing;
            for name in ["a", "b"] {
                world.balancer(name).observe = observe;
            }
            if serves {
                world.event(Event::Serving);
            }
            world.event(Event::Leave);
            world.run(seconds(30));
            world.listing = Fault::None;
            world.run(seconds(200));
            assert_eq!(world.end(), left_cleanly(), "{listing:?} {observe:?}");
            assert!(!world.is_in_use(), "{}", world.trace());
        }
    }
}

#[test]
fn what_is_known_not_to_be_registered_is_not_drained() {
    let mut world = World::new(settings(), &["a", "b"]);
    let begun = world.now;
    world.event(Event::Leave);
    world.run(seconds(1));
    assert_eq!(world.end(), left_cleanly());
    assert_eq!(world.at("stop"), begun);
    assert!(!world.trace().contains("detach"));
}

#[test]
fn a_list_that_never_comes_is_told_after_the_whole_drain() {
    let mut world = back(settings());
    let begun = world.now;
    world.listing = Fault::Unknown;
    world.event(Event::Serving);
    world.run(seconds(5));
    world.event(Event::Leave);
    world.run(seconds(30));
    assert_eq!(
        world.problems(),
        ["this process is about to end", "the load balancers are not known yet: no answer"]
    );
    world.run(seconds(200));
    let expected = End { left_behind: vec![], unlisted: Some("no answer".to_owned()), cut_short: None };
    assert_eq!(world.end(), expected);
    assert!(world.at("finish requests") - begun >= seconds(60));
    assert!(world.trace().matches("list").count() > 4, "{}", world.trace());
}

#[test]
fn a_slow_look_is_not_waited_for() {
    let mut world = back(Settings { drain_delay: seconds(20), ..settings() });
    let begun = world.now;
    world.event(Event::Leave);
    world.calls_take = seconds(10);
    world.run(seconds(0));
    world.run(seconds(5));
    assert_eq!(world.at("detach a") - begun, seconds(2));
    world.run(seconds(100));
    assert_eq!(world.end(), left_cleanly());
}

#[test]
fn what_may_not_be_looked_at_is_joined_counts_by_time_and_is_left_with_the_whole_drain() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").hides = true;
    world.event(Event::Serving);
    world.run(seconds(59));
    let blind = "a is joined without seeing how it sees us: not allowed; it counts as sending requests 60s \
                 after the registration, and is left with the whole drain delay";
    assert_eq!(world.problems(), [blind, "a does not send requests yet: not allowed"]);
    assert!(!world.is_ready() && world.is_healthy());
    world.run(seconds(2));
    assert_eq!(world.problems(), [blind]);
    assert!(world.is_ready() && world.is_healthy());
    assert_eq!(world.machine.situation(world.now).attached, 1);
    // Who takes us out is not seen: so we register again each period.
    world.balancer("a").registered = false;
    world.run(seconds(60));
    assert!(world.balancer("a").registered);
    let before = world.trace().matches("attach").count();
    world.run(seconds(600));
    let more = world.trace().matches("attach").count() - before;
    assert!((9..=11).contains(&more), "{more}\n{}", world.trace());
    let begun = world.now;
    world.event(Event::Leave);
    world.run(seconds(200));
    assert_eq!(world.end(), left_cleanly());
    assert_eq!(world.at("finish requests") - begun, seconds(60));
}

#[test]
fn a_permission_that_comes_later_is_used() {
    let mut world = World::new(settings(), &["a"]);
    world.balancer("a").hides = true;
    world.event(Event::Serving);
    world.run(seconds(100));
    world.balancer("a").hides = false;
    world.run(seconds(60));
    assert!(world.problems().is_empty(), "{:?}", world.problems());
}

#[test]
fn a_registration_that_is_refused_for_ever_is_unhealthy_after_a_period() {
    for settled_before in [false, true] {
        let mut world =
            if settled_before { settled(settings()) } else { World::new(settings(), &["a", "b"]) };
        world.balancer("a").attach = Fault::Refused;
        world.balancer("a").registered = false;
        world.event(Event::Serving);
        world.run(seconds(if settled_before { 109 } else { 59 }));
        assert!(world.is_healthy(), "{:?}", world.problems());
        world.run(seconds(15));
        assert!(
            world.problems().contains(&"a cannot be joined: refused".to_owned()),
            "{:?}",
            world.problems()
        );
        assert_eq!((world.is_ready(), world.is_healthy()), (settled_before, false));
        world.balancer("a").attach = Fault::None;
        world.run(seconds(31));
        assert!(world.is_ready() && world.is_healthy(), "{:?}", world.problems());
    }
}

#[test]
fn a_balancer_that_sends_whatever_it_says_is_waited_for() {
    let mut world = settled(Settings { drains_fully: true, drain_delay: seconds(120), ..settings() });
    let begun = world.now;
    world.balancer("a").detach = Fault::Unknown;
    world.event(Event::Leave);
    world.run(seconds(20));
    world.balancer("a").detach = Fault::None;
    world.run(seconds(270));
    assert_eq!(world.end(), left_cleanly());
    assert_eq!(world.at("finish requests") - world.at("detach a"), seconds(120));
    assert!(world.at("detach a") > begun);
}
