//! The frontend that was asked for, and what the machine that joins and leaves has to know.

use std::time::Duration;

use feed_reconcile::membership::Settings;

use crate::config::{Config, Frontend};
use crate::frontend;
use crate::frontend::fixed::Fixed;

/// The name that operators know it by.
pub(super) fn kind(frontend: &Frontend) -> &'static str {
    match frontend {
        Frontend::None => "none",
        Frontend::Static(_) => "static",
    }
}

pub(super) fn open(config: &Config) -> Box<dyn frontend::Frontend> {
    match &config.frontend {
        Frontend::None => Box::new(Fixed::default()),
        Frontend::Static(balancers) => Box::new(Fixed { endpoints: balancers.endpoints.clone() }),
    }
}

pub(super) fn settings(config: &Config) -> Settings {
    match &config.frontend {
        // Nothing is ever attached to.
        Frontend::None | Frontend::Static(_) => Settings {
            resync_period: Duration::from_hours(1),
            ready_timeout: Duration::ZERO,
            drain_delay: Duration::ZERO,
            grace_period: config.shutdown_grace_period,
            expected: 0,
            releases: false,
        },
    }
}
