//! Route 53 and load balancers for tests of the machine: calls take time, fail, get lost and are refused as a test says.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::dns::model::ModelZone;
use crate::dns::{Change, Endpoints, RecordName, Target, Visibility};
use crate::host::Host;

/// A small generator of numbers, the same for the same seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// Whether something that happens in so many percent of all cases happens.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Percent of calls that are throttled.
    pub(super) throttled: usize,
    /// Percent of calls whose answer is lost, done or not.
    pub(super) lost: usize,
}

/// All that AWS has.
#[derive(Clone, Debug)]
pub(super) struct Cloud {
    pub(super) zones: BTreeMap<ZoneId, (HostedZone, ModelZone)>,
    pub(super) balancers: Vec<(Scheme, Endpoint)>,
    pub(super) faults: BTreeMap<ZoneId, Faults>,
    /// Forbidden names.
    pub(super) forbidden: BTreeSet<RecordName>,
    pub(super) forbids_all: bool,
    pub(super) random: Random,
    /// Changes that were made, each with the name of who made it.
    pub(super) made: Vec<(usize, Change, Option<RecordSet>)>,
    pub(super) calls: usize,
}

pub(super) fn balancer(name: &str) -> Endpoint {
    let target = Target::LoadBalancer { zone_id: "ZLB".into(), dual_stack: false };
    Endpoint { dns_name: RecordName::new(name), target }
}

impl Cloud {
    pub(super) fn new(names: &[(&str, &str, Visibility)], seed: u64) -> Self {
        let zones = names.iter().map(|(id, name, visibility)| {
            let zone =
                HostedZone { id: ZoneId::new(id), name: RecordName::new(name), visibility: *visibility };
            (zone.id.clone(), (zone, ModelZone::default()))
        });
        Self {
            zones: zones.collect(),
            balancers: vec![(Scheme::Internal, balancer("lb.aws"))],
            faults: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            forbids_all: false,
            random: Random(seed),
            made: Vec::new(),
            calls: 0,
        }
    }

    /// All records, ordered.
    pub(super) fn records(&self) -> Vec<RecordSet> {
        self.zones.values().flat_map(|(_, zone)| zone.listed().iter().cloned().collect::<Vec<_>>()).collect()
    }

    pub(super) fn put(&mut self, zone: &str, record: RecordSet) {
        let (_, zone) = self.zones.get_mut(&ZoneId::new(zone)).unwrap();
        let key = (record.name.clone(), record.record_type.clone(), record.routing);
        zone.records.insert(key, record);
    }

    /// Carries a call out, for the machine of that number.
    pub(super) fn answer(&mut self, who: usize, command: &Command) -> Event {
        self.calls += 1;
        let zone = match command {
            Command::Find => {
                let found = Found { endpoints: self.balancers.clone(), ..Found::default() };
                return Event::Found(if self.random.percent(5) && self.calls > 50 {
                    Err("lost".to_owned())
                } else {
                    Ok(found)
                });
            }
            Command::Open(id) | Command::List(id) | Command::Change(id, _) => id.clone(),
        };
        let faults = self.faults.get(&zone).copied().unwrap_or_default();
        let throttled = self.random.percent(faults.throttled);
        let lost = self.random.percent(faults.lost);
        let (hosted, model) = self.zones.get_mut(&zone).unwrap();
        let failed = || "it failed".to_owned();
        match command {
            Command::Change(_, batch) => {
                let names: Vec<&RecordName> = batch.changes.iter().map(|change| &change.name).collect();
                if throttled {
                    return Event::Changed(zone, Outcome::Failed { why: failed(), unknown: false });
                }
                if self.forbids_all || names.iter().any(|name| self.forbidden.contains(*name)) {
                    let refused = Refused {
                        reasons: vec!["AccessDenied".to_owned()],
                        denied: true,
                        after_unknown: false,
                    };
                    return Event::Changed(zone, Outcome::Refused(refused));
                }
                if lost && self.random.percent(30) {
                    return Event::Changed(zone, Outcome::Failed { why: failed(), unknown: true });
                }
                let before = model.listed();
                let name = hosted.name.clone();
                let first = model.change(&name, batch);
                if first.is_ok() {
                    for change in batch.changes.iter().flat_map(|change| &change.changes) {
                        let same = |it: &&RecordSet| it.record_type == change.record.record_type;
                        let was = before.at(&change.record.name).iter().find(same).cloned();
                        self.made.push((who, change.clone(), was));
                    }
                }
                let outcome = match first {
                    Ok(()) if lost && self.random.percent(50) => {
                        Outcome::Failed { why: failed(), unknown: true }
                    }
                    // The call is made again by the shell, and refused.
                    Ok(())
                        if lost
                            && batch
                                .changes
                                .iter()
                                .flat_map(|it| &it.changes)
                                .any(|it| it.action != Action::Upsert) =>
                    {
                        let reasons = vec!["it already exists".to_owned()];
                        Outcome::Refused(Refused { reasons, denied: false, after_unknown: true })
                    }
                    Ok(()) => Outcome::Accepted,
                    Err(reason) => Outcome::Refused(Refused { reasons: vec![reason], ..Refused::default() }),
                };
                Event::Changed(zone, outcome)
            }
            Command::Open(_) if throttled || lost => Event::Opened(zone, Err(failed())),
            Command::Open(_) => Event::Opened(zone, Ok(hosted.clone())),
            _ if throttled || lost => Event::Listed(zone, Err(failed())),
            _ => Event::Listed(zone, Ok(model.listed())),
        }
    }
}

