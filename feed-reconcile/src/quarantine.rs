//! Keeping an Ingress away that nginx refuses, so that it stops nobody else's changes.
//!
//! The Ingress at fault is found from what differs between the last configuration that nginx took and the one it refused:
//! where nginx names a line, among those behind that line, else among all. When these are several, half of them are held
//! back and the rest is tried. If nginx takes the rest, the one at fault is held back, and half of them are tried next; if it
//! does not, it is in the rest. So one in a thousand is found with some twenty configurations, and those that nginx takes
//! serve more and more of the others' changes.
//!
//! Meanwhile others change as well, and what they ask for is in what is tried. When such a configuration is refused, those that
//! were tried out are held back again, all of them, and the others are not: if nginx takes these, one of the former is at
//! fault. What nginx says of a configuration from before the last step tells nothing about that step.
//!
//! An Ingress is held back by giving the computation another object in its stead: the version of it that nginx took last. Where
//! there is none, one that is at fault keeps its paths, which answer 503: else other Ingresses' routes would answer for them.
//! Only if nginx refuses that too is it left out. What it asks for counts again as soon as its author changes it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic, Field};
use crate::key::{ObjectKey, ObjectKind, ObjectName};
use crate::snapshot::Store;

/// So many computations may be under way to nginx: one is being applied, one waits, and one is being made.
const UNDER_WAY: usize = 4;

/// The Ingresses that are kept away from nginx.
#[derive(Clone, Debug, Default)]
pub struct Quarantine {
    /// What nginx took last was computed from these; `None` while that is not known.
    taken: Option<Store<Ingress>>,
    /// Of those that differed from it when something was refused last: what nginx took last of them.
    before: BTreeMap<ObjectName, Option<Arc<Ingress>>>,
    /// What each of `taken` asks for, in short.
    prints: BTreeMap<ObjectName, u64>,
    /// An earlier process's knowledge of what nginx took last, until the Ingresses are known.
    remembered: Option<Remembered>,
    held: BTreeMap<ObjectName, Held>,
    /// How often nginx has refused something.
    refusals: u64,
    /// Those that were held back at this refusal have one at fault among them, if nginx takes what is tried now.
    guilty: Option<Guilty>,
    /// What counts at present, of all Ingresses.
    admitted: Store<Ingress>,
    /// The last computations: what counted, and their numbers.
    computations: VecDeque<(Store<Ingress>, u64)>,
    /// The number of the last one.
    computation: u64,
    /// Those that are tried out again in what counts at present.
    tried: BTreeSet<ObjectName>,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Guilty {
    /// Its number.
    at: u64,
    /// nginx's own text.
    text: String,
}

/// An Ingress that is held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    /// The version that is held back.
    refused: Arc<Ingress>,
    /// What counts instead.
    stand_in: Option<Arc<Ingress>>,
    guilt: Guilt,
    /// What nginx thinks of its paths answering 503.
    #[serde(default)]
    closed: Closed,
    /// From which computation on its paths may answer so.
    #[serde(skip)]
    closed_since: u64,
}

/// What nginx thinks of an Ingress of which only the paths are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Closed {
    #[default]
    Unknown,
    Taken,
    Refused,
}

impl Closed {
    /// Where nginx refuses the names of servers, it is because of a host, which is a closed Ingress's too.
    fn after(text: &str) -> Self {
        if text.contains("server_names_hash") { Self::Refused } else { Self::Unknown }
    }
}

/// What is known of an Ingress that is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Guilt {
    /// It may be at fault, and was held back at this refusal.
    Suspected(u64),
    /// Without it nginx took the rest, or would: nginx's own text.
    Proven { text: String, named: bool },
}

/// Those that are held back, and what nginx took last, to be remembered by somebody who outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    held: Vec<Held>,
    refusals: u64,
    guilty: Option<Guilty>,
    taken: Option<Remembered>,
}

/// What an earlier process knew of what nginx took last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Remembered {
    /// The versions of those that differ.
    before: Vec<(ObjectName, Option<Arc<Ingress>>)>,
    /// What each of the others asked for, in short.
    prints: Vec<(ObjectName, u64)>,
}

