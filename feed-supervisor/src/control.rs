//! The one loop: everything that can happen comes in as an [`Event`], and what is to be done goes out as commands.
//!
//! What to do is decided by [`feed_reconcile::apply`]; what operators see of it is the [`Board`]'s business.

use std::collections::BTreeSet;
use std::convert::Infallible;

use feed_reconcile::apply::{
    self, Apply, Command, Configuration, Found, Outcome, Place, Report, Settings, Version, place_of,
};
use feed_reconcile::key::ObjectName;
use feed_reconcile::nginx::{Rendered, certificate_in};
use feed_reconcile::reload::Reserve;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::board::{Blame, Board};
use crate::compute::{AtFault, Computed, Verdict};
use crate::nginx::content::Content;
use crate::tokens::Budgets;

/// Everything that can happen.
#[derive(Debug)]
pub enum Event {
    /// The cluster's state was computed.
    Computed(Computed),
    /// Something has happened to nginx.
    Nginx(apply::Event<Content>),
}

/// Where events come from. Each ends only with the process.
#[derive(Debug)]
pub struct Events {
    /// What was computed.
    pub computed: mpsc::Receiver<Computed>,
    /// What has come of the commands, and what was seen of nginx.
    pub nginx: mpsc::Receiver<apply::Event<Content>>,
}

impl Events {
    async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            event = self.nginx.recv() => event.map(Event::Nginx),
            computed = self.computed.recv() => computed.map(Event::Computed),
        }
    }
}

/// Why the loop has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// nginx cannot be kept alive.
    #[error("{0}")]
    GivenUp(String),
    /// A source of events, or who carries commands out, has ended.
    #[error("a part of the process that should go on for ever has ended")]
    Abandoned,
}

/// The loop's state.
pub struct Control {
    apply: Apply<Content>,
    budgets: Budgets,
    commands: mpsc::UnboundedSender<Command<Content>>,
    board: Board,
    verdicts: mpsc::UnboundedSender<Verdict>,
    /// The files that nginx may name in a complaint about what it reads.
    live_file: String,
    /// When the oldest change was seen that is not served yet, and has not gone out.
    waiting_since: Option<Instant>,
    /// The same of what is going out.
    going_out_since: Option<Instant>,
    /// What went out last.
    last_out: Option<Rendered>,
    /// Whether nginx has confirmed anything to this process.
    has_served: bool,
    /// Whether somebody innocent was missing at first, and still may be: nobody is sent here before that is over.
    incomplete: bool,
    /// What nginx is to know of endpoints and does not: whether it follows them otherwise.
    endpoints_wait: Option<Following>,
}

/// Whether nginx follows endpoints itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Following {
    Itself,
    ByReloads,
}

impl Control {
    /// Takes over what an earlier process has left, and gives the first commands.
    pub fn begin(
        settings: Settings,
        found: Found<Content>,
        mut budgets: Budgets,
        commands: mpsc::UnboundedSender<Command<Content>>,
        board: Board,
        verdicts: mpsc::UnboundedSender<Verdict>,
        live_file: String,
    ) -> Result<Self, ControlError> {
        let now = Instant::now();
        let (apply, first) = Apply::begin(settings, found, now.into_std(), &mut *budgets.common);
        let mut control = Self {
            apply,
            budgets,
            commands,
            board,
            verdicts,
            live_file,
            waiting_since: None,
            going_out_since: None,
            last_out: None,
            endpoints_wait: None,
            has_served: false,
            incomplete: false,
        };
        control.give(first)?;
        control.show();
        Ok(control)
    }

    /// Takes events in until nginx cannot be kept alive any more.
    pub async fn run(mut self, mut events: Events) -> Result<Infallible, ControlError> {
        loop {
            let wake_at = self.apply.wake_at().map(Instant::from_std);
            let event = tokio::select! {
                event = events.next() => event.ok_or(ControlError::Abandoned)?,
                () = woken(wake_at) => Event::Nginx(apply::Event::Woken),
            };
            self.take(event)?;
        }
    }

    fn take(&mut self, event: Event) -> Result<(), ControlError> {
        match event {
            Event::Nginx(event) => self.step(event)?,
            Event::Computed(computed) => {
                self.board.computed(&computed);
                if let Ok(rendered) = computed.rendered {
                    let ingresses = computed.admitted;
                    self.waiting_since = earliest(self.waiting_since, computed.changed_at);
                    let routes = rendered.routes();
                    self.endpoints_wait = self.endpoints_wait(&rendered);
                    let desired = rendered.clone();
                    let complete = !computed.searching;
                    let content = Content::Rendered { rendered, ingresses: ingresses.clone(), complete };
                    self.hurry(complete)?;
                    self.step(apply::Event::Desired(Configuration { content, routes }))?;
                    if self.apply.is_up_to_date() {
                        // What has changed is none of nginx's business.
                        self.waiting_since = None;
                        self.endpoints_wait = None;
                        self.last_out = Some(desired);
                        self.judge(Verdict::Taken(ingresses));
                    }
                }
            }
        }
        self.show();
        Ok(())
    }

    fn show(&self) {
        let confirmed = self.apply.confirmed_configuration();
        let complete = confirmed.is_none_or(|configuration| configuration.content.is_complete());
        self.board.situation(&self.apply.situation(), complete);
    }

