//! Where in an Ingress a route is declared.

use crate::diagnostic::Field;

/// The place of a route, from which the paths of its fields are made when a diagnostic needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `spec.defaultBackend`.
    DefaultBackend,
    /// `spec.rules[rule].http.paths[path]`.
    Path {
        /// Index of the rule.
        rule: usize,
        /// Index of the path in the rule.
        path: usize,
    },
}

impl Place {
    /// The field that declares the route.
    pub(crate) fn field(self) -> Field {
        match self {
            Self::DefaultBackend => Field::of(&["spec", "defaultBackend"]),
            Self::Path { rule, path } => rule_field(rule).name("http").name("paths").index(path),
        }
    }

    /// The field of the route's backend.
    pub(crate) fn backend(self) -> Field {
        match self {
            Self::DefaultBackend => self.field(),
            Self::Path { .. } => self.field().name("backend"),
        }
    }
}

/// The field of a rule.
pub(crate) fn rule_field(rule: usize) -> Field {
    Field::of(&["spec", "rules"]).index(rule)
}
