//! Balancers that are not ours any more, and lists that are not whole.

use super::*;

/// `a` is not ours any more; a period passes.
fn unclaimed(world: &mut World) {
    world.listed.retain(|name| *name != "a");
    world.run(seconds(60));
}

#[test]
fn what_was_ours_is_kept_until_somebody_takes_us_out() {
    let mut world = settled(Settings { expected: 2, ..settings() });
    world.former = vec!["a"];
    unclaimed(&mut world);
    world.run(seconds(600));
    assert!(world.problems().is_empty(), "{:?}", world.problems());
    assert_eq!(world.machine.situation(world.now).attached, 2);
    assert!(!world.trace().contains("attach"));
    world.balancer("a").registered = false;
    world.run(seconds(60));
    let situation = world.machine.situation(world.now);
    assert_eq!((situation.attached, situation.members.len()), (1, 2));
    assert_eq!(situation.members[0].bond, Bond::Detached);
    world.run(seconds(600));
    assert_eq!(world.machine.situation(world.now).members.len(), 1);
    assert!(!world.trace().contains("attach"), "who takes us out means it");
    world.listed.push("a");
    world.run(seconds(60));
    assert!(world.balancer("a").registered, "it is ours again");
}

#[test]
fn what_was_ours_is_left_in_the_end() {
    let mut world = settled(settings());
    world.former = vec!["a"];
    unclaimed(&mut world);
    world.event(Event::Leave);
    world.run(seconds(100));
    assert_eq!(world.end(), left_cleanly());
    assert!(!world.is_in_use());
}

#[test]
fn what_is_others_by_now_is_left_at_once() {
    let mut world = settled(settings());
    world.foreign = vec!["a"];
    world.balancer("a").detach = Fault::Unknown;
    unclaimed(&mut world);
    world.run(seconds(65));
    assert_eq!(world.problems(), ["a cannot be left: no answer"]);
    assert!(world.is_ready());
    world.balancer("a").detach = Fault::None;
    world.run(seconds(60));
    assert!(!world.balancer("a").registered);
    assert!(world.problems().is_empty());
    assert_eq!(world.machine.situation(world.now).attached, 1);
    world.trace.clear();
    world.run(seconds(600));
    assert!(!world.trace().contains("tach a"), "{}", world.trace());
}

#[test]
fn what_is_deleted_is_not_counted() {
    let mut world = settled(settings());
    unclaimed(&mut world);
    assert_eq!(world.machine.situation(world.now).attached, 1);
    assert!(world.is_ready() && world.is_healthy());
}

#[test]
fn a_list_that_is_not_whole_takes_nothing_away() {
    let mut world = settled(settings());
    world.trouble = Some("a is not allowed".to_owned());
    world.add("c");
    unclaimed(&mut world);
    assert_eq!(world.machine.situation(world.now).attached, 3);
    world.run(seconds(65));
    assert_eq!(world.problems(), ["the list of load balancers is out of date: a is not allowed"]);
    assert!(world.is_ready() && !world.is_healthy());
    world.balancer("a").registered = false;
    world.run(seconds(100));
    assert!(world.balancer("a").registered, "it is kept attached all the same");
}

#[test]
fn a_list_that_was_never_whole_is_told_at_the_end() {
    let mut world = World::new(settings(), &["a"]);
    world.trouble = Some("b is not allowed".to_owned());
    world.event(Event::Serving);
    world.run(seconds(10));
    assert!(world.is_ready());
    world.event(Event::Leave);
    world.run(seconds(200));
    let unlisted = Some("b is not allowed".to_owned());
    assert_eq!(world.end(), End { left_behind: vec![], unlisted, cut_short: None });
    assert!(!world.is_in_use());
}

#[test]
fn who_was_taken_out_of_what_was_ours_waits_for_its_last_requests() {
    let settings = Settings { drains_fully: true, drain_delay: seconds(120), ..settings() };
    let mut world = World::new(settings, &["a"]);
    world.event(Event::Serving);
    world.run(seconds(10));
    world.former = vec!["a"];
    unclaimed(&mut world);
    world.balancer("a").registered = false;
    world.run(seconds(60));
    let seen_at = world.at("observe a");
    world.event(Event::Leave);
    world.run(seconds(200));
    assert_eq!(world.end(), left_cleanly());
    assert_eq!(world.at("stop") - seen_at, seconds(120));
}
