//! Keeps Route 53 in step with the Ingresses: the shell around [`feed_reconcile::dns`], which decides everything.

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod endpoints;
pub mod leadership;
pub mod metrics;
pub mod plan;
pub mod report;
pub mod zone;

#[cfg(test)]
mod fake;
