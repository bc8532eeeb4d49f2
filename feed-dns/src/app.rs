//! Wiring: everything that is spawned is spawned here, and here is the order in which the process begins and ends.

use std::convert::Infallible;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::dns::ZoneId;
use feed_reconcile::dns::keeper::{Keeper, Settings};
use feed_reconcile::options::Adoption;
use feed_supervisor::runtime::admin::{Admin, AdminError, Pages};
use feed_supervisor::runtime::aws;
use feed_supervisor::runtime::aws::Patience;
use feed_supervisor::runtime::aws::calls::AwsCalls;
use feed_supervisor::runtime::health::{Condition, Health};
use feed_supervisor::runtime::kubernetes::ClientError;
use feed_supervisor::runtime::metrics::Metrics;
use feed_supervisor::runtime::push::{PushError, Pusher};
use feed_supervisor::runtime::shutdown::{self, Shutdown};
use feed_supervisor::runtime::signals::{self, LogFiles};
use feed_supervisor::runtime::source::SourceReader;
use feed_supervisor::runtime::source::manifests::ManifestError;
use futures::FutureExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{Config, FrontendConfig, PlanOutput};
use crate::control::Control;
use crate::endpoints::{Elb, Wanted};
use crate::leadership::Leadership;
use crate::metrics::DnsMetrics;
use crate::plan::Report;
use crate::report::Reporter;
use crate::zone::Route53;

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
    #[error("{0}")]
    NotLooked(String),
    #[error("the cluster's objects could not be read within {} s: {reasons}", .within.as_secs())]
    Cluster { within: Duration, reasons: String },
    #[error("cannot print the plan: {0}")]
    Print(#[source] io::Error),
    #[error("{task} has ended unexpectedly: {why}")]
    Task { task: &'static str, why: String },
}

/// How long `plan` waits for the cluster's objects.
const PLAN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one try of a call to Elastic Load Balancing may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);

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
    let keeping = Keeping::new(&config, &calls).await;
    let (source, candidate) = cluster.follow(&mut tasks);
    let (leadership, candidacy) = candidate.run();
    if !leadership.is_held() {
        reporter.stands_by();
    }
    let control = keeping.control(source, leadership, shutdown, asked.look_again, reporter);
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

/// What decides, and what it decides about.
struct Keeping {
    keeper: Keeper,
    route53: Route53,
    balancers: Option<(Elb, Wanted)>,
    adoption: Adoption,
}

impl Keeping {
    async fn new(config: &Config, calls: &AwsCalls) -> Self {
        let patience = Patience { retries: config.aws.retries, attempt_timeout: ATTEMPT_TIMEOUT };
        let sdk = aws::config(config.aws.region.clone(), patience).await;
        let (given, balancers) = match &config.frontends {
            FrontendConfig::Given(endpoints) => (Some(endpoints.clone()), None),
            FrontendConfig::Discovered(wanted) => (None, Some((Elb::new(&sdk, calls), wanted.clone()))),
        };
        let settings = Settings { resync_period: config.resync_period, rules: config.rules.clone() };
        Self {
            keeper: Keeper::new(settings, config.zones.iter().cloned(), given),
            route53: Route53::new(&sdk, calls),
            balancers,
            adoption: config.adoption.clone(),
        }
    }

    fn control(
        self,
        source: SourceReader,
        leadership: Leadership,
        shutdown: Shutdown,
        look_again: Arc<Notify>,
        reporter: Reporter,
    ) -> Control<Route53, Elb> {
        let Self { keeper, route53, balancers, adoption } = self;
        let turns = route53.turns().clone();
        let waiting = Box::new(move || turns.waiting().iter().map(|id| ZoneId::new(id)).collect());
        Control {
            keeper,
            zones: route53,
            balancers,
            waiting,
            adoption,
            source,
            leadership,
            shutdown,
            look_again,
            reporter,
        }
    }
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
    let keeping = Keeping::new(&config, &calls).await;
    let mut tasks = Tasks::default();
    let (mut source, _) = cluster.follow(&mut tasks);
    let state = tokio::select! {
        state = timeout(PLAN_TIMEOUT, source.changed()) => state.map_err(|_| AppError::Cluster {
            within: PLAN_TIMEOUT,
            reasons: health.unhealthy().join(" "),
        })?,
        failed = tasks.failed() => return Err(failed),
    };
    let (_trigger, shutdown) = shutdown::channel();
    let metrics = DnsMetrics::register(&mut Metrics::new("feed_dns"), &health, source.freshness());
    let reporter = Reporter::new(health, metrics);
    let mut control = keeping.control(source, Leadership::Alone, shutdown, Arc::default(), reporter);
    let (now, ingresses) = control.look(&state).await;
    let report = Report::new(&control.keeper, now, &state.diagnostics, &ingresses);
    if control.keeper.knows_endpoints() {
        report.print(output, out).map_err(AppError::Print)?;
    }
    match report.failures() {
        [] => Ok(report.has_changes()),
        failures => Err(AppError::NotLooked(failures.join("\n"))),
    }
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