impl Remembered {
    /// The Ingresses that nginx took last, as far as they are told by those that there are now. `None` where one has changed
    /// in the meantime, whose last version is not known: it could not be served while it is tried out.
    fn taken(self, ingresses: &Store<Ingress>) -> Option<Store<Ingress>> {
        let before: BTreeMap<_, _> = self.before.into_iter().collect();
        let prints: BTreeMap<_, _> = self.prints.into_iter().collect();
        let mut taken = Store::default();
        for (name, ingress) in ingresses.iter() {
            match (before.get(name), prints.get(name)) {
                (Some(Some(version)), _) => taken.insert(Arc::clone(version)),
                // It is new.
                (Some(None), _) | (None, None) => {}
                (None, Some(print)) if *print == print_of(ingress) => taken.insert(Arc::clone(ingress)),
                (None, Some(_)) => return None,
            }
        }
        Some(taken)
    }
}

impl Quarantine {
    /// Holds those back that were held back when that was recorded, and goes on with a search that was under way.
    pub fn restore(record: Record) -> Self {
        let Record { held, refusals, guilty, taken: remembered } = record;
        let held = held.into_iter().map(|held| (ObjectName::of(&held.refused.metadata), held)).collect();
        Self { remembered, held, refusals, guilty, ..Self::default() }
    }

    /// What is to be remembered.
    pub fn record(&self) -> Record {
        let remembered = |taken: &Store<Ingress>| {
            let mut before = self.before.clone();
            for name in self.held.keys().chain(&self.tried) {
                before.insert(name.clone(), taken.get(name).cloned());
            }
            let prints = self.prints.iter().map(|(name, print)| (name.clone(), *print)).collect();
            Remembered { before: before.into_iter().collect(), prints }
        };
        let taken = self.remembered.clone().or_else(|| self.taken.as_ref().map(remembered));
        Record {
            held: self.held.values().map(|held| Held { closed_since: 0, ..held.clone() }).collect(),
            refusals: self.refusals,
            guilty: self.guilty.clone(),
            taken,
        }
    }

    /// What counts of these Ingresses. An Ingress that was changed since it was held back is held back no longer.
    pub fn admit(&mut self, ingresses: &Store<Ingress>) -> Store<Ingress> {
        if let Some(remembered) = self.remembered.take() {
            (self.before, self.prints) =
                (remembered.before.iter().cloned().collect(), remembered.prints.iter().cloned().collect());
            self.taken = remembered.taken(ingresses);
        }
        self.held.retain(|name, held| {
            ingresses.get(name).is_some_and(|ingress| asks_for_the_same(ingress, &held.refused))
        });
        let mut admitted = ingresses.clone();
        for (name, held) in &self.held {
            match &held.stand_in {
                Some(stand_in) => admitted.insert(Arc::clone(stand_in)),
                None => drop(admitted.remove(name)),
            }
        }
        self.admitted = admitted.clone();
        self.computation += 1;
        self.computations.push_back((admitted.clone(), self.computation));
        if self.computations.len() > UNDER_WAY {
            self.computations.pop_front();
        }
        admitted
    }

    /// The number of the computation that has given these; 0 for one that is long past.
    fn computation_of(&self, ingresses: &Store<Ingress>) -> u64 {
        let is_it = |(admitted, _): &&(Store<Ingress>, u64)| admitted.is_same_as(ingresses);
        self.computations.iter().rev().find(is_it).map_or(0, |(_, number)| *number)
    }

    /// The Ingresses that are not among those admitted, but keep their paths, which answer 503.
    pub fn closed(&self) -> impl Iterator<Item = &Arc<Ingress>> {
        self.held.values().filter(|held| held.is_closed()).map(|held| &held.refused)
    }

    /// Whether a configuration was computed from other versions of those in question than those that count at present.
    fn is_past(&self, ingresses: &Store<Ingress>) -> bool {
        self.held.keys().chain(&self.tried).any(|name| match (ingresses.get(name), self.admitted.get(name)) {
            (None, None) => false,
            (Some(one), Some(other)) => !asks_for_the_same(one, other),
            _ => true,
        })
    }

    /// nginx serves what was computed from these: more of those that are only suspected may be tried. Says whether there
    /// were any.
    pub fn taken(&mut self, ingresses: Store<Ingress>) -> bool {
        let (is_past, computation) = (self.is_past(&ingresses), self.computation_of(&ingresses));
        self.remember(&ingresses);
        self.taken = Some(ingresses);
        if is_past {
            return false;
        }
        for held in self.held.values_mut() {
            if held.is_closed() && held.closed_since <= computation {
                held.closed = Closed::Taken;
            }
        }
        self.tried.clear();
        let mut released =
            self.guilty.as_ref().map_or_else(Vec::new, |guilty| self.suspects(Some(guilty.at)));
        match (self.guilty.take(), &released[..]) {
            (Some(guilty), [one]) => {
                if let Some(held) = self.held.get_mut(one) {
                    held.guilt = Guilt::Proven { text: guilty.text, named: false };
                    held.closed_since = self.computation + 1;
                }
                released = self.suspects(None);
                if released.is_empty() {
                    return true;
                }
            }
            (Some(guilty), [_, _, ..]) => {
                released.truncate(released.len().div_ceil(2));
                self.guilty = Some(guilty);
            }
            // The guilty ones have been changed, or are gone.
            (_, []) | (None, _) => released = self.suspects(None),
        }
        for name in &released {
            self.held.remove(name);
        }
        self.tried = released.into_iter().collect();
        !self.tried.is_empty()
    }

