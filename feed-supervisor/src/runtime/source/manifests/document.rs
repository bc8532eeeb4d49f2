//! One document of a manifest file: the text, and the objects in it.

use std::cell::OnceCell;
use std::sync::Arc;

use feed_reconcile::diagnostic::Code;
use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use serde_json::{Map, Value};

use super::fields::{self, FieldWay, Mistyped, Spelled, Unknown};
use super::position::{Position, Positions, Step};
use super::text::Syntax;
use super::value::{Read, WayStep};
use crate::runtime::source::object::{TLS_SECRET, Tracked};

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) objects: Vec<Entry>,
    /// The objects that cannot be read.
    pub(super) unreadable: Vec<ObjectKey>,
    pub(super) problems: Vec<Problem>,
}

/// An object of a document.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: ObjectName,
    pub(super) object: Object,
    /// The `items` that lead to it, one list inside the other; none when it is the document itself.
    pub(super) items: Vec<usize>,
    /// Its fields that its kind does not have.
    pub(super) unknown: Vec<Unknown>,
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
    pub(super) code: Code,
    /// Where in the document.
    pub(super) position: Position,
    /// A sentence without its full stop.
    pub(super) message: String,
    /// What to do, a sentence.
    pub(super) help: String,
    /// Whether it makes the whole file one that does not parse: its last good version then stays.
    pub(super) breaks_file: bool,
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
        // As for kubectl, the last of equal keys counts.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        // As Kubernetes does: a `y` is a name.
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Reads a document.
pub(super) fn parse(text: &str, syntax: Syntax) -> Document {
    let mut document = Document::default();
    match read(text, syntax) {
        Ok(Read { value, doubled }) => {
            let mut reader = Reader { text, positions: OnceCell::new(), document: &mut document };
            reader.report_doubled(&doubled);
            reader.read(value, &mut Vec::new(), syntax);
        }
        Err(problem) => document.problems.push(problem),
    }
    document
}

fn read(text: &str, syntax: Syntax) -> Result<Read, Problem> {
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
        code: Code::InvalidManifest,
        position: Position { line: number(line), column: number(column) },
        message: format!("This is not {syntax}: {what}"),
        help: "Mend the file there, or a little before.".to_owned(),
        breaks_file: true,
    }
}

/// Turns the value of a document into its objects.
struct Reader<'a> {
    text: &'a str,
    /// Looked for when the first is asked for.
    positions: OnceCell<Option<Positions>>,
    document: &'a mut Document,
}

