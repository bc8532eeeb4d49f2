//! Histories: processes that are killed and come back, an API that fails in every way, load balancers that come, go, lose
//! their tags and are taken over, and people who deregister by hand; against models of AWS's load balancers.
//!
//! Each history follows from its seed alone.

mod aws;
mod pod;

use std::time::Duration;

use self::aws::{Kind, NAMES, Owner};
use self::pod::Pod;
use super::*;

/// Numbers that look random, and are the same each time.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below that.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A time below that.
    fn time(&mut self, limit: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(limit.as_millis()).unwrap().max(1)))
    }

    fn name(&mut self) -> &'static str {
        NAMES[usize::try_from(self.below(NAMES.len() as u64)).unwrap()]
    }
}

/// How the API fails, in parts of 16 calls.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    /// It says no, and does nothing: throttled.
    refused: u64,
    /// It does what was asked, and the answer is lost.
    answer_lost: u64,
    /// The question is lost.
    question_lost: u64,
    /// It lists some only.
    cut_off: u64,
    /// To look is not allowed.
    blind: bool,
    /// The longest time that a call takes.
    slowness: Duration,
}

impl Weather {
    fn of(dice: &mut Dice) -> Self {
        let mut part = || if dice.one_in(3) { dice.below(17) } else { 0 };
        let (refused, answer_lost, question_lost, cut_off) = (part(), part(), part(), part());
        Self {
            refused,
            answer_lost,
            question_lost,
            cut_off,
            blind: dice.one_in(6),
            slowness: if dice.one_in(3) { seconds(20) } else { seconds(1) },
        }
    }

    const FINE: Self = Self {
        refused: 0,
        answer_lost: 0,
        question_lost: 0,
        cut_off: 0,
        blind: false,
        slowness: Duration::from_millis(200),
    };
}

/// Something that happens to the pod, to the API or to the load balancers.
fn happen(pod: &mut Pod, dice: &mut Dice) {
    let now = pod.now;
    match dice.below(12) {
        0 => pod.kill(dice),
        1 | 2 => pod.weather = Weather::of(dice),
        3 => pod.weather = Weather::FINE,
        4 => {
            let name = dice.name();
            pod.aws.take_out(name, now);
        }
        5 => {
            let name = dice.name();
            let owner = if dice.one_in(2) { Owner::Untagged } else { Owner::Foreign };
            pod.aws.give_to(name, owner);
        }
        6 | 7 => {
            let name = dice.name();
            pod.aws.give_to(name, Owner::Ours);
        }
        8 => {
            let name = dice.name();
            pod.aws.delete(name);
        }
        9 => {
            let name = dice.name();
            pod.aws.create(name, dice);
        }
        _ => {}
    }
}

/// Every wait of the machine, a period, and the time until a target is in service.
const BOUND: Duration = Duration::from_secs(60 + 2 * 30 + aws::LONGEST_SETTLING.as_secs() + 20);

fn history(kind: Kind, seed: u64) {
    let mut dice = Dice::new(seed);
    let mut pod = Pod::new(kind, &mut dice);
    for _ in 0..dice.below(40) {
        let time = dice.time(seconds(90));
        pod.run(time, &mut dice);
        happen(&mut pod, &mut dice);
    }
    let mends = dice.one_in(2);
    if mends {
        pod.weather = Weather::FINE;
        for name in NAMES {
            pod.aws.create(name, &mut dice);
            pod.aws.give_to(name, Owner::Ours);
        }
        pod.run(BOUND, &mut dice);
        assert!(pod.problems().is_empty(), "all is well in the end: {:?}", pod.problems());
        for name in NAMES {
            assert!(pod.aws.is_in_service(name, pod.now), "{name} is in service");
        }
    }
    if !mends && dice.one_in(4) {
        // Somebody takes a tag away, and means it.
        let name = dice.name();
        pod.aws.give_to(name, Owner::Untagged);
        pod.run(seconds(70), &mut dice);
        pod.aws.take_out(name, pod.now);
        let time = dice.time(seconds(90));
        pod.run(time, &mut dice);
    }
    pod.leave();
    for _ in 0..dice.below(6) {
        let time = dice.time(seconds(20));
        pod.run(time, &mut dice);
        match dice.below(4) {
            0 if !mends => pod.weather = Weather::of(&mut dice),
            1 => pod.weather = Weather::FINE,
            2 => {
                let name = dice.name();
                pod.aws.take_out(name, pod.now);
            }
            _ => {}
        }
    }
    pod.run(kind.settings().grace_period, &mut dice);
    let end = pod.end();
    assert!(!mends || end == left_cleanly(), "nothing keeps it: {end:?}");
    pod.check_the_end();
}

fn histories(kind: Kind) {
    for seed in 0..1000 {
        let told = std::panic::catch_unwind(|| history(kind, seed));
        assert!(told.is_ok(), "{kind:?}, seed {seed}");
    }
}

#[test]
fn classic_load_balancers() {
    histories(Kind::Classic);
}

#[test]
fn network_load_balancers() {
    histories(Kind::Network);
}

#[test]
fn application_load_balancers() {
    histories(Kind::Application);
}
