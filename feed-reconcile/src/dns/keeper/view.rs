//! What people are shown of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::machine::Keeper;
use super::writer::Verdict;
use super::zone::Zone;
use crate::desired::Scheme;
use crate::diagnostic::{Code, Diagnostic, Field};
use crate::dns::desired::Problem;
use crate::dns::endpoint::Endpoints;
use crate::dns::name::RecordName;
use crate::dns::plan::{HeldBack, NameChange, Plan};
use crate::dns::record::RecordSet;
use crate::dns::zone::{HostedZone, ZoneId, ZoneRecords, Zones};
use crate::key::{ObjectKey, ObjectName};

/// A zone that has not been as it should be for so long is in trouble.
pub(super) const LATE: Duration = Duration::from_mins(1);

/// How far a zone has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It is not known what it is called.
    Unopened,
    /// It is not known what it holds.
    Unread,
    /// It is as it should be, or will be in a moment.
    Read,
    /// It has not been as it should be for a minute.
    Behind,
}

impl Stage {
    /// `unopened`, `unread`, `read` or `behind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Unread => "unread",
            Self::Read => "read",
            Self::Behind => "behind",
        }
    }
}

/// What there is to say of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneView<'a> {
    /// Its id.
    pub id: &'a ZoneId,
    /// What it is called, once that is known.
    pub hosted: Option<&'a HostedZone>,
    /// How far it has come.
    pub stage: Stage,
    /// Whether a call for it has failed or ended since it was taken up.
    pub was_tried: bool,
    /// Calls that failed and are made again: sentences.
    pub failures: Vec<&'a str>,
    /// For how long it has not been as it should be.
    pub late: Duration,
    /// Why all its changes are refused, if they are.
    pub denied: Option<&'a str>,
    /// Names whose change is refused, each with the reason.
    pub refused: Vec<(&'a RecordName, &'a str)>,
    /// Changes that are not tried for a while, as many with them were refused.
    pub given_up: usize,
    /// Names that are left alone, as another writer changes them back.
    pub contested: Vec<RecordName>,
    /// How many record sets it holds, if that is known.
    pub records: Option<usize>,
    /// How many of them are ours.
    pub owned: Option<usize>,
    /// Record sets that have to be changed, those that are held back left out.
    pub pending: usize,
}

