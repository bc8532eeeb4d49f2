//! Wiring: everything that is spawned is spawned here, and here is the order in which the process begins and ends.

mod certificates;
mod frontends;
mod leave;
mod prepare;
mod publish;
mod tasks;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::options::NginxOptions;
use feed_reconcile::reload::Bucket;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tracing::warn;

use self::prepare::{Prepared, Requests};
use self::tasks::Tasks;
use crate::board::{Board, NginxPage};
use crate::certificates::default_pair::PairError;
use crate::compute::{self, ComputeError, Surroundings};
use crate::config::{Config, ReloadConfig};
use crate::control::{Control, ControlError, Events};
use crate::frontend::runner::{Runner, View};
use crate::nginx::endpoints::Endpoints;
use crate::nginx::executor::{Channels, Mode, Nginx, TakeOverError};
use crate::nginx::files::{FilesError, Lock};
use crate::nginx::leave::LeaveError;
use crate::nginx::logs::LogsError;
use crate::nginx::name_server::{NameServer, NameServerError};
use crate::nginx::observed::ObservedError;
use crate::nginx::ports::PortError;
use crate::nginx::probe::ProbeError;
use crate::nginx::requests::{self, RequestLogError};
use crate::nginx::{access, facts, readiness, reopen, stats};
use crate::reaper;
use crate::runtime::admin::{AdminError, Pages};
use crate::runtime::health::Health;
use crate::runtime::kubernetes::ClientError;
use crate::runtime::metrics::Metrics;
use crate::runtime::push::{PushError, Pusher};
use crate::runtime::shutdown::{Phase, Shutdown, Trigger};
use crate::runtime::signals::{self, Asked, LogFiles};
use crate::runtime::source::freshness::Freshness;
use crate::runtime::source::manifests::ManifestError;
use crate::tokens::{Budgets, Roomy, Tokens};

