//! All manifest files: what each of them says, and what they say together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::str::Utf8Error;
use std::sync::Arc;
use std::thread;

use feed_reconcile::diagnostic::{Code, Diagnostic, Diagnostics, Field, FieldStep};
use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};
use feed_reconcile::nearest;
use feed_reconcile::snapshot::ClusterSnapshot;

use super::document::{self, Document, Entry, Problem, explain};
use super::fields::{FieldWay, Spelled, Unknown};
use super::merge::Merge;
use super::position::Position;
use super::text::{Begin, Text, split};
use super::tree::{self, FoundFile, Stamp};
use crate::runtime::regular_file::read_regular;

/// The manifest files below a directory.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    files: BTreeMap<PathBuf, File>,
    /// What could not be read at the last look: files and directories.
    unreadable: BTreeMap<PathBuf, String>,
    hasher: RandomState,
}

/// A manifest file.
#[derive(Debug)]
struct File {
    stamp: Option<Stamp>,
    /// What was read last.
    read: Arc<[Part]>,
    /// What was read when the file was last without a fault that breaks it.
    good: Option<Arc<[Part]>>,
}

impl File {
    /// The last good version; or, of a file that never was good, as much as can be read.
    fn used(&self) -> &Arc<[Part]> {
        self.good.as_ref().unwrap_or(&self.read)
    }

    /// Whether something older than what was read last is used.
    fn is_kept_back(&self) -> bool {
        !Arc::ptr_eq(self.used(), &self.read)
    }
}

/// A document and its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Of the text: an equal text is not read again.
    hash: u64,
    pub(super) begin: Begin,
    pub(super) document: Arc<Document>,
}

/// A file that has to be read anew.
#[derive(Debug)]
struct Changed {
    path: PathBuf,
    bytes: Vec<u8>,
    found: FoundFile,
}

/// A document that is to be read, if no equal one was.
#[derive(Debug)]
struct Split<'a> {
    text: Text<'a>,
    hash: u64,
}

/// What became of looking at the files.
#[derive(Debug)]
pub(super) struct Looked {
    /// The directories to be watched.
    pub(super) directories: BTreeSet<PathBuf>,
    /// The files that are new where nothing was watched, and may not be whole yet.
    pub(super) young: Vec<PathBuf>,
    /// Whether what the files say may have changed.
    pub(super) anything_new: bool,
}

/// What all files say together.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) snapshot: ClusterSnapshot,
    pub(super) diagnostics: Diagnostics,
    unreadable: BTreeSet<ObjectKey>,
    /// Where in its file is what a diagnostic on a file speaks of.
    pub(super) positions: BTreeMap<Diagnostic, Position>,
}

