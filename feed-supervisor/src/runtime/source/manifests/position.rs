//! Where in a document a field is.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::document::yaml_options;
use super::text::Begin;

/// A place in a file; both numbers are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

impl Position {
    /// The first character.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// This place of a document that itself begins there in a file.
    pub(super) fn in_document_at(self, begin: Begin) -> Self {
        let before = if self.line == 1 { begin.column.saturating_sub(1) } else { 0 };
        Self {
            line: self.line.saturating_add(begin.line).saturating_sub(1),
            column: self.column.saturating_add(before),
        }
    }
}

/// One step from a value to one inside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// To the value of that key.
    Key(&'a str),
    /// To that element, from 0.
    Index(usize),
}

/// The places of all values in a document.
#[derive(Debug)]
pub(super) struct Positions(Spanned<Node>);

impl Positions {
    /// Those in a YAML or JSON document; `None` when it does not parse.
    pub(super) fn of(document: &str) -> Option<Self> {
        serde_saphyr::from_str_with_options(document, yaml_options()).ok().map(Self)
    }

    /// The place of a field, or of the nearest value around it that is there.
    pub(super) fn find<'a>(&self, steps: impl IntoIterator<Item = Step<'a>>) -> Position {
        let mut nearest = &self.0;
        for step in steps {
            let inner = match (step, &nearest.value) {
                (Step::Key(key), Node::Map(entries)) => entries.get(key),
                (Step::Index(index), Node::List(elements)) => elements.get(index),
                _ => None,
            };
            match inner {
                Some(inner) => nearest = inner,
                None => break,
            }
        }
        let location = nearest.referenced;
        Position {
            line: usize::try_from(location.line()).unwrap_or(usize::MAX),
            column: usize::try_from(location.column()).unwrap_or(usize::MAX),
        }
    }
}

/// A value of which only the shape is of interest. Of equal keys the last counts.
#[derive(Debug)]
enum Node {
    Scalar,
    List(Vec<Spanned<Node>>),
    Map(HashMap<String, Spanned<Node>>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = HashMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests;