    /// nginx has refused what was computed from these, with that text; `named` are the Ingresses behind the line that it
    /// complains of, if it does of one, and `adopted` tells whose Ingresses are ours. `serves` says whether nginx serves
    /// something else meanwhile. Says whether somebody is held back for it: with nobody to blame, trying again is all that
    /// can be done.
    pub fn refused(
        &mut self,
        ingresses: &Store<Ingress>,
        named: &BTreeSet<ObjectName>,
        text: &str,
        serves: bool,
        adopted: impl Fn(&ObjectName) -> bool,
    ) -> bool {
        if self.is_past(ingresses) {
            return false;
        }
        let computation = self.computation_of(ingresses);
        let suspects_closed = |name: &ObjectName, held: &Held| {
            let is_suspect =
                if named.is_empty() { held.closed == Closed::Unknown } else { named.contains(name) };
            is_suspect && held.closed_since <= computation
        };
        if self.leave_closed_out(suspects_closed) {
            return true;
        }
        // Whoever is tried out without a version to fall back on is not served meanwhile.
        let may_search = self.taken.is_some() || !serves;
        let taken = self.taken.clone().unwrap_or_default();
        let is_new = |name: &ObjectName| {
            let both = ingresses.get(name).zip(taken.get(name));
            both.is_none_or(|(ingress, taken)| !asks_for_the_same(taken, ingress))
        };
        let is_there = |name: &ObjectName| ingresses.get(name).is_some() && adopted(name);
        let changed = ingresses.changed(&taken).into_iter();
        let changed: BTreeSet<ObjectName> = changed.filter(|name| is_there(name) && is_new(name)).collect();
        let both: BTreeSet<ObjectName> = changed.intersection(named).cloned().collect();
        let candidates = match (named.is_empty(), both.is_empty()) {
            (true, _) if may_search => changed,
            (true, _) => BTreeSet::new(),
            (false, false) => both,
            // What an Ingress refers to has changed, rather than the Ingress.
            (false, true) => named.clone(),
        };
        let version = |name: &ObjectName| (name.clone(), taken.get(name).cloned());
        self.before = ingresses.changed(&taken).iter().filter(|name| is_new(name)).map(version).collect();
        self.refusals += 1;
        let guilt = if candidates.len() == 1 {
            self.guilty = None;
            Guilt::Proven { text: text.to_owned(), named: !named.is_empty() }
        } else {
            self.guilty = Some(Guilty { at: self.refusals, text: text.to_owned() });
            Guilt::Suspected(self.refusals)
        };
        let tried: BTreeSet<ObjectName> = candidates.intersection(&self.tried).cloned().collect();
        self.tried.clear();
        let first = if tried.is_empty() || tried.len() == candidates.len() {
            candidates.iter().take(candidates.len().div_ceil(2)).cloned().collect()
        } else {
            // Others have changed meanwhile.
            tried
        };
        let (mut is_held_back, closed_since) = (false, self.computation + 1);
        for name in &first {
            let Some(refused) = ingresses.get(name) else { continue };
            let held = if let Some(held) = self.held.remove(name) {
                // Its last version, which stood in, is refused as well by now: what it refers to has changed.
                Held {
                    stand_in: None,
                    guilt: guilt.clone(),
                    closed: Closed::after(text),
                    closed_since,
                    ..held
                }
            } else {
                let stand_in = taken.get(name).filter(|taken| !asks_for_the_same(taken, refused));
                let (refused, stand_in) = (Arc::clone(refused), stand_in.cloned());
                Held { refused, stand_in, guilt: guilt.clone(), closed: Closed::after(text), closed_since }
            };
            self.held.insert(name.clone(), held);
            is_held_back = true;
        }
        is_held_back || self.leave_closed_out(|_, _| true)
    }

