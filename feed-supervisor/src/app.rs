//! Wiring: everything that is spawned is spawned here, and here is the order in which the process begins and ends.

mod prepare;
mod publish;
mod tasks;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::sleep;
use tracing::{error, warn};

use self::prepare::Prepared;
use self::tasks::Tasks;
use crate::board::{Board, NginxPage};
use crate::compute::{self, ComputeError};
use crate::config::Config;
use crate::control::{Control, ControlError, Events};
use crate::frontend;
use crate::nginx::executor::{Channels, Mode, Nginx, TakeOverError};
use crate::nginx::files::{FilesError, Lock};
use crate::nginx::leave::LeaveError;
use crate::nginx::logs::LogsError;
use crate::nginx::ports::PortError;
use crate::nginx::probe::ProbeError;
use crate::nginx::{facts, stats};
use crate::reaper;
use crate::runtime::admin::{AdminError, Pages};
use crate::runtime::health::Condition;
use crate::runtime::kubernetes::ClientError;
use crate::runtime::shutdown::{self, Shutdown, Trigger};
use crate::runtime::source::manifests::ManifestError;
use crate::tokens::Tokens;

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
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Logs(#[from] LogsError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error(transparent)]
    Compute(#[from] ComputeError),
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{task} has ended unexpectedly: {why}")]
    Task { task: &'static str, why: String },
    #[error("ended by a second signal, before nginx had finished")]
    Aborted,
    #[error("nginx had not finished within {0:?} (--shutdown-grace-period)")]
    GracePeriodOver(Duration),
    #[error(transparent)]
    Leave(#[from] LeaveError),
}

/// Serves until the process is told to end, and then leaves: nothing is ready any more, requests are finished, then nginx.
///
/// # Errors
///
/// When it cannot begin, when a part of it fails that nothing can go on without, or when it cannot leave in time.
pub async fn run(config: Config) -> Result<(), AppError> {
    let (trigger, shutdown) = shutdown::on_signals().map_err(AppError::Signals)?;
    serve(config, &trigger, shutdown).await
}

async fn serve(config: Config, trigger: &Trigger, mut shutdown: Shutdown) -> Result<(), AppError> {
    let prepared = Prepared::new(&config).await?;
    let (nginx, health) = (Arc::clone(&prepared.nginx), prepared.health.clone());
    let mut tasks = Tasks::default();
    let serving = Serving::begin(&config, prepared, &mut tasks, &shutdown)?;
    let Serving { control, events, mut executor, mut publisher, lock: _lock } = serving;

    let ended = tokio::select! {
        biased;
        () = shutdown.draining() => Ok(()),
        Err(error) = control.run(events) => Err(AppError::from(error)),
        (task, why) = tasks.failed() => Err(AppError::Task { task, why }),
        ended = &mut executor => Err(unexpected("what acts on nginx", ended)),
        ended = &mut publisher => Err(unexpected("what writes Ingress status", ended)),
    };
    if let Err(error) = &ended {
        warn!("Leaving: {error}.");
    }
    trigger.drain();
    health.report("shutdown", Condition::NotReady("this process is about to end".into()));
    let left = leave(&nginx, [executor, publisher], config.shutdown_grace_period, &mut shutdown).await;
    ended.and(left)
}

/// What runs until the process is told to end.
struct Serving {
    control: Control,
    events: Events,
    executor: JoinHandle<()>,
    /// What tells others where the Ingresses are served.
    publisher: JoinHandle<()>,
    lock: Lock,
}

impl Serving {
    fn begin(
        config: &Config,
        prepared: Prepared,
        tasks: &mut Tasks,
        shutdown: &Shutdown,
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
            recipe,
            source,
            lock,
        } = prepared;
        let board = Board::new(health.clone(), ingress_metrics.clone());
        let freshness = source.reader().freshness().clone();
        ingress_metrics.frontends_attached(0);

        let page = {
            let (board, known) = (board.clone(), nginx.known.subscribe());
            let (mode, frontends) = (mode_name(&nginx.mode), frontend::page(&config.frontend));
            Arc::new(move || {
                let known = known.borrow().clone();
                let nginx = NginxPage {
                    mode,
                    pid: known.master.map(|master| master.pid().as_raw()),
                    version: known.version.map(|version| version.to_string()),
                };
                board.page(&nginx, freshness.age().map(|age| age.as_secs_f64()), &frontends)
            })
        };
        tasks.spawn("the endpoint for health and metrics", {
            let pages = Pages { health: health.clone(), metrics: Arc::new(metrics), status: page };
            admin.serve(pages)
        });
        tasks.spawn("the receiver of nginx's log", logs.run());

        let (computed, computed_events) = mpsc::channel(1);
        let (options, known_options) = watch::channel(None);
        tasks.spawn(
            "the follower of nginx's version",
            facts::follow(config.nginx.clone(), nginx.known.subscribe(), options, health.clone()),
        );
        let client = source.client();
        let reader = source.spawn(tasks);
        let publisher = tokio::spawn(publish::run(
            config.frontend.clone(),
            config.options.adoption.clone(),
            client,
            reader.subscribe(),
            board.readiness(),
            shutdown.clone(),
        ));
        tasks.spawn(
            "the computation of nginx's configuration",
            compute::run(reader, recipe, known_options, config.resync_period, computed),
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
        let executor =
            tokio::spawn(Arc::clone(&nginx).run(Channels { commands: given, emergencies, events }));
        let reload = &config.reload;
        let bucket = Box::new(Tokens::new(reload.update_burst, reload.update_period));
        let settings = prepare::settings(config);
        let control = Control::begin(settings, found, bucket, commands, board, live_file)?;
        Ok(Self {
            control,
            events: Events { computed: computed_events, nginx: nginx_events },
            executor,
            publisher,
            lock,
        })
    }
}

/// Ends nginx, in time or by force.
async fn leave(
    nginx: &Nginx,
    ending: [JoinHandle<()>; 2],
    grace_period: Duration,
    shutdown: &mut Shutdown,
) -> Result<(), AppError> {
    let graceful = async {
        for task in ending {
            if !task.is_finished()
                && let Err(error) = task.await
            {
                error!(%error, "A task has failed.");
            }
        }
        nginx.leave().await
    };
    let left = tokio::select! {
        left = graceful => left.map_err(AppError::from),
        () = shutdown.aborting() => Err(AppError::Aborted),
        () = sleep(grace_period) => Err(AppError::GracePeriodOver(grace_period)),
    };
    if left.is_err()
        && let Err(error) = nginx.abort().await
    {
        error!(%error, "nginx cannot be ended.");
    }
    left
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
