//! Record sets, as a hosted zone holds them.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::name::RecordName;

/// The type of a record set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// An IPv4 address, or an alias to one.
    A,
    /// An IPv6 address, or an alias to one.
    Aaaa,
    /// Another name.
    Cname,
    /// Text; of these only the entries of a registry are ever changed.
    Txt,
    /// Any other type: such a record is never changed.
    Other(Arc<str>),
}

impl RecordType {
    /// The type of that name.
    pub fn new(name: &str) -> Self {
        match name {
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "CNAME" => Self::Cname,
            "TXT" => Self::Txt,
            other => Self::Other(other.into()),
        }
    }

    /// The type's name: `AAAA`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Txt => "TXT",
            Self::Other(name) => name,
        }
    }

    /// Whether it says where a host is.
    pub fn is_address(&self) -> bool {
        matches!(self, Self::A | Self::Aaaa | Self::Cname)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How Route 53 chooses between several record sets of one name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Route 53's own names")]
pub enum RoutingPolicy {
    Weighted,
    Latency,
    Failover,
    Geolocation,
    Geoproximity,
    IpBased,
    MultivalueAnswer,
    /// Made by a traffic policy, which alone may change it.
    TrafficPolicy,
    /// Answers depend on a health check, or a policy that came after this program was written.
    Other,
}

impl fmt::Display for RoutingPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weighted => "weighted",
            Self::Latency => "latency",
            Self::Failover => "failover",
            Self::Geolocation => "geolocation",
            Self::Geoproximity => "geoproximity",
            Self::IpBased => "IP-based",
            Self::MultivalueAnswer => "multivalue answer",
            Self::TrafficPolicy => "traffic policy",
            Self::Other => "health check or other",
        })
    }
}

/// What a record set says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordData {
    /// Route 53 answers with what the target has.
    Alias {
        /// The target's name, spelled as Route 53 listed it.
        dns_name: String,
        /// The hosted zone that the target lies in.
        zone_id: String,
        /// Whether the target's health decides if there is an answer.
        evaluate_target_health: bool,
    },
    /// The values themselves.
    Values {
        /// How long answers may be kept, in seconds.
        ttl_seconds: u64,
        /// The values as Route 53 listed them; those of records that are never changed may be left out.
        values: Vec<String>,
    },
}

impl RecordData {
    /// The one name that it points to; none for addresses, and for several values.
    pub fn target(&self) -> Option<RecordName> {
        match self {
            Self::Alias { dns_name, .. } => Some(RecordName::new(dns_name)),
            Self::Values { values, .. } => match values.as_slice() {
                [value] => Some(RecordName::new(value)),
                _ => None,
            },
        }
    }

    /// Whether both say the same: targets compare without case, last dot and `dualstack.`.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let target = |data: &Self| data.target().map(|name| name.without_dualstack());
        match (self, other) {
            (
                Self::Alias { zone_id, evaluate_target_health, .. },
                Self::Alias { zone_id: other_zone_id, evaluate_target_health: other_evaluate, .. },
            ) => {
                zone_id == other_zone_id
                    && evaluate_target_health == other_evaluate
                    && target(self) == target(other)
            }
            (
                Self::Values { ttl_seconds, values },
                Self::Values { ttl_seconds: other_ttl, values: other_values },
            ) => {
                ttl_seconds == other_ttl
                    && (values == other_values || (target(self).is_some() && target(self) == target(other)))
            }
            _ => false,
        }
    }
}

impl fmt::Display for RecordData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias { dns_name, evaluate_target_health, .. } => {
                let health = if *evaluate_target_health { " (evaluates target health)" } else { "" };
                write!(f, "alias {}{health}", RecordName::new(dns_name))
            }
            Self::Values { ttl_seconds, values } => write!(f, "{} (TTL {ttl_seconds} s)", values.join(", ")),
        }
    }
}

/// All that a zone says under one name and type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordSet {
    /// The name.
    pub name: RecordName,
    /// The type.
    pub record_type: RecordType,
    /// What it says.
    pub data: RecordData,
    /// How Route 53 chooses between it and others of its name and type; `None` where it is the only one.
    pub routing: Option<RoutingPolicy>,
}
