//! The machine itself.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decide::{Derived, STILLNESS};
use super::search::Search;
use super::split::Verdict as Refusals;
use super::writer::Verdict;
use super::zone::Zone;
use super::{Command, Event, Ingresses, Line, News, Outcome, Refused, Settings};
use crate::dns::batch::{Batch, BatchLimits, batches};
use crate::dns::endpoint::Endpoints;
use crate::dns::plan::NameChange;
use crate::dns::zone::{HostedZone, ZoneId, ZoneRecords, Zones};

/// Deletions wait until the cluster has been quiet for so long.
const QUIET: Duration = Duration::from_secs(1);

/// Deletions wait no longer than this, however much changes.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Keeps zones in step with Ingresses. All times are the caller's, from any beginning.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub(super) settings: Settings,
    pub(super) ingresses: Option<Ingresses>,
    changed_at: Duration,
    /// Since when deletions wait.
    waiting_since: Option<Duration>,
    /// `None` where endpoints are given.
    pub(super) search: Option<Search>,
    /// The load balancers, once they were looked for.
    pub(super) found: Option<Endpoints>,
    pub(super) zones: BTreeMap<ZoneId, Zone>,
    /// Those of the zones that were opened.
    pub(super) hosted: Zones,
    pub(super) records: BTreeMap<ZoneId, ZoneRecords>,
    pub(super) derived: Derived,
    /// When a zone was opened or read for the first time.
    pub(super) progress_at: Duration,
    news: Vec<News>,
}

/// Why a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Wanted,
    Unwanted,
}

impl Keeper {
    /// Knows nothing yet of these zones; `given`: where records point to, unless load balancers are looked for.
    pub fn new(
        settings: Settings,
        zones: impl IntoIterator<Item = ZoneId>,
        given: Option<Endpoints>,
    ) -> Self {
        Self {
            settings,
            ingresses: None,
            changed_at: Duration::ZERO,
            waiting_since: None,
            search: given.is_none().then(Search::default),
            found: given,
            zones: zones.into_iter().map(|id| (id, Zone::default())).collect(),
            hosted: Zones::default(),
            records: BTreeMap::new(),
            derived: Derived { inputs_changed: true, ..Derived::default() },
            progress_at: Duration::ZERO,
            news: Vec::new(),
        }
    }

    /// Begins again with nothing but the zones' names and the load balancers found last, as others may have acted
    /// meanwhile. What is still under way must not be reported any more.
    pub fn restart(&mut self, now: Duration) {
        self.zones.values_mut().for_each(Zone::restart);
        self.records.clear();
        self.search.iter_mut().for_each(Search::restart);
        self.waiting_since = None;
        self.progress_at = now;
        self.derived = Derived { inputs_changed: true, ..Derived::default() };
    }

    /// What is to be done now that this has happened.
    pub fn step(&mut self, now: Duration, event: Event) -> Vec<Command> {
        match event {
            Event::Ingresses(ingresses) => {
                self.ingresses = Some(ingresses);
                self.changed_at = now;
                self.derived.inputs_changed = true;
            }
            Event::Found(result) => self.found(now, result),
            Event::Opened(id, result) => self.opened(now, &id, result),
            Event::Listed(id, result) => self.listed(now, &id, result),
            Event::Changed(id, outcome) => self.changed(now, &id, outcome),
            Event::LookAgain => {
                self.search.iter_mut().for_each(Search::look_again);
                self.zones.values_mut().for_each(|zone| zone.look_again(now));
            }
            Event::Woken => {}
        }
        self.decide(now);
        let commands = self.next(now);
        self.note_lateness(now);
        commands
    }

    /// What has happened since this was asked last.
    pub fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn found(&mut self, now: Duration, result: Result<super::Found, String>) {
        let Some(search) = &mut self.search else { return };
        if let Ok(found) = &result {
            let endpoints = Endpoints::new(found.endpoints.iter().cloned());
            self.derived.inputs_changed |= self.found.as_ref() != Some(&endpoints);
            self.found = Some(endpoints);
        }
        if let Err(why) = &result {
            self.news.push(News::Failed(None, why.clone()));
        }
        search.ended(now, result, &self.settings);
    }

