//! Names of records and zones.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::host::Host;

/// A DNS name in the one form in which names are compared: lower case, without the last dot, `*` for `\052`.
///
/// Route 53 escapes all but letters, digits, `-` and `_` as three octal digits, and gives names back with a last
/// dot. Escapes other than the asterisk's are left alone. Ordered as text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName(Arc<str>);

impl RecordName {
    /// The name in any spelling. What Route 53 lists is always a name, so nothing is refused.
    pub fn new(text: &str) -> Self {
        let text = text.strip_suffix('.').unwrap_or(text);
        Self(text.to_ascii_lowercase().replace(r"\052", "*").into())
    }

    /// The name: lower case, no last dot, `*` unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the name of the zone or a name below it.
    pub fn is_in(&self, zone: &Self) -> bool {
        self.0.strip_suffix(&*zone.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The name itself and every shorter name above it: `a.b.c`, `b.c`, `c`.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |name| name.split_once('.').map(|(_, parent)| parent))
    }

    /// The wildcard that stands beside the names directly below this one: `*.example.com` of `example.com`.
    #[must_use]
    pub fn wildcard_below(&self) -> Self {
        Self(format!("*.{}", self.0).into())
    }

    /// The name with text put before its first label: `a-www.example.com`.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Self {
        Self(format!("{prefix}{}", self.0).into())
    }

    /// The name of what it points to, for comparison: `dualstack.` before a load balancer's name changes nothing.
    #[must_use]
    pub fn without_dualstack(&self) -> Self {
        self.0.strip_prefix("dualstack.").map_or_else(|| self.clone(), |name| Self(name.into()))
    }
}

impl From<&Host> for RecordName {
    fn from(host: &Host) -> Self {
        Self(host.as_str().into())
    }
}

impl Borrow<str> for RecordName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
