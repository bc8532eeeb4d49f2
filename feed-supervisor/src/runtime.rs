//! What `feed-ingress` and `feed-dns` share: the sources of the cluster's state and the endpoints for operators.

pub mod admin;
#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod events;
pub mod flags;
pub mod health;
pub mod kubernetes;
pub mod lease;
pub mod metrics;
pub mod push;
pub(crate) mod regular_file;
pub mod settings;
pub mod shutdown;
pub mod signals;
pub mod source;
pub mod telemetry;

/// The version and the git commit of this build.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("FEED_COMMIT"), ")");
