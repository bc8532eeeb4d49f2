//! Collecting the diagnostics of one Ingress while it is compiled.

use std::fmt;

use crate::diagnostic::{Code, Diagnostic, Field};
use crate::key::ObjectKey;

/// The diagnostics of one object, in the order in which they were found.
#[derive(Debug)]
pub(crate) struct Report {
    object: ObjectKey,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// An empty report on that object.
    pub(crate) fn new(object: ObjectKey) -> Self {
        Self { object, diagnostics: Vec::new() }
    }

    /// Adds what is wrong with a field, and what to do about it.
    pub(crate) fn add(
        &mut self,
        code: Code,
        field: Field,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), Some(help.into()));
        let object = self.object.clone();
        self.diagnostics.push(Diagnostic { object, field, code, message, help, related: None });
    }

    /// Says of the diagnostic added last which other object has a part in it.
    pub(crate) fn relate(&mut self, object: ObjectKey) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.related = Some(object);
        }
    }

    /// Everything that was added.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}

/// A text from the cluster as messages show it: in quotes, escaped, and cut after 100 characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 100;
        match self.0.char_indices().nth(SHOWN).and_then(|(end, _)| self.0.get(..end)) {
            None => write!(f, "{:?}", self.0),
            Some(start) => write!(f, "{start:?}… ({} bytes)", self.0.len()),
        }
    }
}