    /// A process that begins in the midst of a search does not pace it: it has no clients that reloads could disturb.
    fn hurry(&mut self, complete: bool) -> Result<(), ControlError> {
        let is_ready = *self.board.readiness().borrow();
        let incomplete = !is_ready && (self.incomplete || !complete);
        if std::mem::replace(&mut self.incomplete, incomplete) == incomplete {
            return Ok(());
        }
        self.step(apply::Event::Urgent(incomplete))
    }

    fn step(&mut self, event: apply::Event<Content>) -> Result<(), ControlError> {
        let Budgets { common, endpoints, upstreams } = &mut self.budgets;
        let now = Instant::now().into_std();
        let commands = match self.endpoints_wait {
            None => self.apply.step(event, now, &mut **common),
            Some(following) => {
                let own = match following {
                    Following::Itself => upstreams,
                    Following::ByReloads => endpoints,
                };
                self.apply.step(event, now, &mut Reserve { own: &mut **own, common: &mut **common })
            }
        };
        self.give(commands)
    }

    /// Whether endpoints have come or gone since the last configuration; of what an earlier process left that is not known.
    fn endpoints_wait(&self, desired: &Rendered) -> Option<Following> {
        let is_new = self.last_out.as_ref().is_none_or(|last| desired.endpoints_changed_since(last));
        let following = if desired.follows_endpoints() { Following::Itself } else { Following::ByReloads };
        is_new.then_some(following)
    }

    fn give(&mut self, commands: Vec<Command<Content>>) -> Result<(), ControlError> {
        for command in commands {
            match command {
                Command::Tell(report) => self.told(&report)?,
                Command::GiveUp(why) => return Err(ControlError::GivenUp(why)),
                command => {
                    match &command {
                        Command::Write(version) => {
                            self.endpoints_wait = None;
                            self.going_out_since = self.waiting_since.take();
                            self.going_out(version);
                        }
                        Command::Reload(_) => self.board.reload_begun(),
                        _ => {}
                    }
                    self.commands.send(command).map_err(|_| ControlError::Abandoned)?;
                }
            }
        }
        Ok(())
    }

    /// Says why a configuration goes out.
    fn going_out(&mut self, version: &Version<Content>) {
        if let Some(rendered) = version.configuration.content.rendered() {
            let changed = rendered.ingresses_changed_since(self.last_out.as_ref());
            self.board.changes(version.generation, &changed);
            self.last_out = Some(rendered.clone());
        }
    }

    fn told(&mut self, report: &Report<Content>) -> Result<(), ControlError> {
        let since = self.going_out_since.take();
        if report.outcome == Outcome::Confirmed {
            self.has_served = true;
            self.board.change_served(since);
        } else {
            self.waiting_since = earliest(self.waiting_since, since);
        }
        let (blame, at_fault) = self.blame(report);
        let nothing_will_help = report.starts && !self.has_served && at_fault == AtFault::NoIngress;
        match (report.outcome, report.version.configuration.content.ingresses().cloned()) {
            (Outcome::Confirmed, Some(ingresses)) => self.judge(Verdict::Taken(ingresses)),
            (Outcome::Refused, Some(ingresses)) => {
                let text = report.text.clone().unwrap_or_default();
                let serves = self.apply.situation().confirmed.is_some();
                self.judge(Verdict::Refused { ingresses, at_fault, text, serves });
            }
            _ => {}
        }
        self.board.told(report, blame);
        match &report.text {
            Some(text) if report.outcome == Outcome::Refused && nothing_will_help => {
                Err(ControlError::GivenUp(format!("nginx does not start: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// Tells whoever computes what nginx thinks of it.
    fn judge(&self, verdict: Verdict) {
        // Its end is noticed where it was begun.
        let _unheard = self.verdicts.send(verdict);
    }

    /// The line that nginx complains of, the Ingresses behind it, and what is at fault.
    fn blame(&self, report: &Report<Content>) -> (Blame, AtFault) {
        let text = report.text.as_deref().unwrap_or_default();
        let generation_file = format!("generations/{}.conf", report.version.generation);
        let place = place_of(text, &[&self.live_file, &generation_file]);
        let line = match place {
            Some(Place::Line(line)) => Some(line),
            Some(Place::Elsewhere) | None => None,
        };
        let content = &report.version.configuration.content;
        let ingresses: BTreeSet<ObjectName> = match (line, content.rendered()) {
            (Some(line), Some(rendered)) => rendered.sources(line),
            _ => BTreeSet::new(),
        };
        let certificate = certificate_in(text)
            .filter(|digest| content.certificates().any(|certificate| certificate.digest() == *digest));
        let at_fault = match (certificate, place) {
            (Some(digest), _) => AtFault::Certificate(digest),
            (None, Some(_)) if ingresses.is_empty() => AtFault::NoIngress,
            (None, Some(_)) => AtFault::Ingresses(ingresses.clone()),
            (None, None) => AtFault::Unknown,
        };
        (Blame { line, ingresses }, at_fault)
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

async fn woken(wake_at: Option<Instant>) {
    match wake_at {
        Some(wake_at) => sleep_until(wake_at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
