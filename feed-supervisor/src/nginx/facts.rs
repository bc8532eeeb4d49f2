//! What the machine and the nginx on it can do, for the options of the configuration.

use std::convert::Infallible;

use feed_reconcile::options::NginxOptions;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use tokio::sync::watch;
use tracing::info;

use super::executor::Known;
use super::ports;
use super::probe::Version;
use crate::config::{NginxConfig, NginxFacts};
use crate::runtime::health::{Condition, Health};

/// The options of the configuration for that nginx on this machine.
pub fn options(config: &NginxConfig, version: Version) -> NginxOptions {
    config.options(NginxFacts {
        ipv6: ports::has_ipv6(),
        keepalive_min_timeout: version.has_keepalive_min_timeout(),
        open_file_limit: open_file_limit(),
    })
}

/// The open files that a process may be given; `None` where there is no limit, or none to be known.
fn open_file_limit() -> Option<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (hard != RLIM_INFINITY).then_some(hard)
}

/// Follows what is known of nginx, and tells the options whenever they change.
pub async fn follow(
    config: NginxConfig,
    mut known: watch::Receiver<Known>,
    told: watch::Sender<Option<NginxOptions>>,
    health: Health,
) -> Result<Infallible, watch::error::RecvError> {
    let mut last = None;
    loop {
        let version = known.borrow_and_update().version;
        if let Some(version) = version.filter(|version| last != Some(*version)) {
            last = Some(version);
            info!(%version, "nginx has told its version.");
            health.report("nginx version", condition(version));
            let options = options(&config, version);
            told.send_if_modified(|told| {
                let is_new = told.as_ref() != Some(&options);
                *told = Some(options);
                is_new
            });
        }
        known.changed().await?;
    }
}

fn condition(version: Version) -> Condition {
    if version >= Version::OLDEST {
        return Condition::Good;
    }
    Condition::Unhealthy(format!("nginx {version} is too old: {} or newer is needed", Version::OLDEST))
}
