//! The adopted Ingresses in brief: hosts and load balancer, without looking up what they refer to.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{Ingress, IngressRule};

use crate::adopt;
use crate::annotation;
use crate::desired::IngressSummary;
use crate::diagnostic::{Code, Diagnostics};
use crate::host::{Host, InvalidHost};
use crate::key::{ObjectKey, ObjectName};
use crate::options::Adoption;
use crate::place;
use crate::report::{Quoted, Report};
use crate::snapshot::ClusterSnapshot;

/// The adopted Ingresses, and what is wrong with their hosts and schemes.
///
/// Reads Ingresses, `IngressClass`es and Namespaces only; nothing is said of routes, so their number is 0.
pub fn summaries(
    snapshot: &ClusterSnapshot,
    adoption: &Adoption,
) -> (BTreeMap<ObjectName, IngressSummary>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let adopted =
        snapshot.ingresses.iter().filter(|(_, ingress)| adopt::is_adopted(ingress, snapshot, adoption));
    let summaries = adopted
        .map(|(name, ingress)| {
            let mut report = Report::new(ObjectKey::ingress(name));
            let summary = summarise(ingress, &mut report);
            diagnostics.extend(report.into_diagnostics());
            (name.clone(), summary)
        })
        .collect();
    (summaries, diagnostics)
}

fn summarise(ingress: &Ingress, report: &mut Report) -> IngressSummary {
    let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.as_deref()).unwrap_or_default();
    let hosts = rules.iter().enumerate().filter_map(|(index, rule)| rule_host(index, rule, report).ok()?);
    let mut hosts: Vec<Host> = hosts.collect();
    hosts.sort_unstable();
    hosts.dedup();
    IngressSummary {
        scheme: annotation::frontend_scheme(ingress.metadata.annotations.as_ref(), report),
        hosts,
        routes: 0,
        created: ingress.metadata.creation_timestamp.as_ref().map(|time| time.0.as_nanosecond()),
    }
}

/// A rule's host, `None` for a rule without one; what is no host is reported.
pub(crate) fn rule_host(
    index: usize,
    rule: &IngressRule,
    report: &mut Report,
) -> Result<Option<Host>, InvalidHost> {
    let text = rule.host.as_deref().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    Host::new(text).map(Some).inspect_err(|reason| {
        report.add(
            Code::InvalidHost,
            place::rule_field(index).name("host"),
            format!("{} {reason}, so the rule is ignored.", Quoted(text)),
            "Write a host name such as `www.example.com`, or `*.example.com`.",
        );
    })
}

#[cfg(test)]
mod tests;
