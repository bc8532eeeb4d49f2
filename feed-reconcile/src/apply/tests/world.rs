//! Random events against a model of nginx and its files.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What the world does next.
#[derive(Clone, Debug)]
enum Turn {
    Desire(Content),
    /// The command under way is carried out.
    Carry,
    /// The command under way fails, or is refused by nginx.
    Fail,
    /// nginx is killed.
    Kill,
    /// The process is killed, and a new one begins.
    Restart,
    Sleep(u64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "c", ""]).prop_map(Turn::Desire),
        8 => Just(Turn::Carry),
        2 => Just(Turn::Fail),
        1 => Just(Turn::Kill),
        1 => Just(Turn::Restart),
        2 => (0..200_000_u64).prop_map(Turn::Sleep),
    ]
}

#[derive(Default)]
struct World {
    written: Vec<Version<Content>>,
    named: Option<Generation>,
    kept: Option<Generation>,
    /// Everything that was ever confirmed.
    confirmed: BTreeSet<Generation>,
    running: Option<Running>,
    pending: Option<Command<Content>>,
}

impl World {
    fn version(&self, generation: Generation) -> Option<Version<Content>> {
        self.written.iter().find(|version| version.generation == generation).cloned()
    }

    fn found(&self) -> Found<Content> {
        Found {
            confirmed: self.kept.and_then(|kept| self.version(kept)),
            startable: true,
            named: self.named,
            running: self.running.unwrap_or(Running::No),
            last: self.written.iter().map(|version| version.generation).max().unwrap_or_default(),
        }
    }

    /// Takes commands, checking that each may follow the others.
    fn take(&mut self, commands: Vec<Command<Content>>) {
        for command in commands {
            match command {
                Command::Tell(_) | Command::GiveUp(_) => continue,
                Command::Name(generation) => assert!(
                    self.kept.is_none_or(|kept| generation >= kept),
                    "nothing older than what is confirmed is named"
                ),
                Command::Write(ref version) => {
                    assert!(self.written.iter().all(|old| old.generation < version.generation));
                    if self.kept.is_some() {
                        assert_eq!(self.named, self.kept, "nothing new before the name is back");
                    }
                }
                Command::Reload(_) => assert!(self.running.is_some(), "only a running nginx is signalled"),
                Command::Start(Some(generation)) => assert_eq!(self.named, Some(generation)),
                Command::Test(_) | Command::Start(None) | Command::Keep(_) => {}
            }
            let replaceable = matches!(self.pending, None | Some(Command::Reload(_)));
            assert!(replaceable, "{:?} is under way when {command:?} comes", self.pending);
            self.pending = Some(command);
        }
    }

    fn carry(&mut self) -> Option<Event<Content>> {
        Some(match self.pending.take()? {
            Command::Write(version) => {
                self.written.push(version);
                Event::Finished(Ok(()))
            }
            Command::Name(generation) => {
                self.named = Some(generation);
                Event::Finished(Ok(()))
            }
            Command::Start(wanted) => {
                self.running = Some(Running::Yes(wanted));
                Event::Started { confirmed: true }
            }
            Command::Reload(generation) => {
                self.running = Some(Running::Yes(Some(generation)));
                Event::Finished(Ok(()))
            }
            Command::Keep(generation) => {
                self.kept = Some(generation);
                self.confirmed.insert(generation);
                Event::Finished(Ok(()))
            }
            Command::Test(_) | Command::Tell(_) | Command::GiveUp(_) => Event::Finished(Ok(())),
        })
    }

    fn fail(&mut self) -> Option<Event<Content>> {
        Some(match self.pending.take()? {
            Command::Reload(_) => Event::Emergency("refused".into()),
            _ => Event::Finished(Err("failed".into())),
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_wanted_configuration_is_served_in_the_end(
        turns in prop::collection::vec(turn(), 1..60)
    ) {
        let settings = Settings { max_restarts: u32::MAX, ..SETTINGS };
        let (mut world, mut wanted) = (World::default(), None);
        let (mut driver, commands) = Driver::begin(settings, world.found());
        world.take(commands);
        for turn in turns {
            let event = match turn {
                Turn::Desire(content) => {
                    wanted = Some(content);
                    Some(Event::Desired(configuration(content)))
                }
                Turn::Carry => world.carry(),
                Turn::Fail => world.fail(),
                Turn::Kill => world.running.take().map(|_| Event::Died("killed".into())),
                Turn::Restart => {
                    world.pending = None;
                    let now = driver.now;
                    let (fresh, commands) = Driver::begin(settings, world.found());
                    driver = Driver { now, ..fresh };
                    world.take(commands);
                    wanted.map(|content| Event::Desired(configuration(content)))
                }
                Turn::Sleep(milliseconds) => {
                    driver.pass(Duration::from_millis(milliseconds));
                    Some(Event::Woken)
                }
            };
            if let Some(event) = event {
                let commands = driver.step(event);
                world.take(commands);
            }
        }

        // From now on everything works.
        let wanted = wanted.unwrap_or("a");
        let commands = driver.desire(wanted);
        world.take(commands);
        for _ in 0..200 {
            let commands = match world.carry() {
                Some(event) => driver.step(event),
                None if driver.machine.wake_at().is_some() => driver.wake(),
                None => break,
            };
            world.take(commands);
        }
        let situation = driver.machine.situation();
        prop_assert!(situation.live && situation.ready, "{situation:?}");
        prop_assert_eq!(world.named, world.kept);
        prop_assert_eq!(world.running, Some(Running::Yes(world.kept)));
        prop_assert_eq!(situation.confirmed, world.kept);
        let served = world.kept.and_then(|kept| world.version(kept)).map(|version| version.configuration.content);
        if wanted.is_empty() {
            // Held back, unless there was never anything else.
            prop_assert!(served.is_some());
        } else {
            prop_assert_eq!(served, Some(wanted));
        }
    }
}