    /// Leaves those of the closed ones out for which that holds. Says whether there were any.
    fn leave_closed_out(&mut self, is_suspect: impl Fn(&ObjectName, &Held) -> bool) -> bool {
        let mut any = false;
        for (name, held) in &mut self.held {
            if held.is_closed() && is_suspect(name, held) {
                held.closed = Closed::Refused;
                any = true;
            }
        }
        any
    }

    /// Tries those again of which nginx named no line: what it complained of may have been something else, such as a
    /// limit of the machine. Says whether there were any.
    pub fn doubt(&mut self) -> bool {
        let mut doubted = false;
        for held in self.held.values_mut() {
            if matches!(held.guilt, Guilt::Proven { named: false, .. }) {
                held.guilt = Guilt::Suspected(self.refusals);
                doubted = true;
            }
        }
        doubted
    }

    /// Keeps in short what nginx has taken.
    fn remember(&mut self, ingresses: &Store<Ingress>) {
        self.before.clear();
        let before = self.taken.clone().unwrap_or_default();
        if self.taken.is_none() {
            self.prints.clear();
        }
        for name in ingresses.changed(&before) {
            match ingresses.get(&name) {
                Some(ingress) => drop(self.prints.insert(name, print_of(ingress))),
                None => drop(self.prints.remove(&name)),
            }
        }
    }

    /// The Ingresses that are held back because they are at fault.
    pub fn quarantined(&self) -> impl Iterator<Item = &ObjectName> {
        self.held.iter().filter(|(_, held)| held.is_proven()).map(|(name, _)| name)
    }

    /// Whether somebody innocent may be held back, while the one at fault is searched for.
    pub fn is_searching(&self) -> bool {
        self.held.values().any(|held| !held.is_proven())
    }

    /// Those that were held back at that refusal, or at any.
    fn suspects(&self, refusal: Option<u64>) -> Vec<ObjectName> {
        let is_suspect = |held: &Held| match held.guilt {
            Guilt::Suspected(at) => refusal.is_none_or(|refusal| refusal == at),
            Guilt::Proven { .. } => false,
        };
        self.held.iter().filter(|(_, held)| is_suspect(held)).map(|(name, _)| name.clone()).collect()
    }

    /// What the authors of those that are held back have to know.
    pub fn diagnostics(&self) -> impl Iterator<Item = Diagnostic> {
        self.held.iter().map(|(name, held)| held.diagnostic(name))
    }
}

impl Held {
    fn is_proven(&self) -> bool {
        matches!(self.guilt, Guilt::Proven { .. })
    }

    /// Whether only its paths are kept.
    fn is_closed(&self) -> bool {
        self.is_proven() && self.stand_in.is_none() && self.closed != Closed::Refused
    }

    fn diagnostic(&self, name: &ObjectName) -> Diagnostic {
        let served = match self.stand_in {
            Some(_) => "its last version that nginx took is served instead",
            None if self.is_closed() => "it is not served and its paths answer 503",
            None => "it is not served",
        };
        let (code, message, help) = match &self.guilt {
            Guilt::Proven { text, .. } => (
                Code::Quarantined,
                format!("nginx refuses what comes of this Ingress, so {served}; nginx says: {text}"),
                "Change the Ingress: it is tried again then.",
            ),
            Guilt::Suspected(_) => (
                Code::HeldBack,
                format!(
                    "nginx has refused a change, and it may be this Ingress's; until that is known, {served}."
                ),
                "Wait: what is at fault is found by trying.",
            ),
        };
        Diagnostic {
            object: ObjectKey { kind: ObjectKind::Ingress, name: name.clone() },
            field: Field::default(),
            code,
            message,
            help: Some(help.to_owned()),
            related: None,
        }
    }
}

/// Whether two versions of an Ingress differ in nothing that nginx's configuration is made from.
fn asks_for_the_same(one: &Ingress, other: &Ingress) -> bool {
    std::ptr::eq(one, other)
        || (one.spec == other.spec
            && one.metadata.annotations == other.metadata.annotations
            && one.metadata.creation_timestamp == other.metadata.creation_timestamp)
}

/// What an Ingress asks for, in short: equal for [`asks_for_the_same`]. Two that differ and are taken for the same delay
/// a search at the worst.
fn print_of(ingress: &Ingress) -> u64 {
    let metadata = &ingress.metadata;
    let mut print = Print(0xcbf2_9ce4_8422_2325);
    let asked = (&ingress.spec, &metadata.annotations, &metadata.creation_timestamp);
    // Writing there cannot fail.
    let _always = write!(print, "{asked:?}");
    print.0
}

/// FNV-1a of what is written.
struct Print(u64);

impl fmt::Write for Print {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.0 = text.bytes().fold(self.0, step);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
