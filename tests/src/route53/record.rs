//! A record set as Route 53 keeps it.

use std::fmt;

/// A record set. Equal ones say the same in the same words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Lower case, escaped, with a last dot.
    pub name: String,
    /// `A`, `CNAME`, …
    pub kind: String,
    /// What distinguishes it from others of its name and type: `SetIdentifier`.
    pub set_identifier: Option<String>,
    /// Elements of the routing policy, as XML.
    pub routing: String,
    /// What it says.
    pub data: Data,
}

/// What a record set says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Values, with their time to live in seconds.
    Values(u64, Vec<String>),
    /// The target's zone and name, and whether its health counts.
    Alias(String, String, bool),
}

impl Record {
    /// A record set with values.
    pub fn values(kind: &str, name: &str, values: &[&str]) -> Self {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Self::new(kind, name, Data::Values(300, values))
    }

    /// An alias to a name in the zone `ZLB`.
    pub fn alias(kind: &str, name: &str, target: &str) -> Self {
        Self::new(kind, name, Data::Alias("ZLB".to_owned(), target.to_owned(), false))
    }

    pub(super) fn new(kind: &str, name: &str, data: Data) -> Self {
        let data = match data {
            Data::Alias(zone, target, health) => Data::Alias(zone, stored_name(&target), health),
            values @ Data::Values(..) => values,
        };
        let (name, kind) = (stored_name(name), kind.to_owned());
        Self { name, kind, set_identifier: None, routing: String::new(), data }
    }

    /// Gives it a routing policy: `<Weight>1</Weight>`.
    #[must_use]
    pub fn routed(mut self, set_identifier: &str, routing: &str) -> Self {
        self.set_identifier = Some(set_identifier.to_owned());
        routing.clone_into(&mut self.routing);
        self
    }

    /// In the order of a listing: by the labels from the right, then by type.
    pub(super) fn key(&self) -> (Vec<String>, String, Option<String>) {
        (reversed_labels(&self.name), self.kind.clone(), self.set_identifier.clone())
    }
}

pub(super) fn reversed_labels(name: &str) -> Vec<String> {
    name.trim_end_matches('.').rsplit('.').map(str::to_owned).collect()
}

/// A name as Route 53 keeps it: all but letters, digits, `-`, `_` and dots is escaped.
pub(super) fn stored_name(name: &str) -> String {
    let escaped = |character| match character {
        'a'..='z' | '0'..='9' | '-' | '_' | '.' | '\\' => String::from(character),
        other => format!("\\{:03o}", u32::from(other)),
    };
    let stored: Vec<String> = name.trim_end_matches('.').to_lowercase().chars().map(escaped).collect();
    stored.concat() + "."
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)?;
        if let Some(set_identifier) = &self.set_identifier {
            write!(f, " [{set_identifier} {}]", self.routing)?;
        }
        match &self.data {
            Data::Values(ttl, values) => write!(f, " {ttl} {}", values.join(" ")),
            Data::Alias(zone, target, health) => {
                write!(f, " alias {zone} {target}{}", if *health { " with health" } else { "" })
            }
        }
    }
}
