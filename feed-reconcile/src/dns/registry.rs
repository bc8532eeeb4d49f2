//! Who owns a record: a TXT record beside it says so, in the format of external-dns's registry.
//!
//! Its name is that of the record with the record's type before it: `a-www.example.com`, `cname-www.example.com`. Older forms
//! are understood too: the plain name, and `cname-` for an ALIAS of type A. At a zone's own name, where a prefix would lead
//! out of the zone, the plain name is the only one possible. The value is
//! `"heritage=external-dns,external-dns/owner=ID,external-dns/resource=ingress/NAMESPACE/NAME"`.

use super::name::RecordName;
use super::record::{RecordData, RecordSet, RecordType};
use super::zone::ZoneRecords;
use crate::key::ObjectName;

/// How long answers from an entry may be kept, in seconds: as external-dns has it.
const TIME_TO_LIVE: u64 = 300;

/// The longest string that a TXT record can hold (RFC 1035, section 3.3); a value may have several.
const LONGEST_STRING: usize = 255;

const HERITAGE: &str = "heritage=external-dns";
const OWNER: &str = "external-dns/owner=";
const RESOURCE: &str = "external-dns/resource=";

/// The name under which a controller owns records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerId(String);

/// A text that cannot be an owner's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 100 letters, digits, `-`, `_`, `.`, `/` or `:`")]
pub struct InvalidOwnerId;

impl OwnerId {
    /// An owner's name: 1 to 100 characters that need no quotes in a TXT record.
    pub fn new(text: &str) -> Result<Self, InvalidOwnerId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
        let valid = (1..=100).contains(&text.len()) && text.bytes().all(plain);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidOwnerId)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry for a record of that name and type in the zone of that name.
    pub fn entry(
        &self,
        name: &RecordName,
        record_type: &RecordType,
        zone: &RecordName,
        ingress: &ObjectName,
    ) -> RecordSet {
        let resource = [&*ingress.namespace, &*ingress.name];
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let text = if resource.iter().all(|part| part.bytes().all(plain)) {
            format!("{HERITAGE},{OWNER}{},{RESOURCE}ingress/{}", self.0, resource.join("/"))
        } else {
            format!("{HERITAGE},{OWNER}{}", self.0)
        };
        RecordSet {
            name: entry_name(name, record_type, zone),
            record_type: RecordType::Txt,
            data: RecordData::Values { ttl_seconds: TIME_TO_LIVE, values: vec![quoted(&text)] },
            routing: None,
        }
    }
}

/// Text as strings in quotes, none longer than a TXT record allows. All of it is ASCII.
fn quoted(text: &str) -> String {
    let strings = text.as_bytes().chunks(LONGEST_STRING).map(String::from_utf8_lossy);
    strings.map(|string| format!("\"{string}\"")).collect::<Vec<_>>().join(" ")
}

/// Where the entry for a record is written.
pub(super) fn entry_name(name: &RecordName, record_type: &RecordType, zone: &RecordName) -> RecordName {
    if name == zone {
        return name.clone();
    }
    name.with_prefix(&format!("{}-", record_type.as_str().to_ascii_lowercase()))
}

/// Where an entry for a record may be found, the most telling place first.
fn entry_names(record: &RecordSet, zone: &RecordName) -> Vec<RecordName> {
    let RecordSet { name, record_type, data, .. } = record;
    let mut names = vec![entry_name(name, record_type, zone)];
    if *record_type == RecordType::A && matches!(data, RecordData::Alias { .. }) && name != zone {
        names.push(name.with_prefix("cname-"));
    }
    if *record_type != RecordType::Aaaa && name != zone {
        names.push(name.clone());
    }
    names
}

/// Who owns a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owned<'a> {
    /// There is no entry.
    Nobody,
    /// We do: with our entries.
    Us(Vec<&'a RecordSet>),
    /// Somebody else does: what the entry says of the owner.
    Another(String),
}

/// Who owns a record of a zone, according to the entries in it.
///
/// What an Ingress did not ask for is not ours, though our name may be on it: external-dns records Services and other
/// objects under the same owner.
pub(super) fn owner<'a>(
    records: &'a ZoneRecords,
    zone: &RecordName,
    record: &RecordSet,
    us: &OwnerId,
) -> Owned<'a> {
    let mut ours = Vec::new();
    for name in entry_names(record, zone) {
        for (entry, text) in records.at(&name).iter().filter_map(|entry| Some((entry, text(entry)?))) {
            let owner = label(&text, OWNER).unwrap_or_default();
            let resource = label(&text, RESOURCE);
            if owner != us.as_str() || !resource.is_none_or(|resource| resource.starts_with("ingress/")) {
                if ours.is_empty() {
                    let of = resource.map(|resource| format!(" for {resource}")).unwrap_or_default();
                    return Owned::Another(format!("{owner}{of}"));
                }
            } else {
                ours.push(entry);
            }
        }
    }
    if ours.is_empty() { Owned::Nobody } else { Owned::Us(ours) }
}

/// The text of a record set that is an entry of the registry.
fn text(entry: &RecordSet) -> Option<String> {
    match &entry.data {
        RecordData::Values { values, .. } if entry.record_type == RecordType::Txt => {
            match values.as_slice() {
                [value] if is_entry(value) => Some(value.replace("\" \"", "").replace('"', "")),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a TXT value is an entry of the registry: others are never changed, and their values need not be kept.
pub fn is_entry(value: &str) -> bool {
    value.trim_start_matches('"').starts_with(HERITAGE)
}

fn label<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(',').find_map(|label| label.strip_prefix(name))
}

#[cfg(test)]
mod tests;
