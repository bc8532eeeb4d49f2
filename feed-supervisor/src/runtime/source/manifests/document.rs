//! One document of a manifest file: the text, and the objects in it.

use std::ops::Range;
use std::sync::Arc;

use feed_reconcile::key::{ObjectKind, ObjectName};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::position::{self, Position, Step};
use crate::runtime::source::object::{TLS_SECRET, Tracked};

/// The text of one document, and where in the file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub(super) text: &'a str,
    /// The line at which it begins, from 1.
    pub(super) first_line: usize,
    /// The bytes that it takes up.
    pub(super) range: Range<usize>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Syntax {
    Yaml,
    /// One document a file.
    Json,
}

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) objects: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
}

/// An object of a document.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: ObjectName,
    pub(super) object: Object,
    /// The `items` that lead to it, one list inside the other; none when it is the document itself.
    pub(super) items: Vec<usize>,
}

/// An object of a kind that decides what is served.
#[derive(Clone, Debug)]
pub(super) enum Object {
    Ingress(Arc<Ingress>),
    IngressClass(Arc<IngressClass>),
    Service(Arc<Service>),
    Namespace(Arc<Namespace>),
    Secret(Arc<Secret>),
    EndpointSlice(Arc<EndpointSlice>),
}

impl Object {
    /// The object's kind.
    pub(super) fn kind(&self) -> ObjectKind {
        match self {
            Self::Ingress(_) => ObjectKind::Ingress,
            Self::IngressClass(_) => ObjectKind::IngressClass,
            Self::Service(_) => ObjectKind::Service,
            Self::Namespace(_) => ObjectKind::Namespace,
            Self::Secret(_) => ObjectKind::Secret,
            Self::EndpointSlice(_) => ObjectKind::EndpointSlice,
        }
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where in the document.
    pub(super) position: Position,
    /// A sentence without its full stop.
    pub(super) message: String,
    /// What to do, a sentence.
    pub(super) help: &'static str,
    /// Whether it makes the whole file one that does not parse: its last good version then stays.
    pub(super) breaks_file: bool,
}

/// The documents of a file.
///
/// YAML's mark between documents is `---` at the beginning of a line, wherever it stands: it ends even a block of text.
pub(super) fn split(text: &str, syntax: Syntax) -> Vec<Text<'_>> {
    let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut end) = (begin, 1, begin);
    let lines = text.get(begin..).unwrap_or_default().split_inclusive('\n');
    for (index, line) in lines.enumerate() {
        if syntax == Syntax::Yaml && is_mark(line) {
            documents.push((start..end, first_line));
            // A mark that stands alone is no part of the document after it.
            let alone = line.trim_end() == "---";
            (start, first_line) = if alone { (end + line.len(), index + 2) } else { (end, index + 1) };
        }
        end += line.len();
    }
    documents.push((start..end, first_line));
    let documents = documents.into_iter().filter_map(|(range, first_line)| {
        let text = text.get(range.clone())?;
        (syntax == Syntax::Json || !is_blank(text)).then_some(Text { text, first_line, range })
    });
    documents.collect()
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

/// How YAML is read here.
pub(super) fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // Of what makes a manifest large, nothing is limited but the depth: a `List` may hold ten thousand objects.
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_buffered_comment_events: usize::MAX,
            max_total_comment_bytes: usize::MAX,
            max_merge_keys: usize::MAX,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 200_000 },
        // As Kubernetes does: a `y` is a name.
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Reads a document.
pub(super) fn parse(text: &str, syntax: Syntax) -> Document {
    let mut document = Document::default();
    match read(text, syntax) {
        Ok(value) => Reader { text, document: &mut document }.read(value, &mut Vec::new()),
        Err(problem) => document.problems.push(problem),
    }
    document
}

fn read(text: &str, syntax: Syntax) -> Result<Value, Problem> {
    match syntax {
        Syntax::Yaml => serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
            syntax_problem("YAML", &message, place.unwrap_or((1, 1)))
        }),
        Syntax::Json => serde_json::from_str(text).map_err(|error| {
            syntax_problem("JSON", &error.to_string(), (error.line() as u64, error.column() as u64))
        }),
    }
}

fn syntax_problem(syntax: &str, message: &str, (line, column): (u64, u64)) -> Problem {
    // Both libraries end their message with the place, which is told in our own way.
    let what = message.rsplit_once(" at line ").map_or(message, |(what, _)| what);
    let number = |number| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    Problem {
        position: Position { line: number(line), column: number(column) },
        message: format!("This is not {syntax}: {what}"),
        help: "Mend the file; `kubectl apply --dry-run=client` finds the same fault.",
        breaks_file: true,
    }
}

/// Turns the value of a document into its objects.
struct Reader<'a> {
    text: &'a str,
    document: &'a mut Document,
}