    fn opened(&mut self, now: Duration, id: &ZoneId, result: Result<HostedZone, String>) {
        let Some(zone) = self.zones.get_mut(id) else { return };
        self.progress_at = now;
        match result {
            Ok(hosted) => {
                zone.reading = false;
                zone.reads.end();
                zone.read_trouble = None;
                zone.hosted = Some(hosted.clone());
                self.hosted.insert(hosted);
                self.derived.inputs_changed = true;
            }
            Err(why) => {
                self.news.push(News::Failed(Some(id.clone()), why.clone()));
                zone.read_failed(now, why, &self.settings);
            }
        }
    }

    fn listed(&mut self, now: Duration, id: &ZoneId, result: Result<ZoneRecords, String>) {
        let Some(zone) = self.zones.get_mut(id) else { return };
        if !zone.is_read() {
            self.progress_at = now;
        }
        match result {
            Ok(records) => {
                let was_read = zone.is_read();
                let records = zone.listed(records);
                self.derived.inputs_changed |= !was_read;
                self.records.insert(id.clone(), records);
                self.derived.changed.insert(id.clone());
            }
            Err(why) => {
                self.news.push(News::Failed(Some(id.clone()), why.clone()));
                zone.read_failed(now, why, &self.settings);
            }
        }
    }

    fn changed(&mut self, now: Duration, id: &ZoneId, outcome: Outcome) {
        let Some(zone) = self.zones.get_mut(id) else { return };
        let (Some(batch), Some(hosted)) = (zone.sent.take(), zone.hosted.clone()) else { return };
        match outcome {
            Outcome::Accepted => {
                zone.changes.end();
                zone.change_trouble = None;
                zone.denied = None;
                let verdict = zone.split.accepted();
                self.accepted(now, hosted.clone(), &batch);
                self.refuse(now, hosted, verdict);
            }
            Outcome::Refused(refused) if refused.after_unknown => {
                let why = refused.reasons.join("; ");
                self.unknown(now, hosted, why);
            }
            Outcome::Refused(refused) => {
                zone.changes.end();
                zone.change_trouble = None;
                let past = zone.past();
                let verdict = zone.split.refused(batch, &refused, past);
                self.note_doubt(id, &refused, &verdict);
                self.refuse(now, hosted, verdict);
            }
            Outcome::Failed { why, unknown } => {
                self.news.push(News::Failed(Some(id.clone()), why.clone()));
                zone.change_failed(now, why, unknown, &self.settings);
                if unknown {
                    let verdict = zone.split.forget();
                    self.refuse(now, hosted, verdict);
                } else {
                    zone.split.put_back(batch);
                }
            }
        }
    }

    /// What became of a call is not known: the zone is listed again before anything is taken apart.
    fn unknown(&mut self, now: Duration, hosted: HostedZone, why: String) {
        let Some(zone) = self.zones.get_mut(&hosted.id) else { return };
        zone.doubt();
        // Should it go on like this, then ever more slowly.
        zone.changes.failed(now, Duration::from_millis(200), super::zone::LONGEST_PAUSE);
        let verdict = zone.split.forget();
        self.news.push(News::Unknown(hosted.clone(), why));
        self.refuse(now, hosted, verdict);
    }

    fn accepted(&mut self, now: Duration, hosted: HostedZone, batch: &Batch) {
        let (Some(zone), Some(records)) = (self.zones.get_mut(&hosted.id), self.records.get_mut(&hosted.id))
        else {
            return;
        };
        let mut told = Vec::new();
        for change in &batch.changes {
            told.extend(lines(change, records));
            zone.written.made(now, change, records.at(&change.name), self.settings.resync_period);
            zone.accepted(change);
            records.apply(change);
        }
        self.derived.changed.insert(hosted.id.clone());
        self.news.push(News::Changed(hosted, told));
    }

    /// A refusal that another writer may be the reason for is seen in a new listing.
    fn note_doubt(&mut self, id: &ZoneId, refused: &Refused, verdict: &Refusals) {
        let Some(zone) = self.zones.get_mut(id) else { return };
        let is_new = |(change, _): &(NameChange, String)| zone.refusal(change).is_none();
        zone.is_doubtful |= !refused.denied && verdict.refused.iter().any(is_new);
    }

