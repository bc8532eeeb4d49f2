//! Waiting until nginx serves a configuration, and nothing else.

use std::time::Duration;

use feed_reconcile::nginx::Generation;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, info_span, warn};

use super::master::{Master, MasterError};
use super::process;
use super::status_port::{Served, StatusPort};

/// The pauses between two looks: a fiftieth of the time waited so far, so that waiting adds little to what is waited for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
const PAUSE_SHARE: u32 = 50;

/// How long a signalled master may sleep without having started a worker until it is signalled again.
const SLEEPINESS: Duration = Duration::from_secs(2);

/// Paces looks.
struct Looks {
    since: Instant,
}

impl Looks {
    fn begin() -> Self {
        Self { since: Instant::now() }
    }

    async fn pause(&self) {
        sleep((self.since.elapsed() / PAUSE_SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
    }
}

/// Waits until new connections are served by this generation. Never gives up.
pub async fn serves(status: StatusPort, generation: Generation) -> Served {
    let looks = Looks::begin();
    loop {
        match status.generation().await {
            Ok(served) if served.generation == generation => return served,
            _ => looks.pause().await,
        }
    }
}

/// Waits until nginx answers, whatever it serves. Never gives up.
pub async fn answers(status: StatusPort) -> Served {
    let looks = Looks::begin();
    loop {
        match status.generation().await {
            Ok(served) => return served,
            Err(_) => looks.pause().await,
        }
    }
}

/// Tells nginx to read its configuration, and waits until new connections are served by this generation and by no
/// older worker. Never gives up.
///
/// One new answer is not enough: for some 100 ms the master lets the old workers accept connections beside the new ones.
pub async fn reload(
    master: &Master,
    status: StatusPort,
    generation: Generation,
) -> Result<Served, MasterError> {
    let old = process::accepting_workers(master.pid());
    master.reload()?;
    replaced(master, status, generation, old).instrument(info_span!("confirm")).await
}

/// Waits until new connections are served by this generation and by none of the old workers.
async fn replaced(
    master: &Master,
    status: StatusPort,
    generation: Generation,
    old: Vec<Pid>,
) -> Result<Served, MasterError> {
    let mut attention = Attention::new(old.clone());
    let looks = Looks::begin();
    let served = loop {
        match status.generation().await {
            Ok(served) if served.generation == generation => break served,
            _ => {}
        }
        attention.look(master)?;
        looks.pause().await;
    };
    while old.iter().any(|worker| process::accepts(*worker)) {
        attention.look(master)?;
        looks.pause().await;
    }
    Ok(served)
}

/// Watches that a signalled master does something about it.
///
/// A master that refuses a configuration says so. But the first line that it sends after its log's receiver was replaced
/// is lost, and when it is that one, all that can be seen is a master that sleeps and has started nobody. Signalled again,
/// it says it again.
struct Attention {
    old: Vec<Pid>,
    idle_since: Option<Instant>,
    next_look: Instant,
    signalled_again: bool,
}

impl Attention {
    fn new(old: Vec<Pid>) -> Self {
        Self { old, idle_since: None, next_look: Instant::now() + SLEEPINESS / 8, signalled_again: false }
    }

    fn look(&mut self, master: &Master) -> Result<(), MasterError> {
        let now = Instant::now();
        if self.signalled_again || now < self.next_look {
            return Ok(());
        }
        self.next_look = now + SLEEPINESS / 8;
        let sleeps = process::process(master.pid()).is_some_and(|process| process.state == b'S');
        let started =
            || process::accepting_workers(master.pid()).iter().any(|worker| !self.old.contains(worker));
        if !sleeps || started() {
            self.idle_since = None;
        } else if now.duration_since(*self.idle_since.get_or_insert(now)) >= SLEEPINESS {
            warn!(pid = %master.pid(), "nginx has neither taken up nor refused its configuration; signalling it again.");
            self.signalled_again = true;
            master.reload()?;
        }
        Ok(())
    }
}
