//! The real `feed-dns` against a scripted Route 53, emulators of AWS and a real control plane.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "here a failed expectation is a failed test, and some tests measure"
)]

mod cluster;
mod emulators;
mod plan;
mod reports;
mod scripted;
mod world;
