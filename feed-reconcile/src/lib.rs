//! Computes what feed does, and does nothing: no I/O, no clock.

mod adopt;
mod annotation;
pub mod apply;
mod backend;
mod compile;
pub mod desired;
pub mod diagnostic;
mod difference;
pub mod dns;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod key;
pub mod lease;
pub mod nginx;
pub mod options;
pub mod path;
mod place;
pub mod reconcile;
pub mod reload;
mod report;
pub mod snapshot;
pub mod status;
pub mod summary;

pub use reconcile::{Reconciled, Reconciler, reconcile};
