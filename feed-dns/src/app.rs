//! Wiring: everything that is spawned is spawned here, and here is the order in which the process begins and ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::dns::{ZoneConflict, ZoneId, Zones};
use feed_supervisor::runtime::admin::{Admin, AdminError, Pages};
use feed_supervisor::runtime::aws;
use feed_supervisor::runtime::aws::calls::AwsCalls;
use feed_supervisor::runtime::aws::{CallError, Patience};
use feed_supervisor::runtime::health::{Condition, Health};
use feed_supervisor::runtime::kubernetes::ClientError;
use feed_supervisor::runtime::metrics::Metrics;
use feed_supervisor::runtime::push::{PushError, Pusher};
use feed_supervisor::runtime::shutdown::Shutdown;
use feed_supervisor::runtime::signals::{self, LogFiles};
use feed_supervisor::runtime::source::manifests::ManifestError;
use futures::FutureExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::{Config, FrontendConfig, PlanOutput};
use crate::control::Control;
use crate::endpoints::Elb;
use crate::keeper::{Frontends, Keeper};
use crate::metrics::DnsMetrics;
use crate::plan::Report;
use crate::report::Reporter;
use crate::zone::{Route53, Route53Zone};

mod cluster;

use cluster::Cluster;

/// Why the process ends other than by being told to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is said by its text, or by the error that it carries")]
pub enum AppError {
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("{0}; is --r53-hosted-zone right, and may we use it?")]
    Zone(#[source] CallError),
    #[error(transparent)]
    ZoneConflict(#[from] ZoneConflict),
    #[error(transparent)]
    Aws(#[from] CallError),
    #[error("the cluster's objects could not be read within {} s: {reasons}", .within.as_secs())]
    Cluster { within: Duration, reasons: String },
    #[error("cannot print the plan: {0}")]
    Print(#[source] io::Error),
    #[error("{task} has ended unexpectedly: {why}")]
    Task { task: &'static str, why: String },
}

/// How long `plan` waits for the cluster's objects.
const PLAN_TIMEOUT: Duration = Duration::from_secs(30);

/// Between two tries to open the zones.
const OPEN_AGAIN: Duration = Duration::from_secs(10);

/// Keeps the zones until the process is told to end.
///
/// # Errors
///
/// When it cannot begin, or when a part of it fails that nothing can go on without.
pub async fn run(config: Config) -> Result<(), AppError> {
    let (_trigger, shutdown, asked) = signals::listen(LogFiles::None).map_err(AppError::Signals)?;
    let admin = Admin::bind(config.health_port).await?;
    let health = Health::new();
    let mut metrics = Metrics::new("feed_dns");
    let calls = AwsCalls::register(&mut metrics);
    let cluster = Cluster::open(&config, &mut metrics, &health).await?;
    let dns_metrics = DnsMetrics::register(&mut metrics, &health, cluster.reader().freshness());
    let reporter = Reporter::new(health.clone(), dns_metrics);
    let push = config.push.as_ref();
    let pusher = push.map(|push| Pusher::new(push, "feed-dns", &mut metrics)).transpose()?;
    let metrics = Arc::new(metrics);

    let mut tasks = Tasks::default();
    let freshness = cluster.reader().freshness().clone();
    let status = {
        let reporter = reporter.clone();
        Arc::new(move || reporter.status(freshness.age().map(|age| age.as_secs_f64())))
    };
    tasks.spawn(
        "the endpoint for health and metrics",
        admin.serve(Pages { health: health.clone(), metrics: Arc::clone(&metrics), status }),
    );
    if let Some(pusher) = pusher.clone() {
        tasks.spawn("what pushes metrics", pusher.run(Arc::clone(&metrics)).map(Ok::<_, Infallible>));
    }
    let Some((zones, remote)) = open_zones(&config, &calls, &reporter, shutdown.clone()).await? else {
        return Ok(());
    };
    reporter.opened(&zones);
    let keeper = keeper(&config, zones, remote, &calls).await;
    let (source, candidate) = cluster.follow(&mut tasks);
    let (leadership, candidacy) = candidate.run();
    let resync_period = config.resync_period;
    let look_again = asked.look_again;
    let control = Control { keeper, source, leadership, shutdown, look_again, reporter, resync_period };
    let ended = tokio::select! {
        () = control.run() => Ok(()),
        failed = tasks.failed() => Err(failed),
    };
    health.report("shutdown", Condition::NotReady("leaving".to_owned()));
    // Only now, as nothing is written any more.
    candidacy.end().await;
    if let Some(pusher) = pusher {
        pusher.push_last(&metrics).await;
    }
    ended
}

/// Opens the zones; those that cannot be reached are tried again, until the process is to end.
async fn open_zones(
    config: &Config,
    calls: &AwsCalls,
    reporter: &Reporter,
    mut shutdown: Shutdown,
) -> Result<Option<(Zones, BTreeMap<ZoneId, Route53Zone>)>, AppError> {
    loop {
        match try_open_zones(config, calls).await {
            Err(AppError::Aws(error)) => reporter.not_opened(&error),
            opened => return opened.map(Some),
        }
        tokio::select! {
            () = sleep(OPEN_AGAIN) => {}
            () = shutdown.draining() => return Ok(None),
        }
    }
}

/// The time includes that of waiting for a turn in the account's quota.
fn patience(config: &Config) -> Patience {
    Patience { retries: config.aws.retries, attempt_timeout: Duration::from_secs(30) }
}

async fn try_open_zones(
    config: &Config,
    calls: &AwsCalls,
) -> Result<(Zones, BTreeMap<ZoneId, Route53Zone>), AppError> {
    let sdk = aws::config(config.aws.region.clone(), patience(config)).await;
    let route53 = Route53::new(&sdk, calls);
    let (mut zones, mut remote) = (Vec::new(), BTreeMap::new());
    for id in &config.zones {
        let (zone, opened) = route53
            .open(id)
            .await
            .map_err(|error| if error.is_final() { AppError::Zone(error) } else { AppError::Aws(error) })?;
        zones.push(zone);
        remote.insert(id.clone(), opened);
    }
    Ok((Zones::new(zones)?, remote))
}

async fn keeper(
    config: &Config,
    zones: Zones,
    remote: BTreeMap<ZoneId, Route53Zone>,
    calls: &AwsCalls,
) -> Keeper<Route53Zone, Elb> {
    let frontends = match &config.frontends {
        FrontendConfig::Given(endpoints) => Frontends::Given(endpoints.clone()),
        FrontendConfig::Discovered(wanted) => {
            let sdk = aws::config(config.aws.region.clone(), patience(config)).await;
            Frontends::Discovered(Elb::new(&sdk, calls), wanted.clone())
        }
    };
    Keeper::new(zones, remote, frontends, config.policy.clone())
}

/// Prints what would be changed. Returns whether anything would.
///
/// # Errors
///
/// When anything that has to be known cannot be found out.
pub async fn plan(config: Config, output: PlanOutput, out: &mut impl Write) -> Result<bool, AppError> {
    let calls = AwsCalls::default();
    let health = Health::new();
    let cluster = Cluster::open(&config, &mut Metrics::new("feed_dns"), &health).await?;
    let (zones, remote) = try_open_zones(&config, &calls).await?;
    let mut keeper = keeper(&config, zones, remote, &calls).await;
    let mut tasks = Tasks::default();
    let (mut source, _) = cluster.follow(&mut tasks);
    let state = tokio::select! {
        state = timeout(PLAN_TIMEOUT, source.changed()) => state.map_err(|_| AppError::Cluster {
            within: PLAN_TIMEOUT,
            reasons: health.unhealthy().join(" "),
        })?,
        failed = tasks.failed() => return Err(failed),
    };
    if let Some(failure) = keeper.look().await.into_iter().next() {
        return Err(failure.error.into());
    }
    let decision = keeper.decide(&state.snapshot);
    let report = Report::new(&keeper, &decision, &state.diagnostics);
    report.print(output, out).map_err(AppError::Print)?;
    Ok(report.has_changes())
}

/// The tasks that go on as long as the process does; aborted when dropped.
#[derive(Debug, Default)]
struct Tasks(JoinSet<AppError>);

impl Tasks {
    /// Starts a task that should never end; its name is the subject of a sentence.
    fn spawn<T, E: Display>(
        &mut self,
        task: &'static str,
        future: impl Future<Output = Result<T, E>> + Send + 'static,
    ) {
        self.0.spawn(async move {
            let why = match future.await {
                Ok(_) => "there was nothing left to do".to_owned(),
                Err(error) => error.to_string(),
            };
            AppError::Task { task, why }
        });
    }

    /// Waits until a task has ended, and says why.
    async fn failed(&mut self) -> AppError {
        match self.0.join_next().await {
            Some(Ok(error)) => error,
            Some(Err(error)) => AppError::Task { task: "a task", why: error.to_string() },
            None => std::future::pending().await,
        }
    }
}
