//! What the machine and the nginx on it can do, for the options of the configuration.

use std::convert::Infallible;
use std::net::SocketAddr;

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
pub fn options(
    config: &NginxConfig,
    version: Version,
    endpoint_resolver: Option<SocketAddr>,
) -> NginxOptions {
    config.options(NginxFacts {
        ipv6: ports::has_ipv6(),
        keepalive_min_timeout: version.has_keepalive_min_timeout(),
        http2_directive: version.has_http2_directive(),
        open_file_limit: open_file_limit(),
        endpoint_resolver: endpoint_resolver.filter(|_| version.follows_endpoints()),
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
    endpoint_resolver: SocketAddr,
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
            let options = options(&config, version, Some(endpoint_resolver));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::fixture::Place;

    #[tokio::test]
    async fn the_options_follow_the_version() {
        let (known, health) = (watch::Sender::new(Known::default()), Health::new());
        let (told, mut options) = watch::channel(None);
        let config = Place::new().config("--manifests=/").nginx;
        let resolver = ([127, 0, 0, 1], 53).into();
        let following = tokio::spawn(follow(config, resolver, known.subscribe(), told, health.clone()));
        let mut option_with = async |version| {
            known.send_modify(|known| known.version = Some(version));
            options.changed().await.unwrap();
            options.borrow_and_update().clone().unwrap().keepalive_min_timeout
        };
        assert!(!option_with(Version(1, 22, 1)).await);
        assert!(option_with(Version(1, 30, 6)).await);
        assert!(!option_with(Version(1, 14, 0)).await);
        assert_eq!(health.unhealthy(), ["nginx 1.14.0 is too old: 1.18.0 or newer is needed"]);
        assert!(option_with(Version(1, 31, 0)).await);
        assert_eq!(health.unhealthy(), [] as [&str; 0]);
        following.abort();
    }

    #[test]
    fn a_limit_of_open_files_is_no_more_than_the_kernel_gives() {
        let limit = open_file_limit().unwrap_or(u64::MAX);
        assert!(limit >= 256, "{limit}");
    }
}
