//! Decides what feed does, and does nothing itself: no I/O, no clock, no threads.
//!
//! From a [snapshot](snapshot::ClusterSnapshot) of cluster objects it computes the [desired state](desired::DesiredState)
//! with [diagnostics](diagnostic::Diagnostic), and from that [nginx's configuration](nginx::Rendered), Ingress [`status`]
//! and [DNS records](dns). How a configuration reaches nginx, and who may write to the cluster, are small machines that are told
//! what happened and answer what to do ([`apply`], [`reload`], [`quarantine`], [`lease`], [`membership`], [`events`]).
//!
//! ```
//! use std::sync::Arc;
//!
//! use feed_reconcile::{options::Options, reconcile, snapshot::ClusterSnapshot};
//! use k8s_openapi::api::networking::v1::Ingress;
//!
//! let mut snapshot = ClusterSnapshot::default();
//! snapshot.ingresses.insert(Arc::new(Ingress::default()));
//! let reconciled = reconcile(&snapshot, &Options::default());
//! assert!(reconciled.state.servers.is_empty());
//! for diagnostic in &reconciled.diagnostics {
//!     println!("{}: {}", diagnostic.code, diagnostic.message);
//! }
//! ```
//!
//! A controller that runs for long keeps a [`Reconciler`] and an [`nginx::Renderer`]: these compute only what changed, and the result
//! is the same.

mod adopt;
mod annotation;
pub mod apply;
mod backend;
pub mod certificate;
mod compile;
pub mod desired;
pub mod diagnostic;
mod difference;
pub mod dns;
pub mod events;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod key;
pub mod lease;
pub mod membership;
mod nearest;
pub mod nginx;
pub mod options;
pub mod path;
mod place;
pub mod quarantine;
pub mod reconcile;
pub mod reload;
mod report;
pub mod snapshot;
pub mod status;
pub mod summary;
pub mod tls;
pub mod traffic;

pub use nearest::nearest;
pub use reconcile::{Reconciled, Reconciler, reconcile};