impl Files {
    /// No file has been looked at yet.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, files: BTreeMap::new(), unreadable: BTreeMap::new(), hasher: RandomState::new() }
    }

    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Why the directory itself cannot be read, if it cannot.
    pub(super) fn root_error(&self) -> Option<&str> {
        self.unreadable.get(&self.root).map(String::as_str)
    }

    /// The files and what is used of each, in the order of their paths.
    pub(super) fn used(&self) -> impl Iterator<Item = (&Path, &[Part])> {
        self.files.iter().map(|(path, file)| (path.as_path(), &**file.used()))
    }

    /// Reads what has changed, but leaves the files in `unsettled` as they were: they are being written or replaced. So may new
    /// files be in directories that are not yet among the `watched` ones; without these every new file is read.
    pub(super) fn look(
        &mut self,
        unsettled: &HashSet<PathBuf>,
        watched: Option<&BTreeSet<PathBuf>>,
    ) -> Looked {
        let tree = tree::walk(&self.root);
        let unreadable = tree.unreadable.into_iter().map(|(path, error)| (path, error.to_string())).collect();
        let unreadable_before = std::mem::replace(&mut self.unreadable, unreadable);
        let known = self.files.len();
        let out_of_sight = |path: &Path| self.unreadable.keys().any(|directory| path.starts_with(directory));
        self.files.retain(|path, _| {
            tree.files.contains_key(path) || unsettled.contains(path) || out_of_sight(path)
        });
        let mut anything_new = self.files.len() != known;
        let (mut changed, mut young) = (Vec::new(), Vec::new());
        let is_unwatched = |path: &Path| {
            watched.zip(path.parent()).is_some_and(|(watched, directory)| !watched.contains(directory))
        };
        for (path, found) in tree.files {
            let known = self.files.get(&path);
            let is_unsettled = |path: &PathBuf| unsettled.contains(path);
            if is_unsettled(&path)
                || found.target.as_ref().is_some_and(is_unsettled)
                || known.is_some_and(|it| it.stamp.is_some() && it.stamp == found.stamp)
            {
                continue;
            }
            if known.is_none() && found.stamp.is_none() && is_unwatched(&path) {
                young.push(path);
                continue;
            }
            match read_regular(&path) {
                Ok(bytes) => changed.push(Changed { path, bytes, found }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    anything_new |= self.files.remove(&path).is_some();
                }
                Err(error) => drop(self.unreadable.insert(path, error.to_string())),
            }
        }
        anything_new |= !changed.is_empty() || self.unreadable != unreadable_before;
        self.read(&changed);
        Looked { directories: tree.directories, young, anything_new }
    }

    fn read(&mut self, changed: &[Changed]) {
        let split: Vec<Result<Vec<Split<'_>>, Utf8Error>> = changed.iter().map(|it| self.split(it)).collect();
        let documents = self.documents(changed, split.iter().flatten().flatten());
        for (Changed { path, bytes, found }, split) in changed.iter().zip(split) {
            let known = self.files.remove(path);
            let part = |split: Split<'_>| {
                let document = Arc::clone(documents.get(&split.hash)?);
                Some(Part { hash: split.hash, begin: split.text.begin, document })
            };
            let read: Arc<[Part]> = match split {
                Ok(split) => split.into_iter().filter_map(part).collect(),
                Err(error) => [not_utf8(bytes, error.valid_up_to())].into(),
            };
            let broken = problems(&read).any(|(_, problem)| problem.breaks_file);
            let good = if broken { known.and_then(|file| file.good) } else { Some(Arc::clone(&read)) };
            self.files.insert(path.clone(), File { stamp: found.stamp, read, good });
        }
    }

    fn split<'a>(&self, changed: &'a Changed) -> Result<Vec<Split<'a>>, Utf8Error> {
        let documents = split(std::str::from_utf8(&changed.bytes)?, changed.found.syntax).into_iter();
        let split =
            documents.map(|text| Split { hash: self.hasher.hash_one((text.text, text.syntax)), text });
        Ok(split.collect())
    }

    /// The documents of these files by their hashes: those that were there before, and the new ones.
    fn documents<'a>(
        &self,
        changed: &[Changed],
        split: impl Iterator<Item = &'a Split<'a>>,
    ) -> HashMap<u64, Arc<Document>> {
        let known = changed.iter().filter_map(|it| self.files.get(&it.path)).flat_map(|file| &*file.read);
        let mut documents: HashMap<_, _> =
            known.map(|part| (part.hash, Arc::clone(&part.document))).collect();
        let new: HashMap<_, _> = split
            .filter(|split| !documents.contains_key(&split.hash))
            .map(|split| (split.hash, split))
            .collect();
        let new: Vec<_> = new.into_values().collect();
        let parse =
            |split: &&Split<'_>| (split.hash, Arc::new(document::parse(split.text.text, split.text.syntax)));
        documents.extend(on_all_processors(&new, parse));
        documents
    }

    /// What the files say together, with all that is the same as in `before` shared with it.
    pub(super) fn said(&self, before: &ClusterSnapshot) -> Said {
        let mut said = Said::default();
        let mut merge = Merge::new(before);
        for (path, file) in &self.files {
            let name = self.name(path);
            let used = Use::of(file);
            for (part, problem) in problems(&file.read) {
                let position = problem.position.in_document_at(part.begin);
                said.positions.insert(unparsed(&name, problem, position, used), position);
            }
            let unreadable = file.used().iter().flat_map(|part| &part.document.unreadable);
            said.unreadable.extend(unreadable.cloned());
            for (part, entry) in entries(file.used()) {
                if let Some(first) = merge.add(entry, path) {
                    let diagnostic = duplicate(&name, entry, &self.name(first));
                    said.positions.insert(diagnostic, Position::START.in_document_at(part.begin));
                } else {
                    said.diagnostics
                        .extend(entry.unknown.iter().map(|unknown| unknown_field(entry, unknown)));
                }
            }
        }
        for (path, error) in &self.unreadable {
            let known = self.files.keys().any(|file| file.starts_with(path));
            said.positions.insert(unread(&self.name(path), error, known), Position::START);
        }
        said.snapshot = merge.into_snapshot(std::mem::take(&mut said.unreadable));
        said.diagnostics.extend(said.positions.keys().cloned());
        said
    }

    /// The name of a file or directory in diagnostics: its path below the root.
    pub(super) fn name(&self, path: &Path) -> ObjectName {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        ObjectName::new("", &below.to_string_lossy())
    }
}

/// Does that work for each item, in order, by as many threads as there are processors if it is much.
fn on_all_processors<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    const MUCH: usize = 64;
    let threads =
        if items.len() < MUCH { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let share = items.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        let work = &work;
        let others = items.chunks(share).skip(1);
        let others: Vec<_> =
            others.map(|items| scope.spawn(move || items.iter().map(work).collect::<Vec<R>>())).collect();
        let mut done: Vec<R> = items.iter().take(share).map(work).collect();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    })
}

