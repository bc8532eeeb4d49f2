use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::world::{Fault, World};
use super::{left_cleanly, settings};

/// What happens next.
#[derive(Clone, Debug)]
enum Turn {
    Pass(u64),
    Serve,
    /// Somebody registers or deregisters us by hand.
    Meddle(usize, bool),
    /// Somebody changes the registration by hand.
    Alter(usize, bool),
    Break(usize, u8, Fault),
    BreakList(Fault),
    Relist(u8),
    Slow(u64, u64),
    Leave,
    Abort,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![Fault::None, Fault::None, Fault::Refused, Fault::Unknown])
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        10 => (0..100_000_u64).prop_map(Turn::Pass),
        3 => Just(Turn::Serve),
        2 => (0..3_usize, any::<bool>()).prop_map(|(index, registered)| Turn::Meddle(index, registered)),
        2 => (0..3_usize, any::<bool>()).prop_map(|(index, insists)| Turn::Alter(index, insists)),
        4 => (0..3_usize, 0..4_u8, fault()).prop_map(|(index, call, fault)| Turn::Break(index, call, fault)),
        1 => fault().prop_map(Turn::BreakList),
        1 => (0..8_u8).prop_map(Turn::Relist),
        2 => (0..40_000_u64, 0..200_000_u64).prop_map(|(calls, requests)| Turn::Slow(calls, requests)),
        1 => Just(Turn::Leave),
        1 => Just(Turn::Abort),
    ]
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn take(world: &mut World, turn: &Turn) {
    match *turn {
        Turn::Pass(time) => world.run(Duration::from_millis(time)),
        Turn::Serve => world.event(Event::Serving),
        Turn::Meddle(index, registered) => world.balancer(NAMES[index]).registered = registered,
        Turn::Alter(index, insists) => {
            let balancer = world.balancer(NAMES[index]);
            (balancer.outdated, balancer.insists) = (true, insists);
        }
        Turn::Break(index, call, fault) => {
            let balancer = world.balancer(NAMES[index]);
            let calls =
                [&mut balancer.observe, &mut balancer.attach, &mut balancer.detach, &mut balancer.release];
            *calls.into_iter().nth(call.into()).unwrap() = fault;
        }
        Turn::BreakList(fault) => world.listing = fault,
        Turn::Relist(mask) => {
            let is_listed = |(index, _): &(usize, &&str)| mask & (1 << index) != 0;
            world.listed = NAMES.iter().enumerate().filter(is_listed).map(|(_, name)| *name).collect();
        }
        Turn::Slow(calls, requests) => {
            world.calls_take = Duration::from_millis(calls);
            world.requests_take = Duration::from_millis(requests);
        }
        Turn::Leave => world.event(Event::Leave),
        Turn::Abort => world.event(Event::Abort),
    }
}

/// Whether somebody has registered us by hand, who may do that after we have left.
fn meddled(turns: &[Turn]) -> bool {
    turns.iter().any(|turn| matches!(turn, Turn::Meddle(_, true)))
}

/// The order of what is done at the end.
fn check_order(world: &World) {
    let trace: Vec<&str> = world.trace.iter().map(|(_, text)| text.as_str()).collect();
    let first = |word: &str| trace.iter().position(|text| text.starts_with(word)).unwrap_or(trace.len());
    let last = |word: &str| trace.iter().rposition(|text| text.starts_with(word)).map_or(0, |at| at + 1);
    assert!(last("attach") <= first("detach"), "nothing is attached again: {trace:#?}");
    assert!(last("detach") <= first("finish"), "{trace:#?}");
    assert!(first("finish") <= first("release") && last("release") <= first("clean up"), "{trace:#?}");
    assert!(last("clean up") <= first("stop").max(first("stop now")), "{trace:#?}");
    for once in ["finish", "clean up", "stop now", "end"] {
        assert!(trace.iter().filter(|text| text.starts_with(once)).count() <= 1, "{once}: {trace:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_happens_the_process_ends_in_time_and_says_what_it_leaves(
        turns in prop::collection::vec(turn(), 0..40),
        releases in any::<bool>(),
        jitter in 0.0..1.0_f64,
    ) {
        let mut world = World::new(Settings { releases, ..settings() }, &NAMES);
        world.jitter = Jitter::new(jitter);
        for turn in &turns {
            take(&mut world, turn);
        }
        world.event(Event::Leave);
        world.run(settings().grace_period);
        let end = world.end();
        check_order(&world);
        prop_assert_eq!(world.machine.wake_at(), None);
        let situation = world.machine.situation(world.now);
        prop_assert!(situation.problems.iter().any(Problem::takes_readiness));
        for name in NAMES {
            let is_told = end.left_behind.iter().any(|(left, _)| *left == name);
            let is_told = is_told || end.unlisted.is_some();
            prop_assert!(is_told || !world.balancer(name).registered || meddled(&turns), "{name}");
        }
    }

    #[test]
    fn when_all_is_mended_all_are_attached_again(turns in prop::collection::vec(turn(), 0..40)) {
        let stays = |turn: &&Turn| !matches!(turn, Turn::Leave | Turn::Abort);
        let mut world = World::new(settings(), &NAMES);
        for turn in turns.iter().filter(stays) {
            take(&mut world, turn);
        }
        world.calls_take = Duration::ZERO;
        world.listing = Fault::None;
        world.listed = NAMES.to_vec();
        for name in NAMES {
            world.balancer(name).insists = false;
            for call in 0..4 {
                take(&mut world, &Turn::Break(NAMES.iter().position(|it| *it == name).unwrap(), call, Fault::None));
            }
        }
        world.event(Event::Serving);
        // Every pause and call that is under way, and a period.
        world.run(Duration::from_mins(4));
        prop_assert!(world.problems().is_empty(), "{:?}\n{}", world.problems(), world.trace());
        prop_assert_eq!(world.machine.situation(world.now).attached, NAMES.len());
        for name in NAMES {
            prop_assert!(world.balancer(name).registered);
        }

        world.requests_take = Duration::ZERO;
        world.event(Event::Leave);
        world.run(settings().grace_period);
        prop_assert_eq!(world.end(), left_cleanly());
        prop_assert!(!world.is_in_use());
    }
}
