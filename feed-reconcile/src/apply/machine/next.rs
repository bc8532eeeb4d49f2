//! What comes next while nothing is under way.

use std::time::Instant;

use super::{Apply, Attempt, Phase, Step};
use crate::apply::{Command, Configuration, Version};
use crate::nginx::Generation;
use crate::reload::{Bucket, Pass};

impl<C: Clone + PartialEq> Apply<C> {
    /// Decides what comes next while nothing is under way.
    pub(super) fn proceed(&mut self, now: Instant, bucket: &mut dyn Bucket, commands: &mut Vec<Command<C>>) {
        self.wake_at = None;
        if self.given_up {
            return;
        }
        if self.up {
            self.proceed_up(now, bucket, commands);
        } else {
            self.proceed_down(now, commands);
        }
    }

    fn proceed_up(&mut self, now: Instant, bucket: &mut dyn Bucket, commands: &mut Vec<Command<C>>) {
        if let Some(configuration) = self.wanted(now) {
            let pass = if self.start_up || self.urgent { Pass::Now } else { self.pace.pass(now, bucket) };
            match pass {
                Pass::Now => return self.attempt(configuration, false, commands),
                Pass::At(then) => self.wake_by(then),
            }
        }
        if self.desired.is_none() {
            return;
        }
        self.start_up = false;
        let Some(confirmed) = &self.confirmed else { return };
        self.settled = true;
        if self.live {
            return;
        }
        if let Some(restore_at) = self.restore_at.filter(|restore_at| *restore_at > now) {
            return self.wake_by(restore_at);
        }
        commands.push(Command::Reload(confirmed.generation));
        self.phase = Phase::Restoring;
        self.wake_at = Some(now + self.settings.confirm_timeout);
    }

    fn proceed_down(&mut self, now: Instant, commands: &mut Vec<Command<C>>) {
        if let Some(start_at) = self.start_at.filter(|start_at| *start_at > now) {
            return self.wake_by(start_at);
        }
        let fallback = self.confirmed.as_ref().filter(|_| self.startable).map(|version| version.generation);
        if !self.settings.sidecar
            && (fallback.is_none() || self.start_failed)
            && let Some(configuration) = self.wanted(now)
        {
            return self.attempt(configuration, true, commands);
        }
        if self.settings.sidecar || fallback.is_some() {
            commands.push(Command::Start(fallback));
            self.phase = Phase::Starting;
            self.wake_at = None;
        }
    }

    /// The configuration that should go out as soon as it may.
    fn wanted(&mut self, now: Instant) -> Option<Configuration<C>> {
        let desired = self.desired.clone()?;
        if self.live
            && let Some(confirmed) =
                self.confirmed.as_mut().filter(|version| version.configuration == desired)
        {
            // The newer value shares its memory with those to come, and is compared with them faster.
            confirmed.configuration = desired;
            // What failed is not asked for any more.
            self.failure = None;
            return None;
        }
        if self.routes_that_would_go(&desired).is_some() {
            return None;
        }
        let failure = self.failure.as_ref().filter(|failure| failure.version.configuration == desired);
        if let Some(retry_at) = failure.map(|failure| failure.retry_at).filter(|retry_at| *retry_at > now) {
            self.wake_by(retry_at);
            return None;
        }
        Some(desired)
    }

    fn attempt(&mut self, configuration: Configuration<C>, starts: bool, commands: &mut Vec<Command<C>>) {
        if self.start_up || self.urgent || starts {
            self.start_up = false;
            self.pace.went_out();
        }
        self.last = Generation(self.last.0.saturating_add(1));
        let version = Version { generation: self.last, configuration };
        commands.push(Command::Write(version.clone()));
        self.phase = Phase::Attempting(Step::Writing, Attempt { version, told: None, took: None, starts });
        self.wake_at = None;
        self.doubted = false;
    }

    fn wake_by(&mut self, then: Instant) {
        self.wake_at = Some(self.wake_at.map_or(then, |wake_at| wake_at.min(then)));
    }
}