fn problems(parts: &[Part]) -> impl Iterator<Item = (&Part, &Problem)> {
    parts.iter().flat_map(|part| part.document.problems.iter().map(move |problem| (part, problem)))
}

/// The objects in a file, each with the document it stands in.
pub(super) fn entries(parts: &[Part]) -> impl Iterator<Item = (&Part, &Entry)> {
    parts.iter().flat_map(|part| part.document.objects.iter().map(move |entry| (part, entry)))
}

fn not_utf8(bytes: &[u8], valid_up_to: usize) -> Part {
    let valid = String::from_utf8_lossy(bytes.get(..valid_up_to).unwrap_or_default()).into_owned();
    let last = valid.rsplit('\n').next().unwrap_or_default();
    let problem = Problem {
        code: Code::InvalidManifest,
        position: Position { line: valid.split('\n').count(), column: last.chars().count() + 1 },
        message: "This is not UTF-8".to_owned(),
        help: "Save the file as UTF-8.".to_owned(),
        breaks_file: true,
    };
    let document = Arc::new(Document { problems: vec![problem], ..Document::default() });
    Part { hash: 0, begin: Begin::START, document }
}

/// What is used of a file with a fault that breaks it.
#[derive(Clone, Copy, Debug)]
enum Use {
    LastGood,
    OtherObjects,
    Nothing,
}

impl Use {
    fn of(file: &File) -> Self {
        match (file.is_kept_back(), entries(file.used()).next()) {
            (true, _) => Self::LastGood,
            (false, Some(_)) => Self::OtherObjects,
            (false, None) => Self::Nothing,
        }
    }
}

fn unparsed(file: &ObjectName, problem: &Problem, position: Position, used: Use) -> Diagnostic {
    let consequence = match (problem.breaks_file, used) {
        (false, _) => "",
        (true, Use::LastGood) => "; the file's last good version is used",
        (true, Use::OtherObjects) => "; the file's other objects are used",
        (true, Use::Nothing) => "; nothing of the file is used",
    };
    let Position { line, column } = position;
    let message = format!("Line {line}, column {column}: {}{consequence}.", problem.message);
    Diagnostic { help: Some(problem.help.clone()), ..about(file, problem.code, message) }
}

fn unread(path: &ObjectName, error: &str, known: bool) -> Diagnostic {
    let consequence = if known { "what was read of it before is used" } else { "nothing of it is used" };
    let message = format!("It cannot be read: {error}; {consequence}.");
    let help = Some("Put a file there that the user whom this program runs as may read.".to_owned());
    Diagnostic { help, ..about(path, Code::InvalidManifest, message) }
}

fn unknown_field(entry: &Entry, Unknown { way, name, known }: &Unknown) -> Diagnostic {
    let kind = entry.object.kind();
    let object = ObjectKey { kind, name: entry.name.clone() };
    let place = if way.is_empty() { format!("{kind:?}") } else { Spelled(way).to_string() };
    let message = format!("There is no field {name:?} in {place}, so it is ignored.");
    let is_backend = known.contains(&"resource") && known.contains(&"service");
    let meant = match name.as_str() {
        "serviceName" if is_backend => Some("service.name"),
        "servicePort" if is_backend => Some("service.port.number` or `service.port.name"),
        "backend" if known.contains(&"defaultBackend") => Some("defaultBackend"),
        name => nearest(name, known.iter().copied()),
    };
    let help = match meant {
        Some(meant) => format!("Write `{meant}` if that is meant. {}", explain(kind, way)),
        None => format!("Remove it. {}", explain(kind, way)),
    };
    let mut field = Field(way.iter().map(field_step).collect());
    field.0.push(FieldStep::Unknown(name.clone()));
    Diagnostic { object, field, code: Code::UnknownField, message, help: Some(help), related: None }
}

fn field_step(step: &FieldWay) -> FieldStep {
    match step {
        FieldWay::Known(name) => FieldStep::Name(name),
        FieldWay::Key(key) => FieldStep::Key(key.clone()),
        FieldWay::Index(index) => FieldStep::Index(*index),
    }
}

fn duplicate(file: &ObjectName, entry: &Entry, first: &ObjectName) -> Diagnostic {
    let object = ObjectKey { kind: entry.object.kind(), name: entry.name.clone() };
    let elsewhere = if file == first { "above it in this file".to_owned() } else { format!("in {first}") };
    let message = format!("{object} is {elsewhere} too, and that one is used.");
    let help = Some("Remove one of the two, or give it another name.".to_owned());
    Diagnostic { help, related: Some(object), ..about(file, Code::DuplicateObject, message) }
}

fn about(file: &ObjectName, code: Code, message: String) -> Diagnostic {
    let object = ObjectKey { kind: ObjectKind::Manifest, name: file.clone() };
    Diagnostic { object, field: Field::default(), code, message, help: None, related: None }
}

#[cfg(test)]
mod tests;
