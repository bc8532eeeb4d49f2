//! Telling the two copies of a line of nginx's apart: nginx writes each to the socket and to its standard error, and either
//! copy may be lost.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::Line;

/// How long after a line its copy may come.
const WINDOW: Duration = Duration::from_secs(10);

/// For how many lines copies are waited for.
const MOST: usize = 4096;

/// By which way a line came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Socket,
    Output,
}

/// The lines whose copy has not come yet.
#[derive(Debug, Default)]
pub(super) struct Twins {
    single: BTreeMap<Key, Single>,
    /// From when the lines are, the oldest first; those that have met their copy are still among them.
    order: VecDeque<(Instant, Key)>,
}

/// Who says what.
type Key = (Option<i32>, String);

/// How often a line came by each way.
#[derive(Debug)]
struct Single {
    since: Instant,
    by_socket: u32,
    by_output: u32,
}

impl Twins {
    /// Whether this is not the copy of a line that has come already. Equal lines are counted, so that of each pair one counts.
    pub(super) fn is_first(&mut self, line: &Line, way: Way, now: Instant) -> bool {
        self.forget(now);
        let key = (line.pid.map(nix::unistd::Pid::as_raw), line.text.clone());
        let single = self.single.entry(key.clone()).or_insert_with(|| {
            self.order.push_back((now, key.clone()));
            Single { since: now, by_socket: 0, by_output: 0 }
        });
        let (here, there) = match way {
            Way::Socket => (&mut single.by_socket, single.by_output),
            Way::Output => (&mut single.by_output, single.by_socket),
        };
        *here += 1;
        let is_first = *here > there;
        if *here == there {
            self.single.remove(&key);
        }
        is_first
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, _)) = self.order.front() {
            if self.order.len() <= MOST && now.duration_since(*since) < WINDOW {
                return;
            }
            if let Some((since, key)) = self.order.pop_front()
                && self.single.get(&key).is_some_and(|single| single.since == since)
            {
                self.single.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use feed_reconcile::options::LogLevel;
    use nix::unistd::Pid;

    use super::Way::{Output, Socket};
    use super::*;

    fn line(pid: i32, text: &str) -> Line {
        Line { level: LogLevel::Error, pid: Some(Pid::from_raw(pid)), text: text.to_owned() }
    }

    fn firsts(lines: &[(Way, i32, &str)]) -> Vec<bool> {
        let (mut twins, now) = (Twins::default(), Instant::now());
        lines.iter().map(|(way, pid, text)| twins.is_first(&line(*pid, text), *way, now)).collect()
    }

    #[test]
    fn of_each_pair_one_counts() {
        for (lines, expected, why) in [
            (&[(Socket, 1, "a"), (Output, 1, "a")][..], &[true, false][..], "a pair"),
            (&[(Output, 1, "a"), (Socket, 1, "a")], &[true, false], "the other way round"),
            (&[(Socket, 1, "a"), (Output, 2, "a")], &[true, true], "two writers"),
            (&[(Socket, 1, "a"), (Output, 1, "b")], &[true, true], "two texts"),
            (&[(Socket, 1, "a"), (Socket, 1, "a")], &[true, true], "one way alone"),
            (
                &[(Socket, 1, "a"), (Socket, 1, "a"), (Output, 1, "a"), (Output, 1, "a"), (Output, 1, "a")],
                &[true, true, false, false, true],
                "equal lines, the last of which was lost by the other way",
            ),
            (
                &[(Socket, 1, "a"), (Output, 1, "a"), (Output, 1, "a"), (Socket, 1, "a")],
                &[true, false, true, false],
                "two pairs",
            ),
        ] {
            assert_eq!(firsts(lines), expected, "{why}");
        }
    }

    #[test]
    fn a_copy_is_not_waited_for_for_ever() {
        let (mut twins, start) = (Twins::default(), Instant::now());
        assert!(twins.is_first(&line(1, "a"), Socket, start));
        assert!(twins.is_first(&line(1, "a"), Output, start + WINDOW));
        assert!(!twins.is_first(&line(1, "a"), Socket, start + WINDOW));
        for number in 0..3 * MOST {
            twins.is_first(&line(1, &number.to_string()), Socket, start);
        }
        assert!(twins.single.len() <= MOST + 1 && twins.order.len() <= MOST + 1);
        assert!(!twins.is_first(&line(1, &(3 * MOST - 1).to_string()), Output, start), "the newest are kept");
    }
}