impl Keeper {
    /// The zones, in order of their ids.
    pub fn zones(&self, now: Duration) -> impl Iterator<Item = ZoneView<'_>> {
        self.zones.iter().map(move |(id, zone)| self.view(now, id, zone))
    }

    fn view<'a>(&'a self, now: Duration, id: &'a ZoneId, zone: &'a Zone) -> ZoneView<'a> {
        let late = zone.late_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        let stage = match (&zone.hosted, zone.is_read()) {
            (None, _) => Stage::Unopened,
            (Some(_), false) => Stage::Unread,
            (Some(_), true) if late >= LATE => Stage::Behind,
            (Some(_), true) => Stage::Read,
        };
        let told =
            |refusal: &'a super::zone::Refusal| refusal.why.as_deref().filter(|_| zone.denied.is_none());
        let refused: Vec<_> =
            zone.refused.iter().filter_map(|(name, refusal)| Some((name, told(refusal)?))).collect();
        let pending = self.wanted(id).iter().chain(self.unwanted(id));
        ZoneView {
            id,
            hosted: zone.hosted.as_ref(),
            stage,
            was_tried: zone.was_tried,
            failures: zone.read_trouble.iter().chain(&zone.change_trouble).map(String::as_str).collect(),
            late,
            denied: zone.denied.as_deref(),
            given_up: zone.refused.len() - refused.len(),
            refused,
            contested: self.contested(now, id).into_iter().collect(),
            records: self.records.get(id).map(ZoneRecords::len),
            owned: self.derived.plans.get(id).map(|plan| plan.owned),
            pending: pending.map(|change| change.changes.len()).sum(),
        }
    }

    /// The names of a zone that another writer changes back.
    pub(super) fn contested(&self, now: Duration, id: &ZoneId) -> BTreeSet<RecordName> {
        let changes = self.wanted(id).iter().chain(self.unwanted(id));
        let left = changes.filter(|change| self.judge(now, id, change) != Verdict::Make);
        left.map(|change| change.name.clone()).collect()
    }

    /// Why hosts have no record, or not the right one.
    pub fn problems(&self, now: Duration) -> BTreeSet<Problem> {
        let mut problems = self.derived.problems.clone();
        problems.extend(self.derived.plans.values().flat_map(|plan| plan.problems.iter().cloned()));
        for (id, zone) in &self.zones {
            let contested = self.contested(now, id);
            for change in self.wanted(id) {
                let problem = |diagnostic| Problem { zone: Some(id.clone()), diagnostic };
                let Some(ingress) = &change.ingress else { continue };
                if contested.contains(&change.name) {
                    problems.insert(problem(contested_diagnostic(ingress, &change.name)));
                }
                let why = zone.refusal(change).and_then(|refusal| refusal.why.as_deref());
                if let Some(why) = why.filter(|_| zone.denied.is_none()) {
                    problems.insert(problem(refused_diagnostic(ingress, change, why)));
                }
            }
        }
        problems
    }

    /// The schemes that Ingresses ask for and that no load balancer has, each with how many hosts ask for it.
    pub fn missing_schemes(&self) -> BTreeMap<Scheme, usize> {
        let mut missing = BTreeMap::new();
        let names = self.derived.desired.zones.values().flat_map(BTreeMap::values);
        for name in names.filter(|name| name.endpoint.is_none()) {
            if !self.derived.endpoints.is_undecided(name.scheme) {
                *missing.entry(name.scheme).or_default() += 1;
            }
        }
        missing
    }

    /// Whether a load balancer is missing, so that it is looked for more often.
    pub(super) fn is_missing(&self) -> bool {
        let Some(search) = &self.search else { return false };
        search.found.as_ref().is_some_and(|found| !found.missing.is_empty() || found.endpoints.is_empty())
            || (self.found.is_some() && !self.missing_schemes().is_empty())
    }

    /// What is wrong with the load balancers: sentences; then what should be known of them.
    pub fn balancer_problems(&self, now: Duration) -> (Vec<String>, Vec<String>) {
        let Some(search) = &self.search else { return (Vec::new(), Vec::new()) };
        let mut problems: Vec<String> = search.trouble.iter().cloned().collect();
        let late = search.late_since.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        if late >= LATE && search.trouble.is_none() {
            problems.push(format!("Load balancers have been looked for in vain for {} s.", late.as_secs()));
        }
        let Some(found) = &search.found else { return (problems, Vec::new()) };
        problems.extend(found.missing.iter().cloned());
        if found.endpoints.is_empty() {
            problems.push("No load balancer was found, so no record can be made.".to_owned());
        } else {
            problems.extend(self.missing_schemes().into_iter().map(|(scheme, hosts)| {
                let records = if hosts == 1 {
                    "the record of 1 host"
                } else {
                    &format!("the records of {hosts} hosts")
                };
                format!("There is no {} load balancer, so {records} cannot be kept.", scheme.as_str())
            }));
        }
        let mut warnings = found.warnings.clone();
        warnings.extend(self.derived.endpoints.unused().filter_map(|(scheme, unused)| {
            let used = self.derived.endpoints.of(scheme)?;
            Some(format!(
                "{} gets no records, since {} is {} too and in use. Tag one of them only, or delete the one that \
                 should go: its records then move to the other.",
                unused.dns_name,
                used.dns_name,
                scheme.as_str()
            ))
        }));
        (problems, warnings)
    }

    /// The deletions that are held back.
    pub fn held_back(&self) -> Option<&HeldBack> {
        self.derived.held_back.as_ref()
    }

    /// Where records point to; nothing before load balancers were looked for.
    pub fn endpoints(&self) -> &Endpoints {
        &self.derived.endpoints
    }

    /// The zones that were opened.
    pub fn hosted(&self) -> &Zones {
        &self.hosted
    }

    /// Whether the load balancers are known, or need not be looked for.
    pub fn knows_endpoints(&self) -> bool {
        self.found.is_some()
    }

    /// What is known of the zones' records.
    pub fn records(&self) -> &BTreeMap<ZoneId, ZoneRecords> {
        &self.records
    }

    /// The share of our record sets that may go in one pass, 0 to 100.
    pub fn max_deletion_percent(&self) -> u8 {
        self.settings.rules.max_deletion_percent
    }

    /// Whether nothing is left to do that can be done, in all zones whose calls do not fail.
    pub fn is_done(&self, now: Duration) -> bool {
        let mut zones = self.zones.iter();
        self.found.is_some()
            && zones.all(|(id, zone)| {
                let fails = zone.read_trouble.is_some() || zone.change_trouble.is_some();
                fails || !self.is_behind(now, id, true)
            })
    }

    /// Whether every zone has been read or could not be, and the load balancers were looked for.
    pub fn has_looked(&self) -> bool {
        let searched = self.search.as_ref().is_none_or(|it| it.found.is_some() || it.trouble.is_some());
        searched && self.zones.values().all(|zone| zone.is_read() || zone.was_tried)
    }

    /// All that is to be changed, whenever its time comes.
    pub fn plan(&self, now: Duration) -> Plan {
        let mut plan = Plan {
            problems: self.problems(now),
            held_back: self.derived.held_back.clone(),
            ..Plan::default()
        };
        for (id, zone) in &self.derived.plans {
            let changes: Vec<NameChange> = zone.changes.iter().chain(self.unwanted(id)).cloned().collect();
            plan.owned.insert(id.clone(), zone.owned);
            if !changes.is_empty() {
                plan.zones.insert(id.clone(), changes);
            }
        }
        plan
    }

    /// The record sets of a name.
    pub fn at(&self, zone: &ZoneId, name: &RecordName) -> &[RecordSet] {
        self.records.get(zone).map_or(&[], |records| records.at(name))
    }
}

fn refused_diagnostic(ingress: &ObjectName, change: &NameChange, why: &str) -> Diagnostic {
    Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::of(&["spec", "rules"]),
        code: Code::RecordRefused,
        message: format!("Route 53 refuses to change `{}`: {why}", change.name),
        help: Some("Mend what it says; the change is tried again after 5 s, then ever later.".to_owned()),
        related: None,
    }
}

fn contested_diagnostic(ingress: &ObjectName, name: &RecordName) -> Diagnostic {
    Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::of(&["spec", "rules"]),
        code: Code::ContestedRecord,
        message: format!(
            "The record of `{name}` is left as it is, since another writer changes it back each time."
        ),
        help: Some("Stop the other writer, or give each of them its own --owner-id.".to_owned()),
        related: None,
    }
}
