//! The log of changes: a line for each, so that it can be asked who changed a record. Many at once are told together.

use std::collections::BTreeMap;

use feed_reconcile::dns::keeper::Line;
use feed_reconcile::dns::{Action, HostedZone, RecordData};
use tracing::{error, info};

/// More changes than this at once are told together.
const LINES: usize = 50;

/// So many names are in one line.
const NAMES: usize = 250;

/// Logs what was changed.
pub(super) fn log(zone: &HostedZone, lines: &[Line]) {
    if lines.len() > LINES {
        log_many(zone, lines);
        return;
    }
    for Line { action, record, before, ingress } in lines {
        let target = target(&record.data);
        let was = before.as_ref().filter(|_| *action == Action::Upsert).map(self::target);
        let ingress = ingress.as_ref().map(ToString::to_string);
        info!(
            zone = %zone.name,
            zone_id = %zone.id,
            action = name(*action),
            name = %record.name,
            r#type = %record.record_type,
            target,
            was,
            ingress,
            "{} a record.",
            verb(*action)
        );
    }
}

fn log_many(zone: &HostedZone, lines: &[Line]) {
    let mut alike: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for Line { action, record, .. } in lines {
        // Entries of the registry differ in the Ingress that they name.
        let target = if record.record_type.is_address() { target(&record.data) } else { String::new() };
        let key = (*action, record.record_type.clone(), target);
        alike.entry(key).or_default().push(record.name.as_str());
    }
    for ((action, record_type, target), names) in alike {
        let target = Some(target).filter(|target| !target.is_empty());
        for names in names.chunks(NAMES) {
            info!(
                zone = %zone.name,
                zone_id = %zone.id,
                action = name(action),
                r#type = %record_type,
                target,
                count = names.len(),
                names = names.join(" "),
                "{} {} records.",
                verb(action),
                names.len()
            );
        }
    }
}

/// Logs what was refused.
pub(super) fn log_refused(zone: &HostedZone, lines: &[Line], reason: &str) {
    for Line { action, record, ingress, .. } in lines {
        let ingress = ingress.as_ref().map(ToString::to_string);
        error!(
            zone = %zone.name,
            zone_id = %zone.id,
            action = name(*action),
            name = %record.name,
            r#type = %record.record_type,
            target = target(&record.data),
            ingress,
            reason,
            "A change was refused; trying again."
        );
    }
}

fn target(data: &RecordData) -> String {
    match data {
        RecordData::Values { values, .. } => values.join(" "),
        alias @ RecordData::Alias { .. } => alias.to_string(),
    }
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Upsert => "change",
        Action::Delete => "delete",
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "Created",
        Action::Upsert => "Changed",
        Action::Delete => "Deleted",
    }
}
