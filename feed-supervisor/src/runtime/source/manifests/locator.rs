//! Where in the manifests an object's field is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use feed_reconcile::diagnostic::{Diagnostic, Field, FieldStep};
use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};

use super::Loaded;
use super::document::way_to;
use super::files::entries;
use super::position::{Position, Positions, Step};
use super::text::{Begin, split};
use super::tree;
use crate::runtime::regular_file::read_regular;

/// A place in a manifest file, written as compilers do: `apps/shop.yaml:12:7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's path, relative if the directory's was.
    pub path: PathBuf,
    /// The place in it.
    pub position: Position,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.position.line, self.position.column)
    }
}

/// Finds places in manifests that were loaded. Reads a file, and then each document in it, again when a place in it is first
/// asked for.
#[derive(Debug)]
pub struct Locator<'a> {
    loaded: &'a Loaded,
    objects: HashMap<(ObjectKind, &'a ObjectName), Place<'a>>,
    files: HashMap<&'a Path, FileText>,
    #[cfg(test)]
    documents_read: usize,
}

/// The text of a file.
#[derive(Debug, Default)]
struct FileText {
    text: String,
    /// The documents in it, by where they begin.
    documents: HashMap<Begin, Range<usize>>,
    /// The places in those that were asked for.
    positions: HashMap<Begin, Option<Positions>>,
}

impl FileText {
    fn read(path: &Path) -> Option<Self> {
        let text = String::from_utf8(read_regular(path).ok()?).ok()?;
        let documents = split(&text, tree::syntax(path)?);
        let documents = documents.into_iter().map(|it| (it.begin, it.range)).collect();
        Some(Self { text, documents, positions: HashMap::new() })
    }
}

/// Where an object is.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    path: &'a Path,
    /// Of the document.
    begin: Begin,
    items: &'a [usize],
}

impl<'a> Locator<'a> {
    pub(super) fn new(loaded: &'a Loaded) -> Self {
        let mut objects = HashMap::new();
        for (path, parts) in loaded.files.used() {
            for (part, entry) in entries(parts) {
                let place = Place { path, begin: part.begin, items: &entry.items };
                objects.entry((entry.object.kind(), &entry.name)).or_insert(place);
            }
        }
        Self {
            loaded,
            objects,
            files: HashMap::new(),
            #[cfg(test)]
            documents_read: 0,
        }
    }

    /// Where to look for what the diagnostic is about.
    pub fn diagnostic(&mut self, diagnostic: &Diagnostic) -> Option<Location> {
        let object = &diagnostic.object;
        match object.kind {
            ObjectKind::Manifest => {
                let path = self.loaded.files.root().join(&*object.name.name);
                Some(Location { path, position: *self.loaded.positions.get(diagnostic)? })
            }
            _ => self.field(object, &diagnostic.field),
        }
    }

    /// Where that field of an object is, or the nearest one around it that is there; of the whole object, its name.
    pub fn field(&mut self, object: &ObjectKey, field: &Field) -> Option<Location> {
        let place = *self.objects.get(&(object.kind, &object.name))?;
        let steps: Vec<Step<'_>> = match &*field.0 {
            [] => vec![Step::Key("metadata"), Step::Key("name")],
            steps => steps.iter().map(step).collect(),
        };
        let position = self.positions(place)?.find(way_to(place.items).chain(steps));
        Some(Location { path: place.path.to_owned(), position: position.in_document_at(place.begin) })
    }

    fn positions(&mut self, place: Place<'a>) -> Option<&Positions> {
        let file = match self.files.entry(place.path) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(unread) => unread.insert(FileText::read(place.path).unwrap_or_default()),
        };
        let FileText { text, documents, positions } = file;
        let positions = match positions.entry(place.begin) {
            Entry::Occupied(positions) => positions.into_mut(),
            Entry::Vacant(unread) => {
                #[cfg(test)]
                {
                    self.documents_read += 1;
                }
                let text = documents.get(&place.begin).and_then(|range| text.get(range.clone()));
                unread.insert(text.and_then(Positions::of))
            }
        };
        positions.as_ref()
    }
}

fn step(step: &FieldStep) -> Step<'_> {
    match step {
        FieldStep::Name(name) => Step::Key(name),
        FieldStep::Key(key) | FieldStep::Unknown(key) => Step::Key(key),
        FieldStep::Index(index) => Step::Index(*index),
    }
}

#[cfg(test)]
mod tests;
