//! nginx: its files, its processes, what it says, and the one task that touches them.
//!
//! What is to be done, and when, is decided by [`feed_reconcile::apply`]. Here it is done: one effect a file.

pub mod access;
pub mod confirm;
pub mod content;
pub mod endpoints;
pub mod executor;
pub mod facts;
pub mod files;
#[cfg(test)]
pub(crate) mod fixture;
pub mod leave;
pub mod leftover;
pub mod logs;
pub mod master;
pub mod name_server;
pub mod observed;
pub mod ports;
pub mod probe;
pub mod process;
pub mod readiness;
pub mod reopen;
pub mod requests;
pub mod stats;
pub mod status_port;
pub mod test;
