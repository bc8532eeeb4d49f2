//! One Ingress, and what it looks up, to routes and diagnostics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec, IngressTLS,
};

use crate::annotation::Annotations;
use crate::backend::{Backends, SliceIndex};
use crate::desired::{Backend, IngressSummary, PathMatch, Route};
use crate::diagnostic::{Code, Diagnostic, Field};
use crate::host::Host;
use crate::key::{ObjectKey, ObjectName};
use crate::options::Options;
use crate::path::{self, PathType, RoutePath};
use crate::place::{self, Place};
use crate::report::{Quoted, Report};
use crate::snapshot::ClusterSnapshot;
use crate::summary;
use crate::tls::{self, TlsClaim};

/// What one Ingress asks for, before conflicts with others are resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// The hosts that it declares, with what it claims of them in the order of the document; a host of which nginx can
    /// match no path has none. `None` stands for the hosts that nobody declares.
    pub(crate) hosts: BTreeMap<Option<Host>, Vec<Claim>>,
    /// The Secrets that it gives its hosts.
    pub(crate) tls: BTreeMap<Host, TlsClaim>,
    /// The Ingress as status and DNS see it; how many of its routes are served is not known yet, and 0.
    pub(crate) summary: IngressSummary,
    /// What is wrong with it.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What it depends on.
    pub(crate) references: References,
}

/// A route that an Ingress claims. One that cannot be served is claimed all the same, and refuses requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The route.
    pub(crate) route: Arc<Route>,
    /// Where it is declared.
    pub(crate) place: Place,
}

impl Claim {
    /// Whether it is a `defaultBackend`'s, which yields to any other route for `/` of the host.
    pub(crate) fn is_default(&self) -> bool {
        self.place == Place::DefaultBackend
    }

    /// The field that declares it.
    pub(crate) fn field(&self) -> Field {
        self.place.field()
    }
}

/// Everything that was looked up, found or not: when one of these changes, the Ingress is compiled again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    /// Services, with their EndpointSlices.
    pub(crate) services: BTreeSet<ObjectName>,
    /// Secrets.
    pub(crate) secrets: BTreeSet<ObjectName>,
}

/// Computes what an adopted Ingress asks for.
pub(crate) fn compile(
    name: &ObjectName,
    ingress: &Ingress,
    snapshot: &ClusterSnapshot,
    slices: &SliceIndex,
    options: &Options,
) -> Compiled {
    let mut report = Report::new(ObjectKey::ingress(name));
    let closed = snapshot.closed.contains(name);
    let annotations =
        Annotations::read(ingress.metadata.annotations.as_ref(), &options.defaults, &mut report);
    let annotations = if closed { annotations.closed(&options.defaults) } else { annotations };
    let backends = Backends {
        namespace: &name.namespace,
        snapshot,
        slices,
        options,
        settings: annotations.upstream,
        rejected: annotations.rejection.is_some(),
    };
    let scheme = annotations.scheme;
    let mut compiler = Compiler {
        name,
        annotations,
        backends,
        report,
        hosts: BTreeMap::new(),
        references: References::default(),
        tls: BTreeMap::new(),
    };
    if let Some(spec) = &ingress.spec {
        compiler.spec(spec);
        // What nginx refuses may be in its certificate, too.
        if let Some(entries) = spec.tls.as_ref().filter(|_| !closed) {
            compiler.tls(entries);
        }
    } else {
        compiler.empty(Field::of(&["spec"]));
    }
    let Compiler { report, hosts, references, tls, .. } = compiler;
    let summary = IngressSummary {
        scheme,
        hosts: hosts.keys().flatten().cloned().collect(),
        routes: 0,
        created: ingress.metadata.creation_timestamp.as_ref().map(|time| time.0.as_nanosecond()),
    };
    Compiled { hosts, tls, summary, diagnostics: report.into_diagnostics(), references }
}

/// One Ingress under way.
struct Compiler<'a> {
    name: &'a ObjectName,
    annotations: Annotations,
    backends: Backends<'a>,
    report: Report,
    hosts: BTreeMap<Option<Host>, Vec<Claim>>,
    references: References,
    tls: BTreeMap<Host, TlsClaim>,
}

