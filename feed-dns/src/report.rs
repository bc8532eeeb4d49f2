//! What operators see: health, metrics, `/status` and the log.

use std::sync::{Arc, Mutex, PoisonError};

use feed_reconcile::diagnostic::{Diagnostic, Diagnostics};
use feed_reconcile::dns::{HeldBackReason, HostedZone, NameChange, ZoneRecords, Zones};
use feed_supervisor::runtime::VERSION;
use feed_supervisor::runtime::aws::CallError;
use feed_supervisor::runtime::health::{Condition, Health};
use serde_json::{Value, json};
use tracing::{debug, error, info, warn};

use crate::endpoints::LoadBalancers;
use crate::keeper::{Decision, Failure, Keeper, Outcome};
use crate::metrics::{ByZone, DnsMetrics};
use crate::plan::{diagnostic_json, explain};
use crate::zone::Zone;

/// Shows what happens; clones show it in the same places.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// For `/health` and `/readiness`.
    pub health: Health,
    /// For `/metrics`.
    pub metrics: DnsMetrics,
    state: Arc<Mutex<State>>,
}

/// What `/status` shows, and what is only logged when it changes.
#[derive(Debug, Default)]
struct State {
    acts: bool,
    pass: Value,
    problems: Diagnostics,
    held_back: Option<String>,
    load_balancers: Vec<String>,
}

impl Reporter {
    /// Nothing has happened yet: not ready.
    pub fn new(health: Health, metrics: DnsMetrics) -> Self {
        let opening = "The hosted zones have not been opened yet.";
        health.report(ROUTE53, Condition::NotReady(opening.to_owned()));
        Self { health, metrics, state: Arc::default() }
    }

    /// The zones are known: ready, if only to take over from another replica.
    pub fn opened(&self, zones: &Zones) {
        zones.iter().for_each(|zone| self.metrics.zone(zone.name.as_str()));
        self.metrics.skipped(&ByZone::from([(String::new(), 0)]));
        self.health.report(ROUTE53, Condition::Good);
    }

    /// The zones cannot be opened: they are tried again.
    pub fn not_opened(&self, error: &CallError) {
        warn!(%error, "Cannot open a hosted zone; trying again.");
        self.health.report(ROUTE53, Condition::Down(format!("A hosted zone cannot be opened: {error}")));
    }

    /// This replica acts from now on, or does not.
    pub fn acts(&self, acts: bool) {
        self.metrics.lease_held(acts);
        self.with(|state| state.acts = acts);
        if acts {
            self.health
                .report(ROUTE53, Condition::NotReady("The zones have not been listed yet.".to_owned()));
        } else {
            // What is wrong is now for another replica to say.
            for part in [ROUTE53, GUARD, BALANCERS] {
                self.health.report(part, Condition::Good);
            }
        }
    }

    /// Listings and searches that failed: in the log and counted.
    pub fn failures(&self, failures: &[Failure], zones: &Zones) {
        for Failure { zone, error } in failures {
            error!(%error, "A call to AWS failed; trying again.");
            if let Some(zone) = zone.as_ref().and_then(|id| zones.get(id)) {
                self.metrics.failed(zone.name.as_str(), 1);
            }
        }
    }

    /// What became of changes: in the log and counted.
    pub fn outcomes(&self, outcomes: &[Outcome]) {
        for Outcome { zone, applied } in outcomes {
            let record_sets = applied.accepted.iter().map(|change| change.changes.len()).sum();
            self.metrics.updated(zone.name.as_str(), record_sets);
            if record_sets > 0 {
                info!(zone = %zone.name, zone_id = %zone.id, record_sets, "Changed records.");
            }
            for NameChange { name, ingress, changes } in &applied.accepted {
                debug!(zone_id = %zone.id, %name, ?ingress, ?changes, "Changed.");
            }
            for (NameChange { name, .. }, reason) in &applied.refused {
                error!(zone = %zone.name, zone_id = %zone.id, %name, reason, "A change was refused.");
            }
            if let Some(error) = &applied.failure {
                error!(zone = %zone.name, zone_id = %zone.id, %error, "Changing records failed; trying again.");
            }
            let failures = applied.refused.len() + usize::from(applied.failure.is_some());
            self.metrics.failed(zone.name.as_str(), failures);
        }
    }

    /// What was decided, and what is known: everywhere.
    pub fn decision<Z: Zone, L: LoadBalancers>(
        &self,
        keeper: &Keeper<Z, L>,
        decision: &Decision,
        source: &Diagnostics,
    ) {
        let ours = decision.diagnostics.iter().chain(decision.problems.iter().map(|it| &it.diagnostic));
        let diagnostics: Diagnostics = source.iter().chain(ours).cloned().collect();
        self.metrics.diagnostics(&diagnostics);
        self.count(keeper, decision);
        let held_back = self.guard(keeper, decision);
        let load_balancers = keeper.endpoints().map_or(Vec::new(), |(_, problems)| problems.clone());
        self.load_balancers(&load_balancers);
        let troubles: Vec<String> = keeper.troubles().map(ToString::to_string).collect();
        self.condition(ROUTE53, &troubles);
        let pass = status(keeper, decision, &diagnostics, held_back.as_deref(), &troubles);
        self.with(|state| {
            log_new(&state.problems, &diagnostics);
            (state.problems, state.pass) = (diagnostics, pass);
        });
    }

