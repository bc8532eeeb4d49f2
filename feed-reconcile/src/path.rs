//! Paths of routes.

use std::fmt;
use std::sync::Arc;

/// A path that nginx can match: the decoded form of an Ingress's path, which begins with `/`.
///
/// Ordered as text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePath(Arc<str>);

impl RoutePath {
    /// The path `/`.
    pub fn root() -> Self {
        Self("/".into())
    }

    /// The decoded path, as nginx compares it with a request's.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The number of segments between slashes: 0 for `/`, 2 for `/foo/bar` and `/foo/bar/`.
    pub fn depth(&self) -> usize {
        self.0.split('/').filter(|segment| !segment.is_empty()).count()
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