    fn refuse(&mut self, now: Duration, hosted: HostedZone, verdict: Refusals) {
        let Some(zone) = self.zones.get_mut(&hosted.id) else { return };
        let empty = ZoneRecords::default();
        let records = self.records.get(&hosted.id).unwrap_or(&empty);
        for (change, why) in verdict.refused {
            self.news.push(News::Refused(hosted.clone(), lines(&change, records), why.clone()));
            zone.refuse(now, change, Some(why), &self.settings);
        }
        for change in verdict.given_up {
            zone.refuse(now, change, None, &self.settings);
        }
        if let Some(why) = verdict.denied
            && zone.denied.replace(why.clone()).is_none()
        {
            self.news.push(News::Denied(hosted, why));
        }
    }

    /// Everything that can begin now.
    fn next(&mut self, now: Duration) -> Vec<Command> {
        let mut commands = Vec::new();
        let missing = self.is_missing();
        if let Some(search) = &mut self.search
            && !search.busy
            && now >= search.due_at(missing, &self.settings)
        {
            search.began(now);
            commands.push(Command::Find);
        }
        let may_delete = self.may_delete(now);
        let ids: Vec<ZoneId> = self.zones.keys().cloned().collect();
        for id in ids {
            commands.extend(self.next_read(now, &id));
            if let Some(batch) = self.next_change(now, &id, may_delete) {
                if let Some(zone) = self.zones.get_mut(&id) {
                    zone.sent = Some(batch.clone());
                }
                commands.push(Command::Change(id, batch));
            }
        }
        commands
    }

    fn next_read(&mut self, now: Duration, id: &ZoneId) -> Option<Command> {
        let zone = self.zones.get_mut(id)?;
        // What a change under way does would be seen or not.
        let waits = (zone.is_stale || zone.is_doubtful) && (zone.sent.is_some() || !zone.split.is_empty());
        if zone.reading || waits || now < zone.read_at(&self.settings) {
            return None;
        }
        if zone.hosted.is_none() {
            zone.reading = true;
            return Some(Command::Open(id.clone()));
        }
        zone.listing(now);
        Some(Command::List(id.clone()))
    }

    /// The next changes of a zone, if one may be made: what is new first, then what has to be taken apart, and last what was
    /// refused before.
    fn next_change(&mut self, now: Duration, id: &ZoneId, may_delete: bool) -> Option<Batch> {
        self.leave_contested(now, id);
        let zone = self.zones.get(id)?;
        if zone.sent.is_some() || !zone.is_read() || zone.is_stale || !zone.changes.is_over(now) {
            return None;
        }
        let first = |changes| batches(changes, BatchLimits::default()).into_iter().next();
        if let Some(batch) = first(self.fresh(now, id, Kind::Wanted)) {
            return Some(batch);
        }
        if may_delete && let Some(batch) = first(self.fresh(now, id, Kind::Unwanted)) {
            return Some(batch);
        }
        let (wanted, unwanted) = (self.wanted(id).to_vec(), self.unwanted(id).to_vec());
        let zone = self.zones.get_mut(id)?;
        if !zone.split.is_empty() {
            let is_wanted = |change: &NameChange| wanted.contains(change) || unwanted.contains(change);
            if let Some(batch) = zone.split.next(is_wanted) {
                return Some(batch);
            }
        }
        zone.refused.retain(|name, refusal| {
            let mut all = wanted.iter().chain(&unwanted);
            all.any(|change| change.name == *name && change.changes == refusal.changes)
        });
        if zone.refused.is_empty() {
            zone.denied = None;
        }
        let due = |change: &&NameChange| zone.refusal(change).is_some_and(|refusal| now >= refusal.again_at);
        first(wanted.iter().filter(due).cloned().collect())
            .or_else(|| first(unwanted.iter().filter(due).cloned().collect()))
    }

    /// Changes of a zone that were not refused, are not being taken apart, and are not left to another writer.
    fn fresh(&self, now: Duration, id: &ZoneId, kind: Kind) -> Vec<NameChange> {
        let Some(zone) = self.zones.get(id) else { return Vec::new() };
        let changes = if kind == Kind::Wanted { self.wanted(id) } else { self.unwanted(id) };
        let is_fresh = |change: &&NameChange| {
            zone.refusal(change).is_none()
                && !zone.split.contains(&change.name)
                && self.may_go_now(change)
                && self.judge(now, id, change) == Verdict::Make
        };
        changes.iter().filter(is_fresh).cloned().collect()
    }

    /// What is thought of a change, in view of other writers.
    pub(super) fn judge(&self, now: Duration, id: &ZoneId, change: &NameChange) -> Verdict {
        let (Some(zone), Some(records)) = (self.zones.get(id), self.records.get(id)) else {
            return Verdict::Make;
        };
        zone.written.judge(now, change, records.at(&change.name), self.settings.resync_period)
    }