/// A machine, and its calls that are under way.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) number: usize,
    pub(super) keeper: Keeper,
    pub(super) calls: Vec<(Duration, Command)>,
    pub(super) ingresses: BTreeMap<ObjectName, IngressSummary>,
    pub(super) news: Vec<News>,
}

impl Actor {
    pub(super) fn new(number: usize, cloud: &Cloud, settings: Settings, given: Option<Endpoints>) -> Self {
        let keeper = Keeper::new(settings, cloud.zones.keys().cloned(), given);
        Self { number, keeper, calls: Vec::new(), ingresses: BTreeMap::new(), news: Vec::new() }
    }

    pub(super) fn step(&mut self, now: Duration, event: Event) {
        for command in self.keeper.step(now, event) {
            let takes = Duration::from_millis(if matches!(command, Command::List(_)) { 250 } else { 100 });
            self.calls.push((now + takes, command));
        }
        self.news.extend(self.keeper.news());
    }

    pub(super) fn tell(&mut self, now: Duration) {
        let ingresses = Arc::new(self.ingresses.clone());
        self.step(now, Event::Ingresses(ingresses));
    }

    /// Sets one host's Ingress.
    pub(super) fn set(&mut self, host: &str, scheme: Option<Scheme>) {
        let hosts = vec![Host::new(host).unwrap()];
        let summary = IngressSummary { scheme, hosts, routes: 0, created: Some(1) };
        self.ingresses.insert(ObjectName::new("ns", host), summary);
    }

    /// Ends and begins again; what is under way may have been done or not.
    pub(super) fn crash(&mut self, now: Duration, cloud: &mut Cloud) {
        for (_, command) in std::mem::take(&mut self.calls) {
            if cloud.random.percent(50) {
                let _lost = cloud.answer(self.number, &command);
            }
        }
        self.keeper.restart(now);
        self.tell(now);
    }
}

/// Lets everything happen until that time; `check` is called after each call.
pub(super) fn run(
    cloud: &mut Cloud,
    actors: &mut [Actor],
    mut now: Duration,
    until: Duration,
    check: &mut impl FnMut(Duration, &Cloud),
) {
    for _ in 0..100_000 {
        let calls = actors.iter().flat_map(|actor| actor.calls.iter().map(|(at, _)| *at));
        let wakes = actors.iter().filter_map(|actor| actor.keeper.wake_at(now));
        let Some(next) = calls.chain(wakes).min().filter(|next| *next <= until) else { return };
        now = now.max(next);
        for actor in &mut *actors {
            if let Some(index) = actor.calls.iter().position(|(at, _)| *at <= now) {
                let (_, command) = actor.calls.remove(index);
                let event = cloud.answer(actor.number, &command);
                check(now, cloud);
                actor.step(now, event);
            } else if actor
                .keeper
                .wake_at(now.saturating_sub(Duration::from_nanos(1)))
                .is_some_and(|at| at <= now)
            {
                actor.step(now, Event::Woken);
            }
        }
    }
    panic!("it never comes to rest");
}
