//! What operators see: health, metrics, `/status` and the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use feed_reconcile::diagnostic::{Diagnostic, Diagnostics};
use feed_reconcile::dns::keeper::{Keeper, News, Stage, ZoneView};
use feed_reconcile::dns::{HeldBackReason, HostedZone, ZoneId, Zones};
use feed_supervisor::runtime::VERSION;
use feed_supervisor::runtime::health::{Condition, Health};
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::metrics::{ByZone, DnsMetrics};
use crate::plan::{diagnostic_json, explain};

mod changes;
mod zones;

/// Shows what happens; clones show it in the same places.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// For `/health` and `/readiness`.
    pub health: Health,
    /// For `/metrics`.
    pub metrics: DnsMetrics,
    memory: Arc<Mutex<Memory>>,
}

/// All that is to be shown.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// What is known, and what is done about it.
    pub keeper: &'a Keeper,
    /// The time, as the keeper has it.
    pub now: Duration,
    /// What is wrong with where the Ingresses come from.
    pub source: &'a Diagnostics,
    /// What is wrong with the Ingresses themselves.
    pub ingresses: &'a Diagnostics,
}

/// What `/status` shows, and what is only logged when it changes.
#[derive(Debug, Default)]
struct Memory {
    acts: bool,
    shown: Value,
    problems: Diagnostics,
    held_back: Option<String>,
    load_balancers: Vec<String>,
    troubles: Vec<String>,
    twins: Vec<String>,
}

impl Reporter {
    /// Nothing has happened yet: ready to take over from another replica.
    pub fn new(health: Health, metrics: DnsMetrics) -> Self {
        metrics.skipped(&ByZone::from([(String::new(), 0)]));
        health.report(ROUTE53, Condition::NotReady("It is not known yet which replica acts.".to_owned()));
        Self { health, metrics, memory: Arc::default() }
    }

    /// This replica acts from now on, or does not.
    pub fn acts(&self, acts: bool) {
        self.metrics.lease_held(acts);
        self.with(|memory| memory.acts = acts);
        if acts {
            self.health.report(ROUTE53, Condition::NotReady(NOT_READ.to_owned()));
        } else {
            self.stands_by();
        }
    }

    /// Another replica acts: what is wrong is for that one to say.
    pub fn stands_by(&self) {
        for part in [ROUTE53, GUARD, BALANCERS] {
            self.health.report(part, Condition::Good);
            self.health.warn(part, Vec::new());
        }
    }

    /// What has happened: in the log and counted.
    pub fn news(&self, news: Vec<News>, zones: &Zones) {
        let name = |zone: &HostedZone| zone.name.to_string();
        for news in news {
            match news {
                News::Changed(zone, lines) => {
                    self.metrics.updated(&name(&zone), lines.len());
                    changes::log(&zone, &lines);
                }
                News::Refused(zone, lines, reason) => {
                    self.metrics.failed(&name(&zone), 1);
                    changes::log_refused(&zone, &lines, &reason);
                }
                News::Denied(zone, reason) => {
                    self.metrics.failed(&name(&zone), 1);
                    error!(zone = %zone.name, zone_id = %zone.id, reason, "All changes of the zone are refused.");
                }
                News::Failed(None, error) => {
                    error!(error, "Load balancers cannot be looked for; trying again.");
                }
                News::Failed(Some(id), error) => {
                    let zone = zones.get(&id);
                    self.metrics.failed(&zone.map(name).unwrap_or_default(), 1);
                    let zone = zone.map(|zone| zone.name.as_str());
                    error!(zone, zone_id = %id, error, "A call to Route 53 failed; trying again.");
                }
                News::Unknown(zone, reason) => {
                    warn!(
                        zone = %zone.name, zone_id = %zone.id, reason,
                        "A change was refused whose first try was not answered; listing the zone to see what was made."
                    );
                }
                News::Contested(zone, names) => {
                    warn!(
                        zone = %zone.name, zone_id = %zone.id, names = names.join(" "),
                        "Another writer changes these records back each time: they are left alone."
                    );
                }
            }
        }
    }

    /// What is known, everywhere.
    pub fn state(&self, state: &State<'_>) {
        let State { keeper, now, source, ingresses } = *state;
        let problems = keeper.problems(now);
        let ours = ingresses.iter().chain(problems.iter().map(|it| &it.diagnostic));
        let diagnostics: Diagnostics = source.iter().chain(ours).cloned().collect();
        self.metrics.diagnostics(&diagnostics);
        let views: Vec<ZoneView<'_>> = keeper.zones(now).collect();
        let of_zones = problems.iter().map(|problem| problem.zone.as_ref());
        self.count(keeper, &views, of_zones);
        let held_back = self.guard(keeper);
        let (missing, warnings) = keeper.balancer_problems(now);
        self.load_balancers(&missing, &warnings);
        let troubles = self.zones(keeper, &views);
        let twins = zones::twins(keeper.hosted());
        self.health.warn(ROUTE53, twins.clone());
        let before = self.with(|memory| std::mem::replace(&mut memory.twins, twins.clone()));
        for twins in twins.iter().filter(|it| !before.contains(it)) {
            warn!("{twins}");
        }
        let shown = json!({
            "zones": views.iter().map(zones::json).collect::<Vec<_>>(),
            "endpoints": keeper.endpoints().iter()
                .map(|(scheme, it)| json!({ "scheme": scheme.as_str(), "name": it.dns_name.as_str() }))
                .collect::<Vec<_>>(),
            "load_balancers": missing.iter().chain(&warnings).collect::<Vec<_>>(),
            "held_back": held_back,
            "failures": troubles,
            "warnings": twins,
            "diagnostics": diagnostics.iter().map(diagnostic_json).collect::<Vec<_>>(),
        });
        self.with(|memory| {
            log_new(&memory.problems, &diagnostics);
            (memory.problems, memory.shown) = (diagnostics, shown);
        });
    }