impl Reader<'_> {
    fn read(&mut self, value: Value, items: &mut Vec<usize>, syntax: Syntax) {
        let Value::Object(mut fields) = value else {
            // A list, or a JSON text of any other kind, is another tool's file. A word alone is YAML gone wrong.
            let is_others = items.is_empty() && (value.is_array() || syntax == Syntax::Json);
            if !value.is_null() && !is_others {
                self.report(items, &[], "This is no object of Kubernetes", WITHOUT_KIND);
            }
            return;
        };
        let field = |name| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (field("apiVersion"), field("kind"));
        if let Some(item_kind) = kind.strip_suffix("List")
            && let Some(Value::Array(elements)) = fields.remove("items")
        {
            return self.read_list(elements, item_kind, &api_version, items, syntax);
        }
        match (api_version.as_str(), kind.as_str()) {
            ("", _) | (_, "") if is_others(&fields, &api_version, &kind) && items.is_empty() => {}
            ("", _) | (_, "") => self.report(items, &[], "This is no object of Kubernetes", WITHOUT_KIND),
            ("networking.k8s.io/v1", "Ingress") => self.add(fields, items, "default", Object::Ingress),
            ("networking.k8s.io/v1", "IngressClass") => self.add(fields, items, "", Object::IngressClass),
            ("v1", "Service") => self.add(fields, items, "default", Object::Service),
            ("v1", "Namespace") => self.add(fields, items, "", Object::Namespace),
            ("v1", "Secret") if fields.get("type").and_then(Value::as_str) == Some(TLS_SECRET) => {
                unwrap_base64(&mut fields);
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

    fn report_doubled(&mut self, doubled: &[Vec<WayStep>]) {
        for way in doubled {
            let steps: Vec<Step<'_>> = way.iter().map(way_step).collect();
            let Some(WayStep::Key(key)) = way.last() else { continue };
            self.document.problems.push(Problem {
                code: Code::DuplicateKey,
                position: self.position(steps),
                message: format!(
                    "The key {key:?} stands here more than once; the last one counts, as for kubectl"
                ),
                help: "Remove the others.".to_owned(),
                breaks_file: false,
            });
        }
    }

    fn position<'s>(&self, steps: impl IntoIterator<Item = Step<'s>>) -> Position {
        let positions = self.positions.get_or_init(|| Positions::of(self.text));
        positions.as_ref().map_or(Position::START, |positions| positions.find(steps))
    }

    /// The items of a typed list need not say what they are.
    fn read_list(
        &mut self,
        elements: Vec<Value>,
        kind: &str,
        api_version: &str,
        items: &mut Vec<usize>,
        syntax: Syntax,
    ) {
        for (index, mut element) in elements.into_iter().enumerate() {
            if let (Value::Object(fields), false) = (&mut element, kind.is_empty()) {
                fields.entry("kind").or_insert_with(|| kind.into());
                fields.entry("apiVersion").or_insert_with(|| api_version.into());
            }
            items.push(index);
            self.read(element, items, syntax);
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
        let named = named(K::OBJECT_KIND, &fields, namespace);
        let (mut object, unknown): (K, _) = match fields::read(Value::Object(fields)) {
            Ok(read) => read,
            Err(Mistyped { way, error }) => {
                let error = error.to_string();
                let steps: Vec<Step<'_>> = way.iter().map(field_step).collect();
                let message = format!(
                    "`{}` is not as {:?} has it: {}",
                    Spelled(&way),
                    K::OBJECT_KIND,
                    error.trim_end_matches('.')
                );
                self.problem(items, &steps, message, &explain(K::OBJECT_KIND, &way), true);
                self.document.unreadable.extend(named);
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
        let object = wrap(Arc::new(object));
        self.document.objects.push(Entry { name, object, items: items.to_vec(), unknown });
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
        help: &str,
        breaks_file: bool,
    ) {
        let position = self.position(way_to(items).chain(steps.iter().copied()));
        let (code, help) = (Code::InvalidManifest, help.to_owned());
        self.document.problems.push(Problem { code, position, message, help, breaks_file });
    }
}

const WITHOUT_KIND: &str = "Give it `apiVersion` and `kind`, or move the file elsewhere.";
const OLD_VERSION: &str = "Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.";

/// Whether a document without `apiVersion` or `kind` is another tool's: `kustomization.yaml`, `Chart.yaml`, `values.yaml`, patches.
/// One of ours in which either was forgotten is not.
fn is_others(fields: &Map<String, Value>, api_version: &str, kind: &str) -> bool {
    const OURS: [&str; 6] = ["Ingress", "IngressClass", "Service", "Namespace", "Secret", "EndpointSlice"];
    let is_our_group = matches!(api_version, "v1") || is_old_version(api_version);
    let is_our_kind = OURS.contains(&kind.strip_suffix("List").unwrap_or(kind)) || kind == "List";
    let looks_like_an_object = fields.contains_key("metadata") && is_our_group;
    !is_our_kind && (!kind.is_empty() || !looks_like_an_object)
}

/// Takes out of base64 what Go's decoder, and so an API server, ignores: line ends, and spare bits of the last letter.
fn unwrap_base64(fields: &mut Map<String, Value>) {
    let data = fields.get_mut("data").and_then(Value::as_object_mut);
    for value in data.into_iter().flat_map(|data| data.values_mut()) {
        if let Value::String(text) = value {
            text.retain(|character| !matches!(character, '\r' | '\n'));
            if let Some(canonical) = without_spare_bits(text) {
                *text = canonical;
            }
        }
    }
}

fn without_spare_bits(text: &str) -> Option<String> {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (data, padding) = text.split_at_checked(text.trim_end_matches('=').len())?;
    let spare_bits = match padding.len() {
        1 => 2,
        2 => 4,
        _ => return None,
    };
    let (before, last) = data.split_at_checked(data.len().checked_sub(1)?)?;
    let value = LETTERS.find(last)?;
    let letter = LETTERS.get(value >> spare_bits << spare_bits..)?.chars().next()?;
    Some(format!("{before}{letter}{padding}"))
}

/// The object that these fields would be, where they say so.
fn named(kind: ObjectKind, fields: &Map<String, Value>, namespace: &str) -> Option<ObjectKey> {
    let metadata = fields.get("metadata")?;
    let text = |name| metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let namespace = if namespace.is_empty() { "" } else { text("namespace").unwrap_or(namespace) };
    Some(ObjectKey { kind, name: ObjectName::new(namespace, text("name")?) })
}

/// The command that tells which fields there are on the way to one.
pub(super) fn explain(kind: ObjectKind, way: &[FieldWay]) -> String {
    let names = way.iter().map_while(|step| match step {
        FieldWay::Known(name) => Some(Some(*name)),
        FieldWay::Index(_) => Some(None),
        FieldWay::Key(_) => None,
    });
    let resource = format!("{kind:?}").to_lowercase();
    let field = names.flatten().fold(resource, |field, name| format!("{field}.{name}"));
    format!("See `kubectl explain {field}`.")
}

/// Whether that is the API group of one of our kinds, now or formerly, in whatever version.
fn is_old_version(api_version: &str) -> bool {
    let group = api_version.split_once('/').map(|(group, _)| group);
    matches!(group, Some("networking.k8s.io" | "discovery.k8s.io" | "extensions"))
}

/// The steps through lists to an object.
pub(super) fn way_to<'a>(items: &[usize]) -> impl Iterator<Item = Step<'a>> {
    items.iter().flat_map(|index| [Step::Key("items"), Step::Index(*index)])
}

fn field_step(step: &FieldWay) -> Step<'_> {
    match step {
        FieldWay::Known(name) => Step::Key(name),
        FieldWay::Key(key) => Step::Key(key),
        FieldWay::Index(index) => Step::Index(*index),
    }
}

fn way_step(step: &WayStep) -> Step<'_> {
    match step {
        WayStep::Key(key) => Step::Key(key),
        WayStep::Index(index) => Step::Index(*index),
    }
}

#[cfg(test)]
mod tests;
