//! What `feed-ingress` and `feed-dns` share: the sources of the cluster's state and the endpoints for operators.

pub mod admin;
pub mod health;
pub mod kubernetes;
pub mod metrics;
pub mod shutdown;
pub mod source;
pub mod telemetry;