    fn count<Z: Zone, L: LoadBalancers>(&self, keeper: &Keeper<Z, L>, decision: &Decision) {
        let name = |zone: &HostedZone| zone.name.to_string();
        let (mut records, mut owned, mut held_back) = (ByZone::new(), ByZone::new(), ByZone::new());
        let mut skipped = ByZone::from([(String::new(), 0)]);
        for zone in keeper.zones().iter() {
            if let Some(known) = keeper.records(&zone.id) {
                *records.entry(name(zone)).or_default() += known.len();
                *owned.entry(name(zone)).or_default() += decision.plan.owned.get(&zone.id).unwrap_or(&0);
            }
            let held = decision.plan.held_back.as_ref().and_then(|held_back| held_back.zones.get(&zone.id));
            *held_back.entry(name(zone)).or_default() +=
                held.into_iter().flatten().map(|change| change.changes.len()).sum::<usize>();
            skipped.entry(name(zone)).or_default();
        }
        for problem in &decision.problems {
            let zone = problem.zone.as_ref().and_then(|id| keeper.zones().get(id));
            *skipped.entry(zone.map_or(String::new(), name)).or_default() += 1;
        }
        self.metrics.records(&records, &owned);
        self.metrics.held_back(&held_back);
        self.metrics.skipped(&skipped);
    }

    /// Says once what is held back; too many deletions need somebody's decision.
    fn guard<Z: Zone, L: LoadBalancers>(&self, keeper: &Keeper<Z, L>, decision: &Decision) -> Option<String> {
        let held_back = decision.plan.held_back.as_ref();
        let text = held_back.map(|it| explain(it, keeper.policy().max_deletion_percent));
        let news = self.with(|state| std::mem::replace(&mut state.held_back, text.clone()) != text);
        match (held_back.map(|it| it.reason), &text) {
            (Some(HeldBackReason::TooMany), Some(text)) => {
                self.health.report(GUARD, Condition::Unhealthy(text.clone()));
            }
            _ => self.health.report(GUARD, Condition::Good),
        }
        if let (true, Some(text)) = (news, &text) {
            warn!(reason = text, "Deletions are held back.");
        }
        text
    }

    fn load_balancers(&self, problems: &[String]) {
        self.condition(BALANCERS, problems);
        let before = self.with(|state| std::mem::replace(&mut state.load_balancers, problems.to_vec()));
        for problem in problems.iter().filter(|problem| !before.contains(problem)) {
            warn!(problem, "A load balancer is not as it should be.");
        }
    }

    fn condition(&self, part: &'static str, problems: &[String]) {
        let condition =
            if problems.is_empty() { Condition::Good } else { Condition::Unhealthy(problems.join("; ")) };
        self.health.report(part, condition);
    }

    /// What `/status` shows; the cluster's state is so old, in seconds, if it is known.
    pub fn status(&self, cluster_state_age: Option<f64>) -> Value {
        self.with(|state| {
            let mut status = json!({
                "version": VERSION,
                "acts": state.acts,
                "unhealthy": self.health.unhealthy(),
                "not_ready": self.health.not_ready(),
                "cluster_state_age_seconds": cluster_state_age,
            });
            if let (Value::Object(status), Value::Object(pass)) = (&mut status, &state.pass) {
                status.extend(pass.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            status
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const ROUTE53: &str = "route53";
const GUARD: &str = "guard";
const BALANCERS: &str = "load balancers";

/// Logs the problems that were not there before.
fn log_new(before: &Diagnostics, now: &Diagnostics) {
    for Diagnostic { object, field, code, message, help, .. } in now.difference(before) {
        let help = help.as_deref().unwrap_or_default();
        warn!(%code, %object, %field, help, "{message}");
    }
}

fn status<Z: Zone, L: LoadBalancers>(
    keeper: &Keeper<Z, L>,
    decision: &Decision,
    diagnostics: &Diagnostics,
    held_back: Option<&str>,
    troubles: &[String],
) -> Value {
    let pending = |zone: &HostedZone| {
        let changes = decision.plan.zones.get(&zone.id).into_iter().flatten();
        changes.map(|change| change.changes.len()).sum::<usize>()
    };
    let zones = keeper.zones().iter().map(|zone| {
        json!({
            "id": zone.id,
            "name": zone.name.as_str(),
            "visibility": zone.visibility,
            "records": keeper.records(&zone.id).map(ZoneRecords::len),
            "owned_records": decision.plan.owned.get(&zone.id),
            "pending_changes": pending(zone),
        })
    });
    let endpoints = keeper.endpoints().into_iter().flat_map(|(endpoints, _)| endpoints.iter());
    json!({
        "zones": zones.collect::<Vec<_>>(),
        "endpoints": endpoints
            .map(|(scheme, endpoint)| json!({ "scheme": scheme.as_str(), "name": endpoint.dns_name.as_str() }))
            .collect::<Vec<_>>(),
        "held_back": held_back,
        "failures": troubles,
        "diagnostics": diagnostics.iter().map(diagnostic_json).collect::<Vec<_>>(),
    })
}
