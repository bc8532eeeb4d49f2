//! Hosted zones, as they are opened, listed and changed.

use feed_reconcile::dns::keeper::Outcome;
use feed_reconcile::dns::{Batch, HostedZone, ZoneId, ZoneRecords};
use feed_supervisor::runtime::aws::CallError;

mod route53;

pub use route53::Route53;

/// All hosted zones of an account. The one real implementation is [`Route53`].
pub trait HostedZones: Clone + Send + Sync + 'static {
    /// What a zone is called.
    fn open(&self, zone: &ZoneId) -> impl Future<Output = Result<HostedZone, CallError>> + Send;

    /// All record sets of a zone.
    fn list(&self, zone: &ZoneId) -> impl Future<Output = Result<ZoneRecords, CallError>> + Send;

    /// Makes all changes of a batch, or none.
    fn change(&self, zone: &ZoneId, batch: &Batch) -> impl Future<Output = Outcome> + Send;
}
