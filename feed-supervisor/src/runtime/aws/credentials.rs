//! Credentials from where the SDK always takes them, asked for again when they are about to end or AWS refuses them.

use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Providing;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::renew::is_refused;

/// How long before their end credentials are asked for again. Sources have new ones five minutes before.
const BUFFER: Duration = Duration::from_mins(2);

/// How long a source may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause before credentials that are refused are asked for again; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_mins(5);

/// Credentials that are kept until they end or are refused.
#[derive(Debug)]
pub(super) struct RenewableCredentials {
    region: Region,
    http_client: SharedHttpClient,
    kept: Mutex<Kept>,
}

/// What is kept.
#[derive(Debug, Default)]
struct Kept {
    credentials: Option<Credentials>,
    asked_at: Option<Instant>,
    /// How often in a row what came was refused already.
    refusals: u32,
}

impl RenewableCredentials {
    /// None so far. The region is that of the token service.
    pub(super) fn new(region: Region, http_client: SharedHttpClient) -> Self {
        Self { region, http_client, kept: Mutex::default() }
    }

    async fn provide(&self) -> Provided {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.usable(Instant::now(), SystemTime::now(), is_refused) {
            return Ok(credentials.clone());
        }
        // A chain remembers the files that it has read, so each time there is a new one.
        let config = ProviderConfig::default()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(Some(self.region.clone()))
            .with_http_client(self.http_client.clone());
        let asked = timeout(PATIENCE, async {
            let chain = DefaultCredentialsChain::builder().configure(config).region(self.region.clone());
            chain.build().await.provide_credentials().await
        });
        let answer = asked.await.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PATIENCE)));
        kept.take(answer, Instant::now(), SystemTime::now(), is_refused)
    }
}

impl ProvideCredentials for RenewableCredentials {
    fn provide_credentials<'a>(&'a self) -> Providing<'a>
    where
        Self: 'a,
    {
        Providing::new(self.provide())
    }
}

impl Kept {
    /// The credentials, unless the source is to be asked.
    fn usable(
        &self,
        now: Instant,
        time: SystemTime,
        is_refused: impl Fn(&str) -> bool,
    ) -> Option<&Credentials> {
        let credentials = self.credentials.as_ref()?;
        let since = self.asked_at.map_or(Duration::MAX, |at| now.saturating_duration_since(at));
        let remaining = remaining(credentials, time);
        let may_ask = since >= self.pause();
        let should_ask = may_ask && (is_refused(credentials.access_key_id()) || remaining <= BUFFER);
        (!remaining.is_zero() && !should_ask).then_some(credentials)
    }

    fn pause(&self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.refusals.min(16)).min(LAST_PAUSE)
    }

    /// Takes in what the source says.
    fn take(
        &mut self,
        answer: Provided,
        now: Instant,
        time: SystemTime,
        is_refused: impl Fn(&str) -> bool,
    ) -> Provided {
        self.asked_at = Some(now);
        let before = self.credentials.as_ref().map(|it| is_refused(it.access_key_id()));
        match answer {
            Ok(credentials) => {
                if is_refused(credentials.access_key_id()) {
                    self.refusals = self.refusals.saturating_add(1);
                    warn!(pause = ?self.pause(), "AWS refuses the credentials, and their source has no others yet.");
                } else if before == Some(true) {
                    info!("AWS has refused the credentials: their source has given others.");
                    // They may be refused as well.
                    self.refusals = self.refusals.saturating_add(1);
                } else {
                    self.refusals = 0;
                }
                self.credentials = Some(credentials.clone());
                Ok(credentials)
            }
            Err(error) => match &self.credentials {
                Some(credentials) if before == Some(false) && !remaining(credentials, time).is_zero() => {
                    warn!(%error, "The credentials for AWS cannot be renewed; the old ones are still good.");
                    Ok(credentials.clone())
                }
                _ => Err(error),
            },
        }
    }
}

/// How long credentials are good for.
fn remaining(credentials: &Credentials, time: SystemTime) -> Duration {
    credentials.expiry().map_or(Duration::MAX, |end| end.duration_since(time).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(key: &str, end: Option<SystemTime>) -> Credentials {
        Credentials::new(key, "secret", None, end, "test")
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_good_is_kept_until_shortly_before_its_end() {
        let (now, time) = (Instant::now(), SystemTime::now());
        let mut kept = Kept::default();
        let never = |_: &str| false;
        assert!(kept.usable(now, time, never).is_none());
        kept.take(Ok(credentials("a", Some(time + seconds(3600)))), now, time, never).unwrap();
        for (after, usable) in [(0, true), (3400, true), (3500, false), (3700, false)] {
            let after = seconds(after);
            assert_eq!(kept.usable(now + after, time + after, never).is_some(), usable, "{after:?}");
        }
        // The source fails: what is good goes on being used, and no longer than that.
        let failed = || Err(CredentialsError::not_loaded("no"));
        let after = seconds(3500);
        assert!(kept.take(failed(), now + after, time + after, never).is_ok());
        let after = seconds(3601);
        assert!(kept.take(failed(), now + after, time + after, never).is_err());
    }

    #[test]
    fn what_is_refused_is_asked_for_again_with_growing_pauses() {
        let (start, time) = (Instant::now(), SystemTime::now());
        let mut kept = Kept::default();
        kept.take(Ok(credentials("old", None)), start, time, |_| false).unwrap();
        let refused = |key: &str| key == "old";
        let (mut now, mut asked) = (start, Vec::new());
        while now < start + seconds(1000) {
            if kept.usable(now, time, refused).is_none() {
                asked.push((now - start).as_secs());
                kept.take(Ok(credentials("old", None)), now, time, refused).unwrap();
            }
            now += seconds(1);
        }
        assert_eq!(asked, [1, 3, 7, 15, 31, 63, 127, 255, 511, 811]);
        kept.take(Ok(credentials("new", None)), now, time, refused).unwrap();
        assert!(kept.usable(now + seconds(10_000), time, refused).is_some());
    }
}
