//! Runs nginx for Kubernetes Ingresses: the shell around [`feed_reconcile`], which decides everything.

#[cfg(feature = "ingress")]
pub mod cli;
#[cfg(feature = "ingress")]
pub mod config;
#[cfg(feature = "ingress")]
pub mod metrics;
#[cfg(feature = "ingress")]
pub mod nginx;
pub mod runtime;
