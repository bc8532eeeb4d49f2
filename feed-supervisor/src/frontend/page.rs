//! What operators see of the load balancers: health, metrics, `/status`, and the log.

use std::collections::{BTreeMap, BTreeSet};

use feed_reconcile::desired::Scheme;
use feed_reconcile::membership::{Bond, MemberSituation, Problem, Situation};
use feed_reconcile::options::Endpoint;
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::{info, warn};

use super::Listing;
use crate::metrics::IngressMetrics;
use crate::runtime::health::{Condition, Health};

/// Shows how things stand.
#[derive(Debug)]
pub(super) struct Page {
    kind: &'static str,
    health: Health,
    metrics: IngressMetrics,
    status: watch::Sender<Value>,
    endpoints: watch::Sender<BTreeSet<(Scheme, Endpoint)>>,
    remarks: Vec<String>,
    faults: Vec<String>,
    problems: Vec<String>,
    members: BTreeMap<String, (Bond, Option<String>)>,
}

impl Page {
    pub(super) fn new(
        kind: &'static str,
        health: Health,
        metrics: IngressMetrics,
        status: watch::Sender<Value>,
        endpoints: watch::Sender<BTreeSet<(Scheme, Endpoint)>>,
    ) -> Self {
        let (remarks, faults, problems, members) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self { kind, health, metrics, status, endpoints, remarks, faults, problems, members }
    }

    /// Shows what was found.
    pub(super) fn listing(&mut self, listing: &Listing) {
        warn_of_new(&listing.remarks, &self.remarks);
        self.remarks.clone_from(&listing.remarks);
        warn_of_new(&listing.faults, &self.faults);
        self.faults.clone_from(&listing.faults);
        let faults = listing.faults.join("; ");
        let condition = if faults.is_empty() { Condition::Good } else { Condition::Unhealthy(faults) };
        self.health.report("frontends found", condition);
        self.health.warn("frontends found", listing.remarks.clone());
        self.endpoints.send_if_modified(|known| {
            let mut endpoints = listing.endpoints.clone();
            if listing.incomplete || listing.endpoints_incomplete {
                // What is missing may be there all the same.
                endpoints.extend(known.iter().cloned());
            }
            let is_new = *known != endpoints;
            *known = endpoints;
            is_new
        });
    }

    /// Shows how things stand.
    pub(super) fn situation(&mut self, situation: &Situation<String>) {
        self.metrics.frontends(situation.attached, situation.expected);
        self.health.report("frontends", condition(&situation.problems));
        let warnings = situation.problems.iter().filter(|it| it.is_warning()).map(ToString::to_string);
        self.health.warn("frontends", warnings.collect());
        let (bad, passing): (Vec<_>, Vec<_>) = situation
            .problems
            .iter()
            .filter(|it| !it.is_ordinary())
            .partition(|it| it.is_unhealthy() || it.is_warning());
        let [bad, passing] =
            [bad, passing].map(|them| them.iter().map(ToString::to_string).collect::<Vec<_>>());
        warn_of_new(&bad, &self.problems);
        for sentence in passing.iter().filter(|sentence| !self.problems.contains(sentence)) {
            info!("{sentence}");
        }
        self.problems = bad.into_iter().chain(passing).collect();
        for member in &situation.members {
            self.log(member);
        }
        let endpoints: Vec<Value> = self.endpoints.borrow().iter().map(endpoint).collect();
        self.status.send_replace(json!({
            "kind": self.kind,
            "attached": situation.attached,
            "expected": situation.expected,
            "balancers": situation.members.iter().map(|member| json!({
                "name": member.name,
                "state": member.bond.as_str(),
                "error": member.error,
            })).collect::<Vec<_>>(),
            "endpoints": endpoints,
            "remarks": self.remarks,
            "faults": self.faults,
        }));
    }
}

impl Page {
    /// Logs what is new of a load balancer.
    fn log(&mut self, member: &MemberSituation<String>) {
        let MemberSituation { name, bond, error } = member;
        let known = self.members.insert(name.clone(), (*bond, error.clone()));
        let (known_bond, known_error) = known.unwrap_or((Bond::None, None));
        if known_bond != *bond {
            info!(balancer = name, state = bond.as_str(), "What a load balancer does with us has changed.");
        }
        if let Some(error) = error.as_ref().filter(|_| known_error != *error) {
            warn!(balancer = name, error, "A call to a load balancer has failed, and is made again.");
        }
    }
}

fn warn_of_new(sentences: &[String], known: &[String]) {
    for sentence in sentences.iter().filter(|sentence| !known.contains(sentence)) {
        warn!("{sentence}");
    }
}

fn condition(problems: &[Problem<String>]) -> Condition {
    let sentence = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let takes_readiness = problems.iter().any(Problem::takes_readiness);
    match (takes_readiness, problems.iter().any(Problem::is_unhealthy)) {
        (false, false) => Condition::Good,
        (true, false) => Condition::NotReady(sentence),
        (false, true) => Condition::Unhealthy(sentence),
        (true, true) => Condition::Down(sentence),
    }
}

fn endpoint((scheme, endpoint): &(Scheme, Endpoint)) -> Value {
    let endpoint = match endpoint {
        Endpoint::Ip(address) => address.to_string(),
        Endpoint::Name(host) => host.to_string(),
    };
    json!({ "scheme": scheme.as_str(), "endpoint": endpoint })
}
