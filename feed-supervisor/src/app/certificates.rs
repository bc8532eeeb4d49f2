//! The default certificate: read before anything is started, followed while the process runs.

use tokio::sync::watch;

use super::tasks::Tasks;
use crate::certificates::default_pair::{self, DefaultPair, PairError};
use crate::config::Config;
use crate::runtime::health::Health;

/// Reads it, where there is TLS.
pub(super) fn read(config: &Config) -> Result<Option<DefaultPair>, PairError> {
    config.tls.as_ref().map(|tls| default_pair::read(&tls.default_pair)).transpose()
}

/// Begins to follow it.
pub(super) fn follow(
    pair: DefaultPair,
    config: &Config,
    health: &Health,
    tasks: &mut Tasks,
) -> watch::Receiver<DefaultPair> {
    let (told, follower) = watch::channel(pair);
    if let Some(tls) = &config.tls {
        let following = default_pair::follow(tls.default_pair.clone(), told, health.clone());
        tasks.spawn_endless("the watch of the default certificate", following);
    }
    follower
}