impl Compiler<'_> {
    fn spec(&mut self, spec: &IngressSpec) {
        let rules = spec.rules.as_deref().unwrap_or_default();
        if rules.is_empty() && spec.default_backend.is_none() {
            self.empty(Field::of(&["spec"]));
        }
        for (index, rule) in rules.iter().enumerate() {
            self.rule(index, rule, spec.default_backend.is_some());
        }
        if let Some(backend) = &spec.default_backend {
            if rules.is_empty() {
                self.hosts.entry(None).or_default();
            }
            self.default_backend(backend);
        }
    }

    fn rule(&mut self, index: usize, rule: &IngressRule, has_default: bool) {
        let Ok(host) = summary::rule_host(index, rule, &mut self.report) else { return };
        let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
        if paths.is_empty() && !has_default {
            self.empty(place::rule_field(index));
        }
        let routes: Vec<Claim> = paths
            .iter()
            .enumerate()
            .flat_map(|(path_index, path)| self.path(path, Place::Path { rule: index, path: path_index }))
            .collect();
        self.hosts.entry(host).or_default().extend(routes);
    }

    fn path(&mut self, path: &HTTPIngressPath, place: Place) -> Vec<Claim> {
        let path_type = self.path_type(&path.path_type, place);
        let matched = self.matched(path, path_type, place);
        let backend = self.backend(&path.backend, place);
        let backend = match path_type {
            None if backend != Backend::Forbidden => Backend::Unavailable,
            _ => backend,
        };
        let claim = |(path, path_match): (RoutePath, PathMatch)| {
            let strip = self.annotations.strip_path && !path.is_root();
            let (ingress, backend) = (self.name.clone(), backend.clone());
            let settings = Arc::clone(&self.annotations.route);
            Claim { route: Arc::new(Route { ingress, path, path_match, backend, strip, settings }), place }
        };
        matched.into_iter().map(claim).collect()
    }

    /// Where requests for a route go: nowhere, if it cannot be served. It keeps its place then, so that no other route
    /// answers for it.
    fn backend(&mut self, backend: &IngressBackend, place: Place) -> Backend {
        let resolved = self.backends.resolve(backend, place, &mut self.references.services, &mut self.report);
        self.annotations.rejection.clone().or(resolved).unwrap_or(Backend::Unavailable)
    }

    /// What nginx can match for the path. Of a `pathType` that is not known it is all that the path may stand for.
    fn matched(
        &mut self,
        path: &HTTPIngressPath,
        path_type: Option<PathType>,
        place: Place,
    ) -> Vec<(RoutePath, PathMatch)> {
        let text = path.path.as_deref().unwrap_or_default();
        let either = [PathType::Exact, PathType::Prefix];
        let (kinds, exact) = match &path_type {
            Some(path_type) => (std::slice::from_ref(path_type), self.annotations.exact_path),
            None => (either.as_slice(), false),
        };
        let matched: Result<Vec<_>, _> =
            kinds.iter().map(|path_type| path::normalise(text, *path_type, exact)).collect();
        if matched.is_ok() && text.contains('*') {
            self.report.add(
                Code::WildcardInPath,
                place.field().name("path"),
                format!(
                    "{} holds `*`, which stands for itself: nothing else is matched by it.",
                    Quoted(text)
                ),
                "Write `pathType: Prefix` and the path up to the `/*`, if all below it is meant.",
            );
        }
        matched.unwrap_or_else(|reason| {
            self.report.add(
                Code::InvalidPath,
                place.field().name("path"),
                format!("{} {reason}, so the route is not served.", Quoted(text)),
                reason.help(),
            );
            Vec::new()
        })
    }

    fn path_type(&mut self, name: &str, place: Place) -> Option<PathType> {
        let field = || place.field().name("pathType");
        if name.is_empty() {
            let message = "There is no `pathType`, so `ImplementationSpecific` is assumed.";
            self.report.add(Code::MissingPathType, field(), message, PATH_TYPES);
            return Some(PathType::ImplementationSpecific);
        }
        let path_type = PathType::new(name);
        if path_type.is_none() {
            let consequence = self.backends.consequence();
            let message = format!("{} is no `pathType`, so {consequence}.", Quoted(name));
            self.report.add(Code::InvalidPathType, field(), message, PATH_TYPES);
        }
        path_type
    }

    /// Claims what the rules leave over of each host that they name.
    fn default_backend(&mut self, backend: &IngressBackend) {
        let place = Place::DefaultBackend;
        let backend = self.backend(backend, place);
        let claim = Claim {
            route: Arc::new(Route {
                ingress: self.name.clone(),
                path: RoutePath::root(),
                path_match: PathMatch::Prefix,
                backend,
                strip: false,
                settings: Arc::clone(&self.annotations.route),
            }),
            place,
        };
        for claims in self.hosts.values_mut() {
            claims.push(claim.clone());
        }
    }

    fn tls(&mut self, entries: &[IngressTLS]) {
        let (snapshot, report) = (self.backends.snapshot, &mut self.report);
        let hosts: Vec<&Host> = self.hosts.keys().flatten().collect();
        let read = if self.backends.options.tls {
            tls::read(self.name, entries, &hosts, snapshot, report)
        } else {
            tls::look_for(self.name, entries, snapshot, report)
        };
        self.tls = read.claims;
        self.references.secrets = read.secrets;
    }

    fn empty(&mut self, field: Field) {
        let message = "There are neither paths nor a default backend, so nothing is served for it.";
        self.report.add(Code::EmptyRule, field, message, "Add `http.paths`, or a `defaultBackend`.");
    }
}

/// What to do about a `pathType`.
const PATH_TYPES: &str = "Write `Exact`, `Prefix` or `ImplementationSpecific`.";

#[cfg(test)]
mod tests;
