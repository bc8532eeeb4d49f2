//! Metrics pushed to a Prometheus push gateway, for networks in which nobody can scrape.
//!
//! Every push replaces what was pushed before under the same grouping key: the job, which is the binary's name, the
//! instance, which is the host's name, and the operator's labels. The gateway gives these labels to every sample. See
//! <https://github.com/prometheus/pushgateway#put-method>.

use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, Url};
use rustls::crypto::ring;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use super::lease::host_name;
use super::metrics::{Format, Metrics};
use super::settings::PushConfig;

mod grouping;

pub use self::grouping::may_be_label;

/// How long a push may take, its connection included.
const PUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last push may hold up the end of the process.
const LAST_PUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How much is told of what a gateway complains of, in bytes.
const LONGEST_COMPLAINT: usize = 300;

/// Metrics cannot be pushed.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the connection to the push gateway: {0} (--pushgateway)")]
pub struct PushError(#[source] reqwest::Error);

/// Pushes metrics; clones push to the same gateway.
#[derive(Clone, Debug)]
pub struct Pusher {
    client: Client,
    target: Url,
    interval: Duration,
    pushes: Family<Labels, Counter>,
    /// What is known of the gateway since the last push.
    trouble: Arc<Mutex<Option<String>>>,
}

/// Bounded, as HTTP statuses are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: String,
}

/// Why a push has failed: its label in the metric, and its sentence.
struct Failure {
    outcome: String,
    why: String,
}

impl Pusher {
    /// Registers `pushes_total`; nothing is pushed yet. The job is the binary's name.
    pub fn new(config: &PushConfig, job: &str, metrics: &mut Metrics) -> Result<Self, PushError> {
        // The only provider there is; whoever is first installs it.
        let _installed = ring::default_provider().install_default();
        let client = Client::builder().timeout(PUSH_TIMEOUT).user_agent(job.to_owned());
        let pushes = Family::default();
        metrics.registry_mut().register(
            "pushes",
            "Pushes to the push gateway by how they ended",
            pushes.clone(),
        );
        Ok(Self {
            client: client.build().map_err(PushError)?,
            target: grouping::target(&config.gateway, job, &host_name(), &config.labels),
            interval: config.interval,
            pushes,
            trouble: Arc::default(),
        })
    }

    /// Pushes at once, and then as often as it should.
    pub async fn run(self, metrics: Arc<Metrics>) -> Infallible {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.push(&metrics).await;
        }
    }

    /// Pushes for the last time, if that is quickly done.
    pub async fn push_last(&self, metrics: &Metrics) {
        if timeout(LAST_PUSH_TIMEOUT, self.push(metrics)).await.is_err() {
            warn!("The metrics could not be pushed for the last time: the push gateway does not answer.");
        }
    }

    async fn push(&self, metrics: &Metrics) {
        let trouble = match self.try_push(metrics).await {
            Ok(()) => {
                self.count("ok".to_owned());
                None
            }
            Err(Failure { outcome, why }) => {
                self.count(outcome);
                Some(why)
            }
        };
        let before = {
            let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, trouble.clone())
        };
        match (before, trouble) {
            (None, Some(why)) => warn!(why, "The metrics cannot be pushed; it is tried again."),
            (Some(_), None) => info!("The metrics are pushed again."),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    fn count(&self, outcome: String) {
        self.pushes.get_or_create(&Labels { outcome }).inc();
    }

    async fn try_push(&self, metrics: &Metrics) -> Result<(), Failure> {
        let body = metrics.encode(Format::Text).map_err(|error| Failure::unreachable(&error))?;
        let request = self.client.put(self.target.clone());
        let request = request.header(CONTENT_TYPE, Format::Text.content_type()).body(body);
        // Its text would name the URL, which may hold a password.
        let answer = request.send().await.map_err(|error| Failure::unreachable(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = format!("the push gateway answers {status}: {}", complaint(answer).await);
        Err(Failure { outcome: status.as_str().to_owned(), why })
    }
}

impl Failure {
    fn unreachable(error: &(dyn Error + 'static)) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Self { outcome: "unreachable".to_owned(), why }
    }
}

/// The beginning of what a gateway says, in one line.
async fn complaint(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST_COMPLAINT
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(LONGEST_COMPLAINT);
    String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}
