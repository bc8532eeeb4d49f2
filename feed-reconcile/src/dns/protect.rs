//! Names that lead to this controller's own endpoints: what stands there is the operator's.

use std::collections::{BTreeMap, BTreeSet};

use super::endpoint::Endpoints;
use super::name::RecordName;
use super::zone::{HostedZone, ZoneId, ZoneRecords, Zones};

/// The names that must not be touched, as the endpoints would lead nowhere without them, or in a circle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// The endpoints' own names, and those that aliases lead them through: in every zone.
    names: BTreeSet<RecordName>,
    /// Wildcards that stand, or would stand, for one of these names in a zone that does not hold it.
    wildcards: BTreeMap<ZoneId, BTreeSet<RecordName>>,
}

impl Protected {
    /// Follows the endpoints' names through the zones that are known.
    pub fn new(endpoints: &Endpoints, zones: &Zones, records: &BTreeMap<ZoneId, ZoneRecords>) -> Self {
        let mut result = Self::default();
        let mut open: Vec<RecordName> = endpoints.names().cloned().collect();
        while let Some(name) = open.pop() {
            if !result.names.insert(name.clone()) {
                continue;
            }
            for zone in zones.around(&name) {
                let Some(held) = records.get(&zone.id) else { continue };
                let found = if held.at(&name).is_empty() {
                    result.protect_wildcards(&name, zone, held)
                } else {
                    Some(name.clone())
                };
                let here = found.iter().flat_map(|found| held.at(found));
                let addresses = here.filter(|record| record.record_type.is_address());
                open.extend(addresses.filter_map(|record| record.data.target()));
            }
        }
        result
    }

    /// Protects the wildcards that could answer for a name that a zone does not hold; the one that does is returned
    /// (RFC 4592, section 3.3.1).
    fn protect_wildcards(
        &mut self,
        name: &RecordName,
        zone: &HostedZone,
        held: &ZoneRecords,
    ) -> Option<RecordName> {
        let protected = self.wildcards.entry(zone.id.clone()).or_default();
        for ancestor in name.ancestors().skip(1).map(RecordName::new) {
            let wildcard = ancestor.wildcard_below();
            protected.insert(wildcard.clone());
            if !held.at(&wildcard).is_empty() {
                return Some(wildcard);
            }
            if ancestor == zone.name || !held.at(&ancestor).is_empty() {
                return None;
            }
        }
        None
    }

    /// Whether a name of a zone must not be touched.
    pub fn contains(&self, zone: &ZoneId, name: &RecordName) -> bool {
        self.names.contains(&name.without_dualstack())
            || self.names.contains(name)
            || self.wildcards.get(zone).is_some_and(|wildcards| wildcards.contains(name))
    }
}

#[cfg(test)]
mod tests;
