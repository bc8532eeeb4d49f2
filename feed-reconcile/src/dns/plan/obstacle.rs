//! Why a name cannot lead where it should, told to the author of its Ingress.

use crate::diagnostic::{Code, Diagnostic, Field};
use crate::dns::desired::DesiredName;
use crate::dns::endpoint::Endpoint;
use crate::dns::name::RecordName;
use crate::dns::zone::{HostedZone, Zones};
use crate::key::ObjectKey;

/// Why a name cannot lead where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// A record set with this routing policy holds the name.
    RoutingPolicy(String),
    /// A CNAME would stand at the zone's own name.
    Apex,
    /// A CNAME would stand beside a record set of this type.
    OtherType(String),
    /// One of our endpoints is reached by this name.
    Reserved,
    /// Other name servers are asked for the names from this one on.
    Delegated(RecordName),
    /// A record belongs to this owner.
    Another(String),
    /// A record belongs to no owner.
    Nobody,
    /// The registry's entry cannot be written, as this name holds something else.
    Entry(RecordName),
}

impl Obstacle {
    pub(super) fn diagnostic(
        &self,
        name: &RecordName,
        wanted: &DesiredName,
        zone: &HostedZone,
        zones: &Zones,
    ) -> Diagnostic {
        let target = wanted.endpoint.as_deref().map_or("", |endpoint: &Endpoint| endpoint.dns_name.as_str());
        let (code, reason, help) = self.parts();
        let place = if zones.has_twin(zone) { format!(" in zone {}", zone.label()) } else { String::new() };
        Diagnostic {
            object: ObjectKey::ingress(&wanted.ingress),
            field: Field::of(&["spec", "rules"]),
            code,
            message: format!("`{name}` does not lead to {target}{place}, since {reason}."),
            help: Some(help.to_owned()),
            related: None,
        }
    }

    /// The code, the reason as part of a sentence, and what to do.
    fn parts(&self) -> (Code, String, &'static str) {
        match self {
            Self::RoutingPolicy(policy) => (
                Code::RoutingPolicyInTheWay,
                format!("it has a record with a routing policy ({policy}), which is not ours to change"),
                "Delete that record, or point it to the load balancer yourself.",
            ),
            Self::Apex => (
                Code::CnameNotPossible,
                "it is the zone's own name, which cannot be a CNAME".to_owned(),
                "Use a host below it, or load balancers that are found by tag, which get an ALIAS.",
            ),
            Self::OtherType(other) => (
                Code::CnameNotPossible,
                format!("it has a {other} record, and a CNAME cannot stand beside another type"),
                "Delete that record, or use load balancers that are found by tag, which get an ALIAS.",
            ),
            Self::Reserved => (
                Code::ReservedHost,
                "it is a load balancer's own name, or one that the load balancer is reached through"
                    .to_owned(),
                "Choose another host.",
            ),
            Self::Delegated(cut) => (
                Code::DelegatedHost,
                format!(
                    "the zone delegates `{cut}` to other name servers, so that nobody would see a record here"
                ),
                "Give the delegated zone with `--r53-hosted-zone`, remove the delegation, or choose another host.",
            ),
            Self::Another(owner) => (
                Code::RecordOfAnother,
                format!("its record belongs to another owner ({owner})"),
                "Remove the host from one of the two, or delete the record and its TXT entry.",
            ),
            Self::Nobody => (
                Code::RecordOfAnother,
                "it has a record without an owner, which is left alone with --owner-id".to_owned(),
                "Delete the record; it is then made with its TXT entry.",
            ),
            Self::Entry(entry) => (
                Code::RecordOfAnother,
                format!(
                    "the TXT entry that names its owner cannot be written: `{entry}` holds another record"
                ),
                "Delete that record, or choose another host.",
            ),
        }
    }
}
