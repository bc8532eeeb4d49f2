//! End-to-end tests: the real binary, the real nginx, a real control plane.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "here a failed expectation is a failed test"
)]

mod access_log;
mod adoption;
mod backends;
mod claims;
mod cluster;
mod endpoints;
mod errors;
mod events;
mod faults;
mod fuzz;
mod harness;
mod header_names;
mod hostile;
mod ingress_status;
mod manifests;
mod matrix;
mod metrics_contract;
mod nginx_tracing;
mod operations;
mod push;
mod requests;
mod retries;
mod sidecar;
mod signals;
mod silent_clients;
mod spans;
mod start;
mod steering;
mod tls;
mod traffic;
mod workdir;
mod world;
