//! By what a line of nginx's log names the route.

use std::fmt;

use crate::desired::{Backend, Route};

/// A route as nginx's locations and log name it: a hash of its path and its backend.
///
/// It depends on nothing else, so that hosts with the same routes still share a `server{}`, and a line that was written
/// under an older configuration still means what it said. Two routes of one host have the same mark only by the doing of
/// whoever declares both, and then count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteMark(u64);

impl RouteMark {
    /// The mark of a route.
    pub fn of(route: &Route) -> Self {
        let hash = fnv1a(FNV_OFFSET, route.path.as_str().as_bytes());
        // A path holds no control character.
        let hash = fnv1a(hash, &[0]);
        Self(match &route.backend {
            Backend::Upstream(upstream) => fnv1a(hash, upstream.name.as_str().as_bytes()),
            Backend::External { host, port, .. } => {
                fnv1a(fnv1a(hash, host.as_str().as_bytes()), &port.to_be_bytes())
            }
            Backend::Unavailable | Backend::Forbidden => hash,
        })
    }

    /// Reads what [`Display`](fmt::Display) writes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u64::from_str_radix(text, 16).ok().map(Self))?
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for RouteMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits.
fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
