//! Load balancers that feed joins and leaves: the real binary with the real nginx, and stand-ins of what manages them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "here a failed expectation is a failed test"
)]

mod aws;
mod gorb;
mod loopback;
mod merlin;
