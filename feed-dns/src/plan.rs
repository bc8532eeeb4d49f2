//! `plan`: what would be changed, told without changing it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use feed_reconcile::diagnostic::{Diagnostic, Diagnostics, Severity};
use feed_reconcile::dns::keeper::Keeper;
use feed_reconcile::dns::{
    Action, Change, HeldBack, HeldBackReason, HostedZone, NameChange, Plan, RecordData, RecordName,
    Visibility, ZoneId, Zones,
};
use feed_reconcile::key::ObjectKey;
use serde_json::{Value, json};

use crate::config::PlanOutput;

mod table;

/// What a plan is about, ready to be printed.
#[derive(Debug)]
pub struct Report<'a> {
    keeper: &'a Keeper,
    plan: Plan,
    /// What is wrong with where the Ingresses come from.
    source: &'a Diagnostics,
    /// What is wrong with the Ingresses themselves.
    ingresses: &'a Diagnostics,
    /// What is wrong with the load balancers: sentences.
    load_balancers: Vec<String>,
    /// What could not be looked at: sentences.
    failures: Vec<String>,
}

/// One record set that would be changed.
struct Row<'a> {
    zone: &'a HostedZone,
    has_twin: bool,
    change: &'a NameChange,
    name: &'a RecordName,
    action: &'static str,
    record_type: &'a str,
    now: Option<&'a RecordData>,
    wanted: Option<&'a RecordData>,
}

impl<'a> Report<'a> {
    /// What a keeper has decided that has looked at everything.
    pub fn new(
        keeper: &'a Keeper,
        now: Duration,
        source: &'a Diagnostics,
        ingresses: &'a Diagnostics,
    ) -> Self {
        let (missing, warnings) = keeper.balancer_problems(now);
        let failures = keeper
            .zones(now)
            .flat_map(|view| view.failures.into_iter().map(str::to_owned).collect::<Vec<_>>());
        Self {
            keeper,
            plan: keeper.plan(now),
            source,
            ingresses,
            load_balancers: missing.into_iter().chain(warnings).collect(),
            failures: failures.collect(),
        }
    }

    /// Whether anything would be, or should be, changed.
    pub fn has_changes(&self) -> bool {
        !self.plan.is_empty()
    }

    /// What could not be looked at: sentences.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Prints it.
    pub fn print(&self, output: PlanOutput, out: &mut impl Write) -> io::Result<()> {
        match output {
            PlanOutput::Table => self.print_table(out)?,
            PlanOutput::Json => writeln!(out, "{:#}", self.json())?,
        }
        out.flush()
    }

    fn print_table(&self, out: &mut impl Write) -> io::Result<()> {
        let held_back = self.plan.held_back.as_ref();
        let changes = self.rows(&self.plan.zones);
        let held: Vec<_> = held_back.map_or_else(Vec::new, |held_back| self.rows(&held_back.zones));
        let held = held.iter().map(|row| row.cells("held back"));
        let rows: Vec<_> = changes.iter().map(|row| row.cells(row.action)).chain(held).collect();
        if !rows.is_empty() {
            table::print(&["ACTION", "ZONE", "NAME", "TYPE", "NOW", "WANTED", "INGRESS"], &rows, out)?;
            writeln!(out)?;
        }
        for diagnostic in self.diagnostics() {
            print_diagnostic(diagnostic, out)?;
        }
        for problem in &self.load_balancers {
            writeln!(out, "warning: {problem}")?;
        }
        if let Some(held_back) = held_back {
            writeln!(
                out,
                "held back: {}",
                explain(held_back, self.keeper.max_deletion_percent(), self.keeper.hosted())
            )?;
        }
        writeln!(out, "{}", self.summary())
    }

    fn rows<'b>(&'b self, zones: &'b BTreeMap<ZoneId, Vec<NameChange>>) -> Vec<Row<'b>> {
        let mut rows = Vec::new();
        for (id, changes) in zones {
            let Some(zone) = self.keeper.hosted().get(id) else { continue };
            for change in changes {
                rows.extend(change.changes.iter().map(|one| self.row(zone, change, one)));
            }
        }
        rows
    }

    fn row<'b>(&'b self, zone: &'b HostedZone, change: &'b NameChange, one: &'b Change) -> Row<'b> {
        let current = self.keeper.at(&zone.id, &one.record.name);
        let now = current.iter().find(|it| it.record_type == one.record.record_type && it.routing.is_none());
        Row {
            zone,
            has_twin: self.keeper.hosted().has_twin(zone),
            change,
            name: &one.record.name,
            action: action_name(one.action),
            record_type: one.record.record_type.as_str(),
            now: now.map(|record| &record.data),
            wanted: (one.action != Action::Delete).then_some(&one.record.data),
        }
    }

    fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let problems = self.plan.problems.iter().map(|problem| &problem.diagnostic);
        self.source.iter().chain(self.ingresses).chain(problems)
    }

    fn summary(&self) -> String {
        let rows = self.rows(&self.plan.zones);
        let count = |action: Action| rows.iter().filter(|row| row.action == action_name(action)).count();
        let (create, change, delete) = (count(Action::Create), count(Action::Upsert), count(Action::Delete));
        let held_back = self.plan.held_back.as_ref().map_or(0, |held_back| held_back.deletions);
        match (rows.len(), held_back) {
            (0, 0) => "No changes.".to_owned(),
            (_, 0) => format!("{create} to create, {change} to change, {delete} to delete."),
            _ => {
                format!("{create} to create, {change} to change, {delete} to delete, {held_back} held back.")
            }
        }
    }

    fn json(&self) -> Value {
        let plan = &self.plan;
        let changes = |zones| self.rows(zones).iter().map(Row::json).collect::<Vec<_>>();
        json!({
            "changes": changes(&plan.zones),
            "held_back": plan.held_back.as_ref().map(|held_back| json!({
                "reason": held_back.reason,
                "message": explain(held_back, self.keeper.max_deletion_percent(), self.keeper.hosted()),
                "changes": changes(&held_back.zones),
            })),
            "diagnostics": self.diagnostics().map(diagnostic_json).collect::<Vec<_>>(),
            "load_balancers": self.load_balancers,
            "failures": self.failures,
        })
    }
}

impl Row<'_> {
    fn cells(&self, action: &str) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            action.to_owned(),
            zone_label(self.zone, self.has_twin),
            self.name.to_string(),
            self.record_type.to_owned(),
            or_dash(self.now.map(ToString::to_string)),
            or_dash(self.wanted.map(ToString::to_string)),
            or_dash(self.change.ingress.as_ref().map(ToString::to_string)),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "action": self.action,
            "zone": self.zone.name.as_str(),
            "zone_id": self.zone.id,
            "visibility": self.zone.visibility,
            "name": self.name.as_str(),
            "type": self.record_type,
            "now": self.now.map(data_json),
            "wanted": self.wanted.map(data_json),
            "ingress": self.change.ingress,
        })
    }
}

fn data_json(data: &RecordData) -> Value {
    match data {
        RecordData::Alias { dns_name, zone_id, evaluate_target_health } => json!({
            "alias": RecordName::new(dns_name).as_str(),
            "zone_id": zone_id,
            "evaluate_target_health": evaluate_target_health,
        }),
        RecordData::Values { ttl_seconds, values } => json!({ "values": values, "ttl_seconds": ttl_seconds }),
    }
}

/// A zone's name; of a private one, with that word, since a public one may have the same name; and with its id, where
/// neither tells which zone it is.
fn zone_label(zone: &HostedZone, has_twin: bool) -> String {
    match (zone.visibility, has_twin) {
        (Visibility::Public, false) => zone.name.to_string(),
        (Visibility::Public, true) => zone.label(),
        (Visibility::Private, false) => format!("{} (private)", zone.name),
        (Visibility::Private, true) => format!("{} (private, {})", zone.name, zone.id),
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Upsert => "change",
        Action::Delete => "delete",
    }
}

/// Why deletions are held back, and what to do: two sentences.
pub(crate) fn explain(held_back: &HeldBack, max_deletion_percent: u8, zones: &Zones) -> String {
    let HeldBack { reason, deletions, owned, zones: held } = held_back;
    let held: Vec<String> = held.keys().filter_map(|id| Some(zones.get(id)?.label())).collect();
    let held = held.join(", ");
    match reason {
        HeldBackReason::NoIngress => format!(
            "There is no Ingress at all, so none of our {owned} records is deleted, as that is more likely a fault \
             than a wish. Check where the Ingresses are and which are taken; if the records really should go, delete \
             them by hand."
        ),
        HeldBackReason::TooMany => format!(
            "{deletions} of our {owned} records have no Ingress any more, which is more than \
             --max-deletion-percent={max_deletion_percent} allows at once, so none is deleted in {held}. Check the \
             Ingresses; if the records really should go, start feed-dns with --max-deletion-percent=100 until they are gone."
        ),
    }
}

fn print_diagnostic(diagnostic: &Diagnostic, out: &mut impl Write) -> io::Result<()> {
    let Diagnostic { object, field, code, message, help, related } = diagnostic;
    let severity = match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(out, "{severity}[{code}]: {message}\n  in: {object}, {field}")?;
    if let Some(object) = related {
        writeln!(out, "  see: {object}")?;
    }
    help.iter().try_for_each(|help| writeln!(out, "  help: {help}"))
}

/// A diagnostic as `/status` and `plan --output json` show it.
pub(crate) fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    let object = |key: &ObjectKey| json!({ "kind": key.kind, "namespace": &*key.name.namespace, "name": &*key.name.name });
    json!({
        "severity": diagnostic.code.severity(),
        "code": diagnostic.code,
        "object": object(&diagnostic.object),
        "field": diagnostic.field,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "related": diagnostic.related.as_ref().map(object),
    })
}

#[cfg(test)]
mod tests;