    fn leave_contested(&mut self, now: Duration, id: &ZoneId) {
        let contested = self.contested(now, id);
        let Some(zone) = self.zones.get_mut(id) else { return };
        zone.written.settle(|name| contested.contains(name));
        let new = contested.iter().filter(|name| zone.written.leave(name));
        let new: Vec<String> = new.map(ToString::to_string).collect();
        if let (false, Some(hosted)) = (new.is_empty(), zone.hosted.clone()) {
            self.news.push(News::Contested(hosted, new));
        }
    }

    fn may_delete(&mut self, now: Duration) -> bool {
        let waits = self.zones.keys().any(|id| !self.fresh(now, id, Kind::Unwanted).is_empty());
        if !waits {
            self.waiting_since = None;
            return false;
        }
        self.waiting_since.get_or_insert(now);
        self.delete_at().is_some_and(|at| now >= at) && self.is_complete(now)
    }

    fn delete_at(&self) -> Option<Duration> {
        let since = self.waiting_since?;
        Some((self.changed_at + QUIET).min(since + LONGEST_WAIT))
    }

    /// Whether a zone has something to do that can be done, as far as is known; deletions that wait count where `all`.
    pub(super) fn is_behind(&self, now: Duration, id: &ZoneId, all: bool) -> bool {
        let Some(zone) = self.zones.get(id) else { return false };
        let unread = zone.reading || now >= zone.read_at(&self.settings) || !zone.is_read() || zone.is_stale;
        let may_delete = all || self.delete_at().is_some_and(|at| now >= at);
        let known = self.ingresses.is_some() && self.found.is_some();
        known
            && (unread
                || zone.sent.is_some()
                || !self.fresh(now, id, Kind::Wanted).is_empty()
                || (may_delete && !self.fresh(now, id, Kind::Unwanted).is_empty()))
    }

    fn note_lateness(&mut self, now: Duration) {
        let behind: Vec<(ZoneId, bool)> =
            self.zones.keys().map(|id| (id.clone(), self.is_behind(now, id, false))).collect();
        for (id, behind) in behind {
            if let Some(zone) = self.zones.get_mut(&id) {
                zone.late_since = if behind { zone.late_since.or(Some(now)) } else { None };
            }
        }
    }

    /// A zone's call waits for its turn in the caller's own queue: that is no fault of the zone's.
    pub fn waits(&mut self, now: Duration, id: &ZoneId) {
        if let Some(zone) = self.zones.get_mut(id) {
            zone.late_since = zone.late_since.and(Some(now));
            if !zone.is_read() {
                self.progress_at = now;
            }
        }
    }

    /// When there may be something to do, should nothing happen before; later than `now`.
    pub fn wake_at(&self, now: Duration) -> Option<Duration> {
        let mut times = vec![self.progress_at + STILLNESS];
        times.extend(self.delete_at());
        if let Some(search) = self.search.as_ref() {
            let due = (!search.busy).then(|| search.due_at(self.is_missing(), &self.settings));
            times.extend(due.into_iter().chain(search.late_since.map(|at| at + super::view::LATE)));
        }
        for (id, zone) in &self.zones {
            times.extend((!zone.reading).then(|| zone.read_at(&self.settings)));
            times.push(zone.changes.until());
            times.extend(zone.late_since.map(|at| at + super::view::LATE));
            times.extend(zone.refused.values().map(|refusal| refusal.again_at));
            let later = self.wanted(id).iter().filter_map(|change| match self.judge(now, id, change) {
                Verdict::Later(at) => Some(at),
                Verdict::Make | Verdict::Leave => None,
            });
            times.extend(later);
        }
        times.into_iter().filter(|at| *at > now).min()
    }
}

/// What a change does, for people; `records`: what the zone holds before.
fn lines(change: &NameChange, records: &ZoneRecords) -> Vec<Line> {
    let line = |one: &crate::dns::plan::Change| {
        let same = |other: &&crate::dns::record::RecordSet| {
            other.record_type == one.record.record_type && other.routing.is_none()
        };
        let before = records.at(&one.record.name).iter().find(same).map(|record| record.data.clone());
        Line { action: one.action, record: one.record.clone(), before, ingress: change.ingress.clone() }
    };
    change.changes.iter().map(line).collect()
}
