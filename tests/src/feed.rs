//! The real `feed-ingress`, looked at from outside.

mod builder;
mod observe;
mod process;

use std::path::PathBuf;
use std::process::Child;

use crate::sandbox::Sandbox;

pub use builder::FeedBuilder;

/// One `feed-ingress` with a workdir, ports and manifests of its own. It may be started, killed and started again.
#[derive(Debug)]
pub struct Feed {
    sandbox: Sandbox,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// The program that starts it, and its arguments.
    through: Vec<String>,
    binary: PathBuf,
    ports: FeedPorts,
    child: Option<Child>,
}

/// The ports that a [`Feed`] was told to use.
#[derive(Debug, Clone, Copy)]
struct FeedPorts {
    ingress: u16,
    ingress_https: u16,
    ingress_health: u16,
    health: u16,
}
