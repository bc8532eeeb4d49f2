//! Participants with clocks of their own on one simulated API server, with slow, lost and late requests.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use proptest::prelude::*;

use crate::lease::{Decision, Election};

/// The Lease as the API server keeps it: written only over the version that was read.
#[derive(Clone, Default)]
struct Server {
    version: u64,
    record: Option<LeaseSpec>,
}

impl Server {
    fn write(&mut self, version: u64, record: LeaseSpec) -> bool {
        let fits = version == self.version;
        if fits {
            *self = Self { version: version + 1, record: Some(record) };
        }
        fits
    }
}

/// What happens next to a participant.
enum Next {
    Read,
    Answer(Server),
    Write { version: u64, record: LeaseSpec },
    Outcome { taken: bool },
}

/// The fate of one read and the write that may follow it, in milliseconds.
#[derive(Clone, Debug)]
struct Fate {
    answer_after: u64,
    write_lands_after: u64,
    outcome_after: u64,
    write_is_lost: bool,
    outcome_is_lost: bool,
    crashes: bool,
    releases: bool,
}

struct Participant {
    election: Election,
    identity: String,
    /// Milliseconds that this clock is ahead.
    offset: i64,
    /// Its speed in thousandths of the true one.
    speed: i64,
    /// The true time, in milliseconds, of what happens next.
    due: u64,
    next: Next,
    fate: Fate,
}

const DURATION: SignedDuration = SignedDuration::from_secs(15);

impl Participant {
    fn new(index: usize, (offset, speed): (i64, i64)) -> Self {
        let identity = format!("participant-{index}");
        let fate = Fate {
            answer_after: 1,
            write_lands_after: 1,
            outcome_after: 1,
            write_is_lost: false,
            outcome_is_lost: false,
            crashes: false,
            releases: false,
        };
        Self {
            election: Election::new(&identity, DURATION),
            identity,
            offset,
            speed,
            due: 0,
            next: Next::Read,
            fate,
        }
    }

    fn clock(&self, now: u64) -> Timestamp {
        let elapsed = i64::try_from(now).unwrap() * self.speed / 1000;
        Timestamp::from_millisecond(1_700_000_000_000 + self.offset + elapsed).unwrap()
    }

    fn is_held(&self, now: u64) -> bool {
        self.election.is_held(self.clock(now))
    }

    fn sleep(&mut self, now: u64, until: Timestamp) {
        let local = until.as_millisecond() - self.clock(now).as_millisecond();
        self.next = Next::Read;
        self.due = now + u64::try_from((local * 1000 / self.speed).max(1)).unwrap();
    }

    fn step(&mut self, now: u64, server: &mut Server, fate: impl FnOnce() -> Fate) {
        match std::mem::replace(&mut self.next, Next::Read) {
            Next::Read => {
                self.fate = fate();
                if self.fate.crashes {
                    self.election = Election::new(&self.identity, DURATION);
                }
                self.next = Next::Answer(server.clone());
                self.due = now + self.fate.answer_after;
            }
            Next::Answer(Server { version, record }) => {
                let local = self.clock(now);
                if self.fate.releases {
                    if let Some(record) = self.election.release(local, record.as_ref()) {
                        server.write(version, record);
                    }
                    return self.sleep(now, self.election.retry_at(local));
                }
                match self.election.decide(local, record.as_ref()) {
                    Decision::Wait(until) => self.sleep(now, until),
                    Decision::Acquire(record) | Decision::Renew(record) => {
                        self.next = Next::Write { version, record };
                        self.due = now + self.fate.write_lands_after;
                    }
                }
            }
            Next::Write { version, record } => {
                let taken = !self.fate.write_is_lost && server.write(version, record);
                self.next = Next::Outcome { taken: taken && !self.fate.outcome_is_lost };
                self.due = now + self.fate.outcome_after;
            }
            Next::Outcome { taken } => {
                if taken {
                    self.election.written();
                }
                let local = self.clock(now);
                self.sleep(now, self.election.retry_at(local));
            }
        }
    }
}

/// Delays: mostly short, sometimes longer than a whole term.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1..200_u64, 2 => 200..8_000_u64, 1 => 8_000..40_000_u64]
}

fn fate() -> impl Strategy<Value = Fate> {
    let rarely = || prop::bool::weighted(0.1);
    (delay(), delay(), delay(), rarely(), rarely(), rarely(), rarely()).prop_map(
        |(
            answer_after,
            write_lands_after,
            outcome_after,
            write_is_lost,
            outcome_is_lost,
            crashes,
            releases,
        )| Fate {
            answer_after,
            write_lands_after,
            outcome_after,
            write_is_lost,
            outcome_is_lost,
            crashes,
            releases,
        },
    )
}

/// How far ahead a clock is, in milliseconds, and its speed in thousandths.
fn clock() -> impl Strategy<Value = (i64, i64)> {
    (-100_000_000..100_000_000_i64, 850..1_200_i64)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_more_than_one_holds(
        clocks in prop::collection::vec(clock(), 2..4),
        fates in prop::collection::vec(fate(), 1..120),
    ) {
        let mut server = Server::default();
        let mut participants: Vec<Participant> =
            clocks.into_iter().enumerate().map(|(index, clock)| Participant::new(index, clock)).collect();
        let mut fates = fates.into_iter();
        // A term begins in one step of its participant: whoever else holds it then would still hold it after.
        while fates.len() > 0 {
            let participant = participants.iter_mut().min_by_key(|participant| participant.due).unwrap();
            let now = participant.due;
            participant.step(now, &mut server, || fates.next().unwrap());
            let holding = participants.iter().filter(|participant| participant.is_held(now)).count();
            prop_assert!(holding <= 1, "{holding} hold the Lease at {now}");
        }
    }
}

#[test]
fn somebody_always_holds_it_soon_after_the_holder_died() {
    let prompt = || Participant::new(0, (0, 1000)).fate;
    let mut server = Server::default();
    let mut participants = [Participant::new(0, (0, 1000)), Participant::new(1, (5_000, 1100))];
    let mut died = None;
    loop {
        let index = usize::from(participants[1].due < participants[0].due);
        let now = participants[index].due;
        participants[index].step(now, &mut server, prompt);
        match died {
            None if now > 60_000 => {
                let holder = participants.iter().position(|it| it.is_held(now)).expect("a holder");
                participants[holder].due = u64::MAX;
                died = Some((holder, now));
            }
            Some((holder, since)) if participants[1 - holder].is_held(now) => {
                assert!(now - since < 17_000, "took {} ms", now - since);
                return;
            }
            Some((_, since)) => assert!(now - since < 17_000, "nobody took over"),
            None => {}
        }
    }
}