/// Why the process ends other than by being told to.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each is said by its text, or by the error that it carries")]
pub enum AppError {
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Observed(#[from] ObservedError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    DefaultPair(#[from] PairError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error(transparent)]
    RequestLog(#[from] RequestLogError),
    #[error(transparent)]
    NameServer(#[from] NameServerError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{task} has ended unexpectedly: {why}")]
    Task { task: &'static str, why: String },
    #[error("ended by a second signal, before nginx had finished")]
    Aborted,
    #[error("nginx had not finished within {0:?} (--shutdown-grace-period)")]
    GracePeriodOver(Duration),
    #[error("left while attached to {0}")]
    LeftBehind(String),
    #[error("left without knowing which load balancers may still send requests here: {0}")]
    Unlisted(String),
    #[error(transparent)]
    Leave(#[from] LeaveError),
}

/// Serves until the process is told to end, and then leaves: nothing is ready any more, the load balancers are left, requests
/// are finished, then nginx.
///
/// # Errors
///
/// When it cannot begin, when a part of it fails that nothing can go on without, or when it cannot leave in time.
pub async fn run(config: Config) -> Result<(), AppError> {
    let (trigger, shutdown, asked) = signals::listen(LogFiles::Some).map_err(AppError::Signals)?;
    Box::pin(serve(config, &trigger, shutdown, asked)).await
}

async fn serve(
    config: Config,
    trigger: &Trigger,
    mut shutdown: Shutdown,
    asked: Asked,
) -> Result<(), AppError> {
    let mut prepared = Box::pin(Prepared::new(&config)).await?;
    let frontend = frontends::open(&config, &mut prepared.metrics).await;
    let nginx = Arc::clone(&prepared.nginx);
    let (health, metrics) = (prepared.health.clone(), prepared.ingress_metrics.clone());
    let kind = frontends::kind(&config.frontend);
    let settings = frontends::settings(&config, prepared.found.running);
    let (runner, view) = Runner::new(kind, &*frontend, settings, health, metrics);

    let mut tasks = Tasks::default();
    let serving = Serving::begin(&config, prepared, view, &mut tasks, &shutdown, asked)?;
    let Serving { mut control, mut executor, mut publisher, ready, busy, last_push, lock: _lock } = serving;
    let (finishing, mut is_finishing) = watch::channel(false);
    let server = leave::Ending { nginx: &nginx, busy, finishing };
    let membership = runner.run(&server, ready, shutdown.clone());

    let observed = shutdown.clone();
    let until_told = async {
        let ended = tokio::select! {
            biased;
            () = shutdown.draining() => Ok(()),
            Err(error) = &mut control => Err(AppError::from(error)),
            (task, why) = tasks.failed() => Err(AppError::Task { task, why }),
            ended = &mut executor => Err(unexpected("what acts on nginx", ended)),
            // It ends once the process is to drain, and may have learned of that first.
            ended = &mut publisher => match ended {
                Ok(()) if observed.phase() != Phase::Running => Ok(()),
                ended => Err(unexpected("what writes to the cluster", ended)),
            },
        };
        if let Err(error) = &ended {
            warn!("Leaving: {error}.");
        }
        trigger.drain();
        if ended.is_err() {
            trigger.hurry();
        }
        let lease_given_up = async {
            if !publisher.is_finished() {
                tokio::select! {
                    _ = publisher => {}
                    () = shutdown.aborting() => {}
                }
            }
        };
        // Load balancers may send requests until the drain is over, so nginx is looked after until then.
        let kept = async {
            let kept = tokio::select! {
                biased;
                _ = is_finishing.wait_for(|is_finishing| *is_finishing), if ended.is_ok() => Ok(()),
                Err(error) = &mut control, if ended.is_ok() => {
                    trigger.hurry();
                    Err(AppError::from(error))
                }
                else => Ok(()),
            };
            drop(control);
            kept
        };
        let (kept, ()) = futures::join!(kept, lease_given_up);
        ended.and(kept)
    };
    let (ended, left) = futures::join!(until_told, membership);
    if let Some((pusher, metrics)) = last_push {
        pusher.push_last(&metrics).await;
    }
    ended.and(leave::verdict(left, config.shutdown_grace_period))
}

/// What runs until the process is told to end.
struct Serving {
    /// The loop that decides about nginx.
    control: BoxFuture<'static, Result<Infallible, ControlError>>,
    executor: JoinHandle<()>,
    /// What tells the cluster where the Ingresses are served, and what is wrong with them.
    publisher: JoinHandle<()>,
    /// Whether nginx serves what it should.
    ready: watch::Receiver<bool>,
    /// Closed as soon as nobody acts on nginx any more.
    busy: watch::Receiver<()>,
    /// What is pushed when all else is over.
    last_push: Option<(Pusher, Arc<Metrics>)>,
    lock: Lock,
}

impl Serving {
    fn begin(
        config: &Config,
        prepared: Prepared,
        view: View,
        tasks: &mut Tasks,
        shutdown: &Shutdown,
        asked: Asked,
    ) -> Result<Self, AppError> {
        let Prepared {
            nginx,
            found,
            emergencies,
            logs,
            admin,
            health,
            metrics,
            ingress_metrics,
            pusher,
            requests,
            name_server,
            recipe,
            default_pair,
            source,
            lock,
        } = prepared;
        let board = Board::new(health.clone(), ingress_metrics.clone());
        let freshness = source.reader().freshness().clone();

        let page = Arc::new(status_page(board.clone(), &nginx, freshness, view.status));
        let metrics = Arc::new(metrics);
        tasks.spawn("the endpoint for health and metrics", {
            let pages = Pages { health: health.clone(), metrics: Arc::clone(&metrics), status: page };
            admin.serve(pages)
        });
        let last_push = pusher.map(|pusher| (pusher, metrics));
        if let Some((pusher, metrics)) = last_push.clone() {
            tasks.spawn_endless("what pushes metrics", pusher.run(metrics));
        }
        tasks.spawn("the receiver of nginx's log", logs.run());
        let reopen = reopen::run(asked.reopen_logs, nginx.known.subscribe());
        tasks.spawn_endless("what has nginx open its logs again", reopen);

        let (computed, computed_events) = mpsc::channel(1);
        let (verdicts, heard) = mpsc::unbounded_channel();
        let (known_options, endpoints) = follow_nginx(config, &nginx, name_server, &health, tasks);
        let traffic = requests.as_ref().map(|requests| requests.traffic.clone());
        if let Some(Requests { traffic, log }) = requests {
            let reader = requests::follow(log, traffic, nginx.known.subscribe(), health.clone());
            tasks.spawn("the reader of nginx's log of requests", reader);
        }
        let default_pair = default_pair.map(|pair| certificates::follow(pair, config, &health, tasks));
        let look_again = asked.look_again;
        let surroundings =
            Surroundings { nginx: known_options, default_pair, traffic, endpoints, look_again };
        let client = source.client();
        let reader = source.spawn(tasks);
        let lease = config.lease.clone().zip(client);
        let events =
            publish::events(lease.clone(), board.diagnostics(), reader.subscribe(), shutdown.clone());
        let status = publish::status(
            lease.filter(|_| config.frontend.writes_status()),
            config.options.adoption.clone(),
            reader.subscribe(),
            view.endpoints,
            shutdown.clone(),
        );
        let publisher = tokio::spawn(async {
            futures::join!(events, status);
        });
        tasks.spawn(
            "the computation of nginx's configuration",
            compute::run(reader, recipe, surroundings, config.resync_period, heard, computed),
        );

        let (commands, given) = mpsc::unbounded_channel();
        let (events, nginx_events) = mpsc::channel(64);
        tasks.spawn_endless(
            "the watch of nginx's status port",
            stats::watch(nginx.status, nginx.known.subscribe(), ingress_metrics, health, events.clone()),
        );
        if reaper::is_needed() {
            tasks.spawn_endless("the collector of orphans", reaper::run());
        }
        let live_file = nginx.files.live().to_string_lossy().into_owned();
        let budgets = budgets(&config.reload, &nginx);
        tasks.spawn_endless(
            "what makes nginx's status port ready",
            readiness::tell(Arc::clone(&nginx.files), board.readiness()),
        );
        let (acting, busy) = watch::channel(());
        let executor = tokio::spawn(async move {
            nginx.run(Channels { commands: given, emergencies, events }).await;
            drop(acting);
        });
        let settings = prepare::settings(config);
        let ready = board.readiness();
        let control = Control::begin(settings, found, budgets, commands, board, verdicts, live_file)?;
        Ok(Self {
            control: Box::pin(control.run(Events { computed: computed_events, nginx: nginx_events })),
            executor,
            publisher,
            ready,
            busy,
            last_push,
            lock,
        })
    }
}

/// Follows which nginx runs and whether it can work, and answers its questions for endpoints.
fn follow_nginx(
    config: &Config,
    nginx: &Nginx,
    name_server: NameServer,
    health: &Health,
    tasks: &mut Tasks,
) -> (watch::Receiver<Option<NginxOptions>>, Endpoints) {
    let (options, known_options) = watch::channel(None);
    let (config, address) = (config.nginx.clone(), name_server.address());
    let access = access::watch(access::needed(&config), nginx.known.subscribe(), health.clone());
    tasks.spawn_endless("what looks whether nginx's workers may enter their directories", access);
    tasks.spawn(
        "the follower of nginx's version",
        facts::follow(config, address, nginx.known.subscribe(), options, health.clone()),
    );
    let endpoints = Endpoints::default();
    tasks.spawn_endless("the name server for endpoints", name_server.run(endpoints.clone()));
    (known_options, endpoints)
}

/// What `/status` shows at the moment when it is asked.
fn status_page(
    board: Board,
    nginx: &Nginx,
    freshness: Freshness,
    frontends: watch::Receiver<Value>,
) -> impl Fn() -> Value + use<> {
    let (mode, known) = (mode_name(&nginx.mode), nginx.known.subscribe());
    move || {
        let known = known.borrow().clone();
        let nginx = NginxPage {
            mode,
            pid: known.master.map(|master| master.pid().as_raw()),
            version: known.version.map(|version| version.to_string()),
        };
        board.page(&nginx, freshness.age().map(|age| age.as_secs_f64()), &frontends.borrow())
    }
}

/// What reloads are taken from.
fn budgets(reload: &ReloadConfig, nginx: &Arc<Nginx>) -> Budgets {
    let roomy = |tokens| -> Box<dyn Bucket + Send> {
        let nginx = Arc::clone(nginx);
        let lingering = move || nginx.shutting_down_workers();
        Box::new(Roomy::new(tokens, reload.max_shutting_down_workers, lingering))
    };
    Budgets {
        common: roomy(Tokens::new(reload.update_burst, reload.update_period)),
        endpoints: roomy(Tokens::for_endpoints()),
        upstreams: roomy(Tokens::for_upstreams()),
    }
}

fn unexpected(task: &'static str, ended: Result<(), JoinError>) -> AppError {
    let why = ended.map_or_else(|error| error.to_string(), |()| "there was nothing left to do".to_owned());
    AppError::Task { task, why }
}

fn mode_name(mode: &Mode) -> &'static str {
    match mode {
        Mode::Child(_) => "child",
        Mode::Sidecar => "sidecar",
    }
}

#[cfg(test)]
mod tests;
