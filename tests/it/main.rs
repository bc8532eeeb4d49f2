//! End-to-end tests: the real binary, the real nginx, a real control plane.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "here a failed expectation is a failed test"
)]

mod adoption;
mod backends;
mod cluster;
mod faults;
mod fuzz;
mod harness;
mod hostile;
mod ingress_status;
mod matrix;
mod operations;
mod requests;
mod sidecar;
mod start;
mod world;
