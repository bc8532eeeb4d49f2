//! Hosted zones, as they are listed and changed.

use std::collections::BTreeMap;

use feed_reconcile::dns::{Batch, BatchLimits, HostedZone, NameChange, ZoneId, ZoneRecords, batches};
use feed_supervisor::runtime::aws::CallError;

mod route53;

pub use route53::{Route53, Route53Zone};

/// A hosted zone. The one real implementation is [`Route53Zone`].
pub trait Zone: Send + Sync {
    /// All record sets.
    fn list(&self) -> impl Future<Output = Result<ZoneRecords, CallError>> + Send;

    /// Makes all changes of a batch, or none.
    fn change(&self, batch: &Batch) -> impl Future<Output = Result<(), ChangeError>> + Send;
}

/// Why a batch was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A change is not possible; nothing was changed. With what the zone's keeper says of it.
    #[error("refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// The call failed; whether anything was changed is not known.
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// What became of some changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The changes that were made.
    pub accepted: Vec<NameChange>,
    /// The changes that are not possible, each with the reason.
    pub refused: Vec<(NameChange, String)>,
    /// The call that failed, if one did. What is in neither of the lists was not tried, or its outcome is not known.
    pub failure: Option<CallError>,
}

/// Refused changes after which the rest of a batch is given up: they must have something in common that is wrong, and
/// every one of them costs calls.
const MAX_REFUSED: usize = 20;

/// Makes changes in as few calls as possible, for as long as `may_write` says so.
///
/// A batch that is refused is split until the offending changes stand alone; the others are made.
pub async fn apply(zone: &impl Zone, changes: Vec<NameChange>, may_write: impl Fn() -> bool) -> Applied {
    let mut applied = Applied::default();
    let mut open = batches(changes, BatchLimits::default());
    open.reverse();
    while let Some(batch) = open.pop() {
        if !may_write() || applied.refused.len() >= MAX_REFUSED {
            break;
        }
        match zone.change(&batch).await {
            Ok(()) => applied.accepted.extend(batch.changes),
            Err(ChangeError::Refused(messages)) => {
                let parts = batch.split(&messages);
                if parts.is_empty() {
                    let reason = messages.join("; ");
                    applied.refused.extend(batch.changes.into_iter().map(|change| (change, reason.clone())));
                }
                open.extend(parts.into_iter().rev());
            }
            Err(ChangeError::Failed(error)) => {
                applied.failure = Some(error);
                break;
            }
        }
    }
    applied
}

/// The zones by id, each with what it is called.
pub type OpenZones<Z> = BTreeMap<ZoneId, (HostedZone, Z)>;

#[cfg(test)]
mod tests;