impl Reader<'_> {
    fn read(&mut self, value: Value, items: &mut Vec<usize>) {
        let Value::Object(mut fields) = value else {
            if !value.is_null() {
                self.report(items, &[], "This is no object of Kubernetes", WITHOUT_KIND);
            }
            return;
        };
        let field = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (field("apiVersion"), field("kind"));
        if let Some(item_kind) = kind.strip_suffix("List")
            && let Some(Value::Array(elements)) = fields.remove("items")
        {
            return self.read_list(elements, item_kind, &api_version, items);
        }
        match (api_version.as_str(), kind.as_str()) {
            ("", _) | (_, "") => self.report(items, &[], "This is no object of Kubernetes", WITHOUT_KIND),
            ("networking.k8s.io/v1", "Ingress") => self.add(fields, items, "default", Object::Ingress),
            ("networking.k8s.io/v1", "IngressClass") => self.add(fields, items, "", Object::IngressClass),
            ("v1", "Service") => self.add(fields, items, "default", Object::Service),
            ("v1", "Namespace") => self.add(fields, items, "", Object::Namespace),
            ("v1", "Secret") if fields.get("type").and_then(Value::as_str) == Some(TLS_SECRET) => {
                self.add(fields, items, "default", Object::Secret);
            }
            ("discovery.k8s.io/v1", "EndpointSlice") => {
                self.add(fields, items, "default", Object::EndpointSlice);
            }
            (version, "Ingress" | "IngressClass" | "EndpointSlice") if is_old_version(version) => {
                let message = format!("{version} is no version of {kind} that Kubernetes still serves");
                self.report(items, &[Step::Key("apiVersion")], &message, OLD_VERSION);
            }
            _ => {}
        }
    }

    /// The items of a typed list need not say what they are.
    fn read_list(&mut self, elements: Vec<Value>, kind: &str, api_version: &str, items: &mut Vec<usize>) {
        for (index, mut element) in elements.into_iter().enumerate() {
            if let (Value::Object(fields), false) = (&mut element, kind.is_empty()) {
                fields.entry("kind").or_insert_with(|| kind.into());
                fields.entry("apiVersion").or_insert_with(|| api_version.into());
            }
            items.push(index);
            self.read(element, items);
            items.pop();
        }
    }

    /// Adds an object whose namespace, where it does not say, is that; an object of a cluster-scoped kind has none.
    fn add<K: Tracked>(
        &mut self,
        fields: Map<String, Value>,
        items: &[usize],
        namespace: &str,
        wrap: impl Fn(Arc<K>) -> Object,
    ) {
        let mut object: K = match serde_path_to_error::deserialize(Value::Object(fields)) {
            Ok(object) => object,
            Err(error) => {
                let steps: Vec<Step<'_>> = error.path().iter().filter_map(step).collect();
                let message =
                    format!("`{}` is not as {:?} has it: {}", error.path(), K::OBJECT_KIND, error.inner());
                self.problem(items, &steps, message, MISTYPED, true);
                return;
            }
        };
        object.trim();
        let metadata = object.metadata_mut();
        if metadata.name.as_deref().is_none_or(str::is_empty) {
            let message = format!("The {:?} has no name", K::OBJECT_KIND);
            self.report(items, &[Step::Key("metadata")], &message, "Add `metadata.name`.");
            return;
        }
        if namespace.is_empty() {
            metadata.namespace = None;
        } else if metadata.namespace.as_deref().is_none_or(str::is_empty) {
            metadata.namespace = Some(namespace.to_owned());
        }
        let name = ObjectName::of(metadata);
        self.document.objects.push(Entry { name, object: wrap(Arc::new(object)), items: items.to_vec() });
    }

    /// Reports a problem of one object, without which the others are used.
    fn report(&mut self, items: &[usize], steps: &[Step<'_>], message: &str, help: &'static str) {
        self.problem(items, steps, format!("{message}; it is left out"), help, false);
    }

    fn problem(
        &mut self,
        items: &[usize],
        steps: &[Step<'_>],
        message: String,
        help: &'static str,
        breaks_file: bool,
    ) {
        let steps = way_to(items).chain(steps.iter().copied());
        let position = position::find(self.text, steps).unwrap_or(Position::START);
        self.document.problems.push(Problem { position, message, help, breaks_file });
    }
}

const WITHOUT_KIND: &str = "Give it `apiVersion` and `kind`, or move the file elsewhere.";
const OLD_VERSION: &str = "Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.";
const MISTYPED: &str = "Compare it with `kubectl explain`.";

/// Whether that is the API group of one of our kinds, now or formerly, in whatever version.
fn is_old_version(api_version: &str) -> bool {
    let group = api_version.split_once('/').map(|(group, _)| group);
    matches!(group, Some("networking.k8s.io" | "discovery.k8s.io" | "extensions"))
}

/// The steps through lists to an object.
pub(super) fn way_to<'a>(items: &[usize]) -> impl Iterator<Item = Step<'a>> {
    items.iter().flat_map(|index| [Step::Key("items"), Step::Index(*index)])
}

fn step(segment: &Segment) -> Option<Step<'_>> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key)),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
