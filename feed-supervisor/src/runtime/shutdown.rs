//! The end of the process: first it drains, and where it is told to again it aborts. [`signals`](super::signals) make it come.
//!
//! Kubernetes sends SIGTERM before others know that the process ends; somebody at a terminal sends SIGINT, and waits.

use tokio::sync::watch;

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody asked for it.
    #[default]
    Running,
    /// The process is to leave gracefully.
    Draining,
    /// The same, without a pause in which others may learn of it.
    Hurrying,
    /// The process is to end at once.
    Aborting,
}

/// Tells how far the end has come; clones tell the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

/// Makes the end come; clones act on the same end.
#[derive(Clone, Debug)]
pub struct Trigger(watch::Sender<Phase>);

/// An end that nothing but the trigger makes come.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(Phase::Running);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Takes a signal in: the first asks for that phase, any further one aborts. Returns the phase reached.
    pub fn next(&self, first: Phase) -> Phase {
        self.advance(|phase| if phase == Phase::Running { first } else { Phase::Aborting })
    }

    /// Drains, unless that or more was asked for already.
    pub fn drain(&self) {
        self.advance(|phase| phase.max(Phase::Draining));
    }

    /// Drains in a hurry, unless that or more was asked for already.
    pub fn hurry(&self) {
        self.advance(|phase| phase.max(Phase::Hurrying));
    }

    /// Aborts.
    pub fn abort(&self) {
        self.advance(|_| Phase::Aborting);
    }

    fn advance(&self, step: impl Fn(Phase) -> Phase) -> Phase {
        self.0.send_modify(|phase| *phase = step(*phase));
        *self.0.borrow()
    }
}

impl Shutdown {
    /// The phase at this moment.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until the process is to drain, or to abort.
    pub async fn draining(&mut self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the process is to drain in a hurry, or to abort.
    pub async fn hurrying(&mut self) {
        self.reached(Phase::Hurrying).await;
    }

    /// Waits until the process is to abort.
    pub async fn aborting(&mut self) {
        self.reached(Phase::Aborting).await;
    }

    async fn reached(&mut self, wanted: Phase) {
        if self.0.wait_for(|phase| *phase >= wanted).await.is_err() {
            // Every trigger is gone: the end that is waited for cannot come any more.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests;
