//! Runs nginx for Kubernetes Ingresses: the shell around [`feed_reconcile`], which decides everything.

#[cfg(feature = "ingress")]
pub mod bootstrap;
#[cfg(feature = "ingress")]
pub mod check;
#[cfg(feature = "ingress")]
pub mod cli;
#[cfg(feature = "ingress")]
pub mod config;
#[cfg(feature = "ingress")]
pub mod metrics;
#[cfg(feature = "ingress")]
pub mod nginx;
#[cfg(feature = "ingress")]
pub mod output;
#[cfg(feature = "ingress")]
pub mod render;
pub mod runtime;
