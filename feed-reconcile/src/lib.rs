//! Computes what feed does, and does nothing: no I/O, no clock.
#![cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the engine will call these stages"))]

mod adopt;
mod annotation;
mod backend;
mod compile;
pub mod desired;
pub mod diagnostic;
pub mod dns;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod key;
pub mod lease;
pub mod options;
pub mod path;
mod place;
mod report;
pub mod snapshot;