    /// How the zones are: for health and readiness.
    fn zones(&self, keeper: &Keeper, views: &[ZoneView<'_>]) -> Vec<String> {
        let troubles: Vec<String> = views.iter().flat_map(zones::troubles).collect();
        let is_read = |view: &ZoneView<'_>| matches!(view.stage, Stage::Read | Stage::Behind);
        let none_is_read = !views.iter().any(is_read);
        let condition = match (none_is_read, troubles.is_empty()) {
            (true, true) => Condition::NotReady(NOT_READ.to_owned()),
            (true, false) => Condition::Down(troubles.join("\n")),
            (false, false) => Condition::Unhealthy(troubles.join("\n")),
            (false, true) if !keeper.knows_endpoints() => {
                Condition::NotReady("Load balancers have not been found yet.".to_owned())
            }
            (false, true) => Condition::Good,
        };
        self.health.report(ROUTE53, condition);
        let before = self.with(|memory| std::mem::replace(&mut memory.troubles, troubles.clone()));
        let behind = views.iter().filter(|view| zones::is_behind(view)).map(zones::label);
        for zone in behind.filter(|zone| !before.iter().any(|it| it.contains(zone.as_str()))) {
            warn!(zone, "The zone has not been as it should be for a minute.");
        }
        troubles
    }

    fn count<'a>(
        &self,
        keeper: &Keeper,
        views: &[ZoneView<'_>],
        problems: impl Iterator<Item = Option<&'a ZoneId>>,
    ) {
        let (mut records, mut owned, mut held_back) = (ByZone::new(), ByZone::new(), ByZone::new());
        let mut skipped = ByZone::from([(String::new(), 0)]);
        for view in views {
            let Some(hosted) = view.hosted else { continue };
            let name = hosted.name.to_string();
            if let Some(known) = view.records {
                *records.entry(name.clone()).or_default() += known;
                *owned.entry(name.clone()).or_default() += view.owned.unwrap_or_default();
            }
            let held = keeper.held_back().and_then(|held_back| held_back.zones.get(view.id));
            *held_back.entry(name.clone()).or_default() +=
                held.into_iter().flatten().map(|change| change.changes.len()).sum::<usize>();
            skipped.entry(name.clone()).or_default();
            self.metrics.zone(&name);
        }
        for zone in problems {
            let zone = zone.and_then(|id| keeper.hosted().get(id));
            *skipped.entry(zone.map_or(String::new(), |zone| zone.name.to_string())).or_default() += 1;
        }
        self.metrics.records(&records, &owned);
        self.metrics.held_back(&held_back);
        self.metrics.skipped(&skipped);
        self.metrics.zones(views);
    }

    /// Says once what is held back; too many deletions need somebody's decision.
    fn guard(&self, keeper: &Keeper) -> Option<String> {
        let held_back = keeper.held_back();
        let text = held_back.map(|it| explain(it, keeper.max_deletion_percent(), keeper.hosted()));
        let news = self.with(|memory| std::mem::replace(&mut memory.held_back, text.clone()) != text);
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

    fn load_balancers(&self, missing: &[String], warnings: &[String]) {
        let condition =
            if missing.is_empty() { Condition::Good } else { Condition::Unhealthy(missing.join("; ")) };
        self.health.report(BALANCERS, condition);
        self.health.warn(BALANCERS, warnings.to_vec());
        let now: Vec<String> = missing.iter().chain(warnings).cloned().collect();
        let before = self.with(|memory| std::mem::replace(&mut memory.load_balancers, now.clone()));
        for problem in now.iter().filter(|problem| !before.contains(problem)) {
            warn!(problem, "A load balancer is not as it should be.");
        }
    }

    /// What `/status` shows; the cluster's state is so old, in seconds, if it is known.
    pub fn status(&self, cluster_state_age: Option<f64>) -> Value {
        self.with(|memory| {
            let mut status = json!({
                "version": VERSION,
                "acts": memory.acts,
                "unhealthy": self.health.unhealthy(),
                "not_ready": self.health.not_ready(),
                "cluster_state_age_seconds": cluster_state_age,
            });
            if let (Value::Object(status), Value::Object(shown)) = (&mut status, &memory.shown) {
                status.extend(shown.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            status
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Memory) -> T) -> T {
        f(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const ROUTE53: &str = "route53";
const GUARD: &str = "guard";
const BALANCERS: &str = "load balancers";

const NOT_READ: &str = "The zones have not been read yet.";

/// Logs the problems that were not there before.
fn log_new(before: &Diagnostics, now: &Diagnostics) {
    for Diagnostic { object, field, code, message, help, .. } in now.difference(before) {
        let help = help.as_deref().unwrap_or_default();
        warn!(%code, %object, %field, help, "{message}");
    }
}
