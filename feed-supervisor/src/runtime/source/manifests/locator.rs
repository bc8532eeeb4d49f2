//! Where in the manifests an object's field is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use feed_reconcile::diagnostic::{Diagnostic, Field, FieldStep};
use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};

use super::Loaded;
use super::document::{self, way_to};
use super::files::entries;
use super::position::{self, Position, Step};
use super::tree;

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

/// Finds places in manifests that were loaded. Reads a file again when a place in it is first asked for.
#[derive(Debug)]
pub struct Locator<'a> {
    loaded: &'a Loaded,
    objects: HashMap<(ObjectKind, &'a ObjectName), Place<'a>>,
    texts: HashMap<&'a Path, FileText>,
}

/// The text of a file.
#[derive(Debug, Default)]
struct FileText {
    text: String,
    /// The documents in it, by the line at which they begin.
    documents: HashMap<usize, Range<usize>>,
}

impl FileText {
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let documents = document::split(&text, tree::syntax(path)?);
        let documents = documents.into_iter().map(|it| (it.first_line, it.range)).collect();
        Some(Self { text, documents })
    }
}

/// Where an object is.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    path: &'a Path,
    /// Of the document.
    first_line: usize,
    items: &'a [usize],
}

impl<'a> Locator<'a> {
    pub(super) fn new(loaded: &'a Loaded) -> Self {
        let mut objects = HashMap::new();
        for (path, parts) in loaded.files.used() {
            for (part, entry) in entries(parts) {
                let place = Place { path, first_line: part.first_line, items: &entry.items };
                objects.entry((entry.object.kind(), &entry.name)).or_insert(place);
            }
        }
        Self { loaded, objects, texts: HashMap::new() }
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
        let text = self.document(place)?;
        let position = position::find(text, way_to(place.items).chain(steps))?;
        Some(Location { path: place.path.to_owned(), position: position.in_text_at(place.first_line) })
    }

    fn document(&mut self, place: Place<'a>) -> Option<&str> {
        let file = match self.texts.entry(place.path) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(unread) => unread.insert(FileText::read(place.path).unwrap_or_default()),
        };
        file.text.get(file.documents.get(&place.first_line)?.clone())
    }
}

fn step(step: &FieldStep) -> Step<'_> {
    match step {
        FieldStep::Name(name) => Step::Key(name),
        FieldStep::Key(key) => Step::Key(key),
        FieldStep::Index(index) => Step::Index(*index),
    }
}

#[cfg(test)]
mod tests;
