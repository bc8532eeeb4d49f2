//! Computes what feed does, and does nothing: no I/O, no clock.

pub mod desired;
pub mod diagnostic;
pub mod dns;
pub mod host;
pub mod key;
pub mod options;
pub mod path;
pub mod snapshot;
