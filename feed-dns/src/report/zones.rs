//! What there is to say of each zone.

use feed_reconcile::dns::keeper::{Stage, ZoneView};
use feed_reconcile::dns::{HostedZone, Visibility, Zones};
use serde_json::{Value, json};

/// Names that are told of many.
const NAMES: usize = 5;

/// A zone has been late for a minute, whether it was ever read or not.
pub(super) fn is_behind(view: &ZoneView<'_>) -> bool {
    view.late.as_secs() >= 60
}

/// A zone's name and id, as far as they are known.
pub(super) fn label(view: &ZoneView<'_>) -> String {
    view.hosted.map_or_else(|| view.id.to_string(), HostedZone::label)
}

/// What is wrong with a zone: sentences.
pub(super) fn troubles(view: &ZoneView<'_>) -> Vec<String> {
    let zone = label(view);
    let mut troubles: Vec<String> =
        view.failures.iter().map(|failure| format!("Zone {zone}: {failure}")).collect();
    if troubles.is_empty() && is_behind(view) {
        let seconds = view.late.as_secs();
        troubles.push(match view.stage {
            Stage::Unopened | Stage::Unread => {
                format!("Zone {zone} has not been read for {seconds} s: Route 53 has not answered.")
            }
            Stage::Read | Stage::Behind => format!("Zone {zone} has been behind for {seconds} s."),
        });
    }
    if let Some(reason) = view.denied {
        troubles.push(format!("Zone {zone}: all changes are refused: {reason}"));
    }
    if !view.refused.is_empty() {
        let told = view.refused.iter().take(NAMES).map(|(name, reason)| format!("`{name}` ({reason})"));
        let told = told.collect::<Vec<_>>().join(", ");
        let count = view.refused.len();
        troubles
            .push(format!("Zone {zone}: {count} changes are refused and tried again: {told}{}", dots(count)));
    }
    if view.given_up > 0 && view.denied.is_none() {
        troubles.push(format!(
            "Zone {zone}: {} more changes wait, as too many with them were refused.",
            view.given_up
        ));
    }
    if !view.contested.is_empty() {
        let names = view.contested.iter().take(NAMES).map(|name| format!("`{name}`"));
        let names = names.collect::<Vec<_>>().join(", ");
        let count = view.contested.len();
        troubles.push(format!(
            "Zone {zone}: another writer changes {count} names back each time, so they are left alone: {names}{}. \
             Give each writer its own --owner-id, or stop one of them.",
            dots(count)
        ));
    }
    troubles
}

fn dots(count: usize) -> &'static str {
    if count > NAMES { ", …" } else { "" }
}

/// Public zones of one name, of which only one can be the one that the world is sent to: sentences.
pub(super) fn twins(zones: &Zones) -> Vec<String> {
    let is_public = |zone: &&HostedZone| zone.visibility == Visibility::Public && zones.has_twin(zone);
    let labels: Vec<String> = zones.iter().filter(is_public).map(HostedZone::label).collect();
    let text = format!(
        "There are several public zones of one name, and at most one of them is delegated to: {}. All of them are kept.",
        labels.join(", ")
    );
    if labels.is_empty() { Vec::new() } else { vec![text] }
}

/// A zone as `/status` shows it.
pub(super) fn json(view: &ZoneView<'_>) -> Value {
    json!({
        "id": view.id,
        "name": view.hosted.map(|zone| zone.name.as_str()),
        "visibility": view.hosted.map(|zone| zone.visibility),
        "state": view.stage.as_str(),
        "records": view.records,
        "owned_records": view.owned,
        "pending_changes": view.pending,
        "refused_changes": view.refused.len() + view.given_up,
        "failures": view.failures,
    })
}
