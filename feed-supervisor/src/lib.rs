//! Runs nginx for Kubernetes Ingresses: the shell around [`feed_reconcile`], which decides everything.

pub mod runtime;
