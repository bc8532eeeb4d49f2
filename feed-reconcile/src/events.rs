//! Which Kubernetes Events tell the authors of Ingresses what is wrong with these, and when each is written, as a machine.
//!
//! There is one Event for each Ingress and code of an error. It is written over where its text changes, where the error comes
//! back, and from time to time while the error stays, as the API server forgets Events after an hour. The caller asks
//! [`Journal::next`], writes what it says, and reports with [`Journal::written`] or [`Journal::failed`].
//!
//! Who may create Ingresses can make errors at will: a namespace with many of them holds no other namespace up, an Event is not
//! written more often than every [`QUIET`], and all together not more often than once a second after the first [`BURST`].

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use crate::key::{ObjectKind, ObjectName};

/// How many Events may follow one another at once.
pub const BURST: u32 = 25;

/// After a [`BURST`], the time from one to the next.
pub const PERIOD: SignedDuration = SignedDuration::from_secs(1);

/// The time for which an Event that was written is left alone, whatever happens.
pub const QUIET: SignedDuration = SignedDuration::from_mins(1);

/// The time after which an Event is written again although nothing has changed: half of what the API server keeps it for.
pub const RENEWAL: SignedDuration = SignedDuration::from_mins(30);

/// When a write that failed is tried again: at first, then doubled, and at most.
const RETRY: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(10), SignedDuration::from_mins(10));

/// The longest text, in bytes.
const LONGEST_NOTE: usize = 1000;

/// What an Event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The Ingress to mend.
    pub ingress: ObjectName,
    /// The kind of error.
    pub code: Code,
}

/// What to do about Events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The Event about that is to have this text.
    Write(Subject, String),
    /// Nothing is to be done before that time, or, without one, before something changes.
    Wait(Option<Timestamp>),
}

/// What was told, and what is to be told.
///
/// All times are the caller's, of a clock that is never set back.
#[derive(Debug, Default)]
pub struct Journal {
    entries: BTreeMap<Subject, Entry>,
    /// When the last Event of a namespace was begun.
    served: BTreeMap<Arc<str>, Timestamp>,
    /// How many may be written at once, as of then.
    allowance: Option<(u32, Timestamp)>,
}

#[derive(Debug, Default)]
struct Entry {
    /// What is wrong; nothing any more, where there is none.
    note: Option<String>,
    told: Option<Told>,
    /// Writes that failed, in a row, and when the next is due.
    failures: u32,
    retry_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Told {
    at: Timestamp,
    /// None once the error was mended: if it comes back, that is news.
    note: Option<String>,
}

impl Entry {
    /// When it is to be written.
    fn due(&self) -> Option<Timestamp> {
        let note = self.note.as_ref()?;
        let due = match &self.told {
            None => Timestamp::MIN,
            Some(told) if told.note.as_ref() == Some(note) => after(told.at, RENEWAL),
            Some(told) => after(told.at, QUIET),
        };
        Some(self.retry_at.map_or(due, |retry_at| retry_at.max(due)))
    }

    fn is_of_use(&self, now: Timestamp) -> bool {
        self.note.is_some() || self.told.as_ref().is_some_and(|told| now < after(told.at, QUIET))
    }
}

impl Journal {
    /// Takes in all that is wrong now.
    pub fn observe(&mut self, now: Timestamp, diagnostics: &Diagnostics) {
        let mut notes = notes(diagnostics);
        for (subject, entry) in &mut self.entries {
            entry.note = notes.remove(subject);
            if let (None, Some(told)) = (&entry.note, &mut entry.told) {
                told.note = None;
            }
        }
        let new = notes
            .into_iter()
            .map(|(subject, note)| (subject, Entry { note: Some(note), ..Entry::default() }));
        self.entries.extend(new);
        self.entries.retain(|_, entry| entry.is_of_use(now));
        let (served, entries) = (&mut self.served, &self.entries);
        served.retain(|namespace, at| {
            now < after(*at, QUIET) || entries.keys().any(|subject| subject.ingress.namespace == *namespace)
        });
    }

    /// What to do now. What is to be written counts as begun.
    pub fn next(&mut self, now: Timestamp) -> Decision {
        let (allowance, since) = self.refilled(now);
        let due = self.entries.iter().filter_map(|(subject, entry)| Some((subject, entry, entry.due()?)));
        let turn = |subject: &Subject| self.served.get(&subject.ingress.namespace).copied();
        let next = due
            .clone()
            .filter(|(_, _, due)| *due <= now)
            .min_by_key(|(subject, _, due)| (turn(subject), *due));
        let Some((subject, entry, _)) = next else {
            return Decision::Wait(due.map(|(_, _, due)| due).min());
        };
        if allowance == 0 {
            return Decision::Wait(Some(after(since, PERIOD)));
        }
        let (subject, note) = (subject.clone(), entry.note.clone().unwrap_or_default());
        self.allowance = Some((allowance - 1, since));
        self.served.insert(Arc::clone(&subject.ingress.namespace), now);
        Decision::Write(subject, note)
    }

    /// The Event has that text since then.
    pub fn written(&mut self, subject: &Subject, note: String, at: Timestamp) {
        if let Some(entry) = self.entries.get_mut(subject) {
            *entry = Entry {
                note: entry.note.take(),
                told: Some(Told { at, note: Some(note) }),
                ..Entry::default()
            };
        }
    }

    /// The Event could not be written.
    pub fn failed(&mut self, subject: &Subject, now: Timestamp) {
        if let Some(entry) = self.entries.get_mut(subject) {
            let (first, longest) = RETRY;
            let doubled =
                first.checked_mul(1 << entry.failures.min(10)).map_or(longest, |pause| pause.min(longest));
            entry.failures = entry.failures.saturating_add(1);
            entry.retry_at = Some(after(now, doubled));
        }
    }

    /// Another may have written meanwhile: every Event is looked at again.
    pub fn taken_over(&mut self) {
        for entry in self.entries.values_mut() {
            *entry = Entry { note: entry.note.take(), ..Entry::default() };
        }
    }

    /// How many may be written now, and since when that has been so.
    fn refilled(&self, now: Timestamp) -> (u32, Timestamp) {
        let Some((allowance, since)) = self.allowance else { return (BURST, now) };
        let periods = now.duration_since(since).as_secs() / PERIOD.as_secs();
        let more = u32::try_from(periods).unwrap_or(0);
        if more >= BURST - allowance.min(BURST) {
            return (BURST, now);
        }
        (allowance + more, after(since, PERIOD * i32::try_from(more).unwrap_or(0)))
    }
}

/// One text for each Ingress and code.
fn notes(diagnostics: &Diagnostics) -> BTreeMap<Subject, String> {
    let is_told = |diagnostic: &&Diagnostic| {
        diagnostic.object.kind == ObjectKind::Ingress && diagnostic.code.severity() == Severity::Error
    };
    let mut messages: BTreeMap<Subject, (&str, usize)> = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(is_told) {
        let subject = Subject { ingress: diagnostic.object.name.clone(), code: diagnostic.code };
        let (_, others) = messages.entry(subject).or_insert((&diagnostic.message, 0));
        *others += 1;
    }
    let note = |(message, count): (&str, usize)| match count {
        0 | 1 => shortened(message).to_owned(),
        _ => format!("{} ({} more like this.)", shortened(message), count - 1),
    };
    messages.into_iter().map(|(subject, messages)| (subject, note(messages))).collect()
}

/// Cuts a text between letters.
fn shortened(text: &str) -> &str {
    let end = (0..=LONGEST_NOTE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
