//! The documents of a manifest file.

use std::ops::Range;

use serde::de::IgnoredAny;

/// The text of one document, and where in the file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    pub(super) syntax: Syntax,
    pub(super) begin: Begin,
    /// The bytes that it takes up.
    pub(super) range: Range<usize>,
}

/// Where in its file a document begins. Line and column are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Begin {
    pub(super) offset: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Begin {
    /// The first character of a file.
    pub(super) const START: Self = Self { offset: 0, line: 1, column: 1 };
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Syntax {
    Yaml,
    Json,
}

/// The documents of a file whose name says that it is written so.
///
/// As for kubectl, the content decides: what begins with a brace is JSON, objects one after the other, unless the file's name
/// says YAML and it is only that.
/// YAML's mark between documents is `---` at the beginning of a line, wherever it stands: it ends even a block of text.
pub(super) fn split(text: &str, named: Syntax) -> Vec<Text<'_>> {
    let pieces: Vec<Text<'_>> = split_at_marks(text);
    let is_empty = pieces.iter().all(|piece| is_blank(piece.text));
    if named == Syntax::Json && is_empty {
        return vec![Text { text, syntax: Syntax::Json, begin: Begin::START, range: 0..text.len() }];
    }
    let documents = pieces.into_iter().filter(|piece| !is_blank(piece.text));
    documents.flat_map(|piece| values_of(&piece, named).unwrap_or_else(|| vec![piece])).collect()
}

fn split_at_marks(text: &str) -> Vec<Text<'_>> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut begin = Begin { offset: start, ..Begin::START };
    let mut end = start;
    let mut pieces = Vec::new();
    let piece = |begin: Begin, end: usize| {
        let range = begin.offset..end;
        Some(Text { text: text.get(range.clone())?, syntax: Syntax::Yaml, begin, range })
    };
    for (index, line) in text.get(start..).unwrap_or_default().split_inclusive('\n').enumerate() {
        if is_mark(line) {
            pieces.extend(piece(begin, end));
            // A mark that stands alone is no part of the document after it.
            let alone = line.trim_end() == "---";
            let (offset, line) = if alone { (end + line.len(), index + 2) } else { (end, index + 1) };
            begin = Begin { offset, line, column: 1 };
        }
        end += line.len();
    }
    pieces.extend(piece(begin, end));
    pieces
}

/// The JSON values that a text consists of, one after the other; of a fault in a later one, the rest is the last of them.
/// `None` for what is no JSON.
fn values_of<'a>(piece: &Text<'a>, named: Syntax) -> Option<Vec<Text<'a>>> {
    let is_json = piece.text.trim_start().starts_with(['{', '[']);
    let is_scalar = || named == Syntax::Json && serde_json::from_str::<IgnoredAny>(piece.text).is_ok();
    if !is_json && !is_scalar() {
        return None;
    }
    let mut ends = Vec::new();
    let mut values = serde_json::Deserializer::from_str(piece.text).into_iter::<IgnoredAny>();
    let mut is_whole = true;
    while let Some(value) = values.next() {
        is_whole = value.is_ok();
        if !is_whole {
            break;
        }
        ends.push(values.byte_offset());
    }
    if !is_whole {
        if ends.is_empty() && named == Syntax::Yaml {
            return None;
        }
        ends.push(piece.text.len());
    }
    let mut documents = Vec::with_capacity(ends.len());
    let mut begin = piece.begin;
    for end in ends {
        let end = piece.begin.offset + end;
        let before = begin.offset - piece.begin.offset;
        let rest = piece.text.get(before..end - piece.begin.offset)?;
        let text = rest.trim_start();
        let begins = after(begin, rest.get(..rest.len() - text.len())?);
        documents.push(Text { text, syntax: Syntax::Json, begin: begins, range: begins.offset..end });
        begin = after(begins, text);
    }
    Some(documents)
}

/// The place behind that text.
fn after(begin: Begin, text: &str) -> Begin {
    let offset = begin.offset + text.len();
    match text.rsplit_once('\n') {
        None => Begin { offset, line: begin.line, column: begin.column + text.chars().count() },
        Some((lines, last)) => Begin {
            offset,
            line: begin.line + lines.matches('\n').count() + 1,
            column: last.chars().count() + 1,
        },
    }
}

fn is_mark(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether there is nothing but marks, comments and directives.
fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let content = if is_mark(line) { line.get(3..).unwrap_or_default() } else { line };
        let content = content.trim_start();
        content.is_empty() || content.starts_with(['#', '%']) || content == "..."
    })
}

#[cfg(test)]
mod tests;
