//! End-to-end tests: the real binary, the real nginx, a real control plane.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "here a failed expectation is a failed test"
)]

mod fuzz;
mod harness;
mod ingress_status;
