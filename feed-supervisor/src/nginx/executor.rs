//! Carries out what [`feed_reconcile::apply`] commands: the one task that changes nginx or its files.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::apply::{Command, Configuration, Event, Found, Running, Version as Applied};
use feed_reconcile::nginx::Generation;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tracing::field::Empty;
use tracing::{Instrument, Span, debug, info, info_span, warn};

use super::content::Content;
use super::files::{Files, FilesError, listens_on};
use super::logs::{Emergency, Follower};
use super::master::{Master, MasterError, Program, read_pid};
use super::probe::Version;
use super::status_port::{Served, StatusPort};
use super::{confirm, leftover, process, test};
use crate::runtime::telemetry::failed;

/// How often somebody else's nginx is looked for.
const SEARCH: Duration = Duration::from_millis(100);

/// How long a pid file may name no nginx before it looks as if processes were not shared: after a crash it names the old one until
/// the neighbour is started again.
const UNSEEN: Duration = Duration::from_secs(15);

/// How long a running nginx may take to say what it serves when it is taken over.
const GREETING: Duration = Duration::from_secs(3);

/// How long a dead child's last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Who starts nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// We do.
    Child(Program),
    /// The neighbouring container does.
    Sidecar,
}

/// What is known of the running nginx; followed by whoever wants to know.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its master process, once it is found or started.
    pub master: Option<Arc<Master>>,
    /// Its version; the last one known where it does not run.
    pub version: Option<Version>,
}

/// nginx, as far as it can be touched.
#[derive(Debug)]
pub struct Nginx {
    /// Who starts it.
    pub mode: Mode,
    /// Its files.
    pub files: Arc<Files>,
    /// Where it writes its pid.
    pub pid_file: PathBuf,
    /// Where it tells what it serves.
    pub status: StatusPort,
    /// Its ports for requests.
    pub request_ports: Vec<u16>,
    /// How long it may take to confirm a configuration.
    pub confirm_timeout: Duration,
    /// Who follows its output.
    pub follower: Follower,
    /// What is known of it.
    pub known: watch::Sender<Known>,
}

/// The ends of the channels of [`Nginx::run`].
#[derive(Debug)]
pub struct Channels {
    /// What is to be done.
    pub commands: mpsc::UnboundedReceiver<Command<Content>>,
    /// What nginx complains of.
    pub emergencies: mpsc::Receiver<Emergency>,
    /// What has come of it.
    pub events: mpsc::Sender<Event<Content>>,
}

/// A command that has been carried out.
enum Done {
    Finished(Result<(), String>),
    Started { master: Arc<Master>, confirmed: bool },
}

impl Nginx {
    /// Looks at what an earlier process has left, and takes a running nginx over.
    pub async fn take_over(&self) -> Result<Found<Content>, TakeOverError> {
        let files = Arc::clone(&self.files);
        let left = blocking(move || files.left()).await??;
        let mut running = Running::No;
        if let Some(master) = self.find()? {
            let served = timeout(GREETING, confirm::answers(self.status)).await.ok();
            // A neighbour's nginx that does not answer yet is waited for before anything is rendered for it.
            if served.is_some() || matches!(self.mode, Mode::Child(_)) {
                running = Running::Yes(served.map(|served| served.generation));
                info!(pid = %master.pid(), generation = ?served.map(|served| served.generation.0), "Taking over the running nginx.");
                if matches!(self.mode, Mode::Child(_))
                    && let Err(error) = master.follow_again(&self.follower)
                {
                    debug!(%error, "The running nginx's standard error cannot be read.");
                }
                self.meet(&Arc::new(master), served);
            }
        }
        let confirmed = left.confirmed.map(|(header, bytes)| {
            let content = Content::File { generation: header.generation, bytes: bytes.into() };
            let configuration = Configuration { content, routes: header.routes };
            Applied { generation: header.generation, configuration }
        });
        let startable = confirmed.as_ref().is_some_and(|version| match &version.configuration.content {
            Content::File { bytes, .. } => {
                let mut ports = self.request_ports.iter().chain([&self.status.0]);
                ports.all(|port| listens_on(bytes, *port)) && self.files.has_certificates_of(bytes)
            }
            Content::Rendered { .. } => true,
        });
        Ok(Found { confirmed, startable, named: left.named, running, last: left.last })
    }

    /// Carries commands out until nobody gives any more. A command that comes while another is under way takes its place.
    pub async fn run(self: Arc<Self>, channels: Channels) {
        let master = self.known.borrow().master.clone();
        let mut executor = Executor { nginx: self, channels, master };
        let Closed = executor.run().await;
    }

    async fn carry_out(&self, command: Command<Content>, master: Option<Arc<Master>>) -> Done {
        let files = Arc::clone(&self.files);
        let result = match command {
            Command::Write(Applied { generation, configuration }) => {
                on_disk(move || {
                    let content = &configuration.content;
                    files.write(generation, content.parts(generation), content.certificates())
                })
                .await
            }
            Command::Name(generation) => on_disk(move || files.name(generation)).await,
            Command::Keep(generation) => on_disk(move || files.keep(generation)).await,
            Command::Test(generation) => self.test(generation).await,
            Command::Reload(generation) => self.reload(master, generation).await,
            Command::Start(generation) => match self.start(generation).await {
                Ok(started) => return started,
                Err(text) => Err(text),
            },
            // These are told to others.
            Command::Tell(_) | Command::GiveUp(_) => Ok(()),
        };
        Done::Finished(result)
    }

    async fn test(&self, generation: Generation) -> Result<(), String> {
        match &self.mode {
            Mode::Child(program) => {
                let configuration = self.files.generation(generation);
                test::test(&program.binary, program.version, &configuration, self.files.workdir()).await
            }
            Mode::Sidecar => Ok(()),
        }
    }

    async fn reload(&self, master: Option<Arc<Master>>, generation: Generation) -> Result<(), String> {
        let master = master.ok_or("nginx does not run")?;
        let served =
            confirm::reload(&master, self.status, generation).await.map_err(|error| error.to_string())?;
        self.meet(&master, Some(served));
        Ok(())
    }

    async fn start(&self, generation: Option<Generation>) -> Result<Done, String> {
        match (&self.mode, generation) {
            (Mode::Child(program), Some(generation)) => self.start_child(program, generation).await,
            (Mode::Child(_), None) => Err("there is no configuration to start it with".into()),
            (Mode::Sidecar, generation) => self.await_neighbour(generation).await,
        }
    }

    async fn start_child(&self, program: &Program, generation: Generation) -> Result<Done, String> {
        if let Some(master) = self.find().map_err(|error| error.to_string())? {
            let master = Arc::new(master);
            return Ok(self.bring_to(master, Some(generation)).await);
        }
        self.end_leftover_workers().await;
        let (master, complaint) = program.start(&self.follower).map_err(|error| error.to_string())?;
        let master = Arc::new(master);
        self.meet(&master, None);
        let confirmed = tokio::select! {
            served = confirm::serves(self.status, generation).instrument(info_span!("confirm")) => {
                self.meet(&master, Some(served));
                true
            }
            how = master.gone() => {
                self.part();
                let complaint = timeout(LAST_WORDS, complaint).await.ok().and_then(Result::ok).flatten();
                return Err(complaint.unwrap_or(how));
            }
            () = sleep(self.confirm_timeout) => false,
        };
        info!(pid = %master.pid(), %generation, confirmed, "nginx has started.");
        Ok(Done::Started { master, confirmed })
    }

    /// Ends the workers of a child's master that has died.
    pub async fn end_leftover_workers(&self) {
        leftover::end_workers(read_pid(&self.pid_file), self.files.workdir()).await;
    }

    async fn await_neighbour(&self, generation: Option<Generation>) -> Result<Done, String> {
        let (since, mut warned) = (Instant::now(), false);
        let seen_before = self.known.borrow().version.is_some();
        if seen_before {
            info!("Waiting for the neighbouring nginx to be started again.");
        }
        loop {
            let Some(master) = self.find().map_err(|error| error.to_string())? else {
                let is_odd = !seen_before && !warned && since.elapsed() >= UNSEEN;
                if let Some(pid) =
                    read_pid(&self.pid_file).filter(|_| is_odd && process::has_namespace_of_its_own())
                {
                    warned = true;
                    warn!(
                        file = %self.pid_file.display(),
                        %pid,
                        "The pid file names no nginx master that is seen here; does the pod have shareProcessNamespace?"
                    );
                }
                sleep(SEARCH).await;
                continue;
            };
            let master = Arc::new(master);
            info!(pid = %master.pid(), "The neighbouring nginx is there.");
            tokio::select! {
                done = self.bring_to(Arc::clone(&master), generation) => return Ok(done),
                how = master.gone() => {
                    warn!(%how, "The neighbouring nginx has not come up.");
                    self.part();
                }
            }
        }
    }

    /// Waits until a running nginx serves that generation; if it serves another one, tells it to read its configuration.
    async fn bring_to(&self, master: Arc<Master>, generation: Option<Generation>) -> Done {
        self.meet(&master, None);
        let brought = async {
            let served = confirm::answers(self.status).await;
            self.meet(&master, Some(served));
            match generation {
                None => false,
                Some(generation) if served.generation == generation => true,
                Some(generation) => match confirm::reload(&master, self.status, generation).await {
                    Ok(_) => true,
                    Err(error) => {
                        warn!(%error, "The nginx that was found cannot be brought to the confirmed configuration.");
                        false
                    }
                },
            }
        };
        let confirmed = timeout(self.confirm_timeout, brought).await.unwrap_or(false);
        Done::Started { master, confirmed }
    }

    /// How many old workers finish their last connections; none while nginx does not run.
    pub fn shutting_down_workers(&self) -> usize {
        let master = self.known.borrow().master.clone();
        master.map_or(0, |master| process::shutting_down_workers(master.pid()))
    }

    fn find(&self) -> Result<Option<Master>, MasterError> {
        let live = self.files.live();
        let ours = matches!(self.mode, Mode::Child(_)).then_some(live.as_path());
        Master::find(&self.pid_file, ours)
    }

    /// Tells others of the running nginx.
    fn meet(&self, master: &Arc<Master>, served: Option<Served>) {
        self.known.send_if_modified(|known| {
            let version = served.map(|served| served.version).or(known.version);
            let same = known.master.as_ref().is_some_and(|known| Arc::ptr_eq(known, master));
            let changed = !same || known.version != version;
            *known = Known { master: Some(Arc::clone(master)), version };
            changed
        });
    }

    /// Tells others that nginx runs no more.
    fn part(&self) {
        self.known.send_modify(|known| known.master = None);
    }
}

/// The task that carries commands out.
struct Executor {
    nginx: Arc<Nginx>,
    channels: Channels,
    /// The master whose end is to be told.
    master: Option<Arc<Master>>,
}

/// Nobody gives commands any more, or wants to know what comes of them.
struct Closed;

impl Executor {
    async fn run(&mut self) -> Closed {
        let mut next = None;
        loop {
            let step = match next.take() {
                Some(command) => self.carry_out(command).await,
                None => self.idle().await,
            };
            match step {
                Ok(command) => next = command,
                Err(closed) => return closed,
            }
        }
    }

    /// Waits for a command.
    async fn idle(&mut self) -> Result<Option<Command<Content>>, Closed> {
        tokio::select! {
            command = self.channels.commands.recv() => command.map(Some).ok_or(Closed),
            how = gone(self.master.as_deref()) => {
                self.died();
                self.tell(Event::Died(how)).await
            }
            // What nobody has asked for refuses nothing.
            Some(_) = self.channels.emergencies.recv() => Ok(None),
        }
    }

    /// Carries a command out, unless another comes: that is returned then.
    async fn carry_out(&mut self, command: Command<Content>) -> Result<Option<Command<Content>>, Closed> {
        let nginx = Arc::clone(&self.nginx);
        let span = span(&command);
        let (what, begun) = (name(&command), Instant::now());
        debug!(what, "Begun.");
        let mut effect = pin!(nginx.carry_out(command, self.master.clone()).instrument(span.clone()));
        loop {
            let event = tokio::select! {
                biased;
                command = self.channels.commands.recv() => return command.map(Some).ok_or(Closed),
                Some(emergency) = self.channels.emergencies.recv() => {
                    if self.master.as_ref().is_none_or(|master| master.pid() != emergency.pid) {
                        continue;
                    }
                    failed(&span, &emergency.text);
                    Event::Emergency(emergency.text)
                }
                how = gone(self.master.as_deref()) => {
                    failed(&span, &how);
                    self.died();
                    Event::Died(how)
                }
                done = &mut effect => {
                    done.debug(what, begun.elapsed());
                    return match done {
                    Done::Finished(result) => {
                        if let Err(why) = &result {
                            failed(&span, why);
                        }
                        self.tell(Event::Finished(result)).await
                    }
                    Done::Started { master, confirmed } => {
                        self.master = Some(master);
                        self.tell(Event::Started { confirmed }).await
                    }
                    };
                }
            };
            self.tell(event).await?;
        }
    }

    fn died(&mut self) {
        self.master = None;
        self.nginx.part();
    }

    async fn tell(&self, event: Event<Content>) -> Result<Option<Command<Content>>, Closed> {
        self.channels.events.send(event).await.map(|()| None).map_err(|_| Closed)
    }
}

impl Done {
    /// For who looks closely.
    fn debug(&self, what: &str, took: Duration) {
        match self {
            Self::Finished(Ok(())) => debug!(what, ?took, "Done."),
            Self::Finished(Err(why)) => debug!(what, ?took, why, "Not done."),
            Self::Started { master, confirmed } => {
                debug!(what, ?took, pid = %master.pid(), confirmed, "Done.");
            }
        }
    }
}

/// What a command does.
fn name<C>(command: &Command<C>) -> &'static str {
    match command {
        Command::Write(_) => "write",
        Command::Name(_) => "name",
        Command::Keep(_) => "keep",
        Command::Test(_) => "test",
        Command::Reload(_) => "reload",
        Command::Start(_) => "start",
        Command::Tell(_) | Command::GiveUp(_) => "tell",
    }
}

/// The span of carrying a command out.
fn span(command: &Command<Content>) -> Span {
    let (name, generation) = match command {
        Command::Write(version) => ("write", Some(version.generation)),
        Command::Name(generation) => ("name", Some(*generation)),
        Command::Keep(generation) => ("keep", Some(*generation)),
        Command::Test(generation) => ("test", Some(*generation)),
        Command::Reload(generation) => ("reload", Some(*generation)),
        Command::Start(generation) => ("start", *generation),
        Command::Tell(_) | Command::GiveUp(_) => return Span::none(),
    };
    let generation = generation.map(|generation| generation.0);
    info_span!(
        "nginx",
        otel.name = name,
        generation,
        otel.status_code = Empty,
        otel.status_description = Empty
    )
}

/// Waits for the end of nginx's master, if there is one.
async fn gone(master: Option<&Master>) -> String {
    match master {
        Some(master) => master.gone().await,
        None => std::future::pending().await,
    }
}

/// Why what an earlier process has left cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    /// Its files cannot be read.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Its nginx cannot be watched.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// The thread for files has failed.
    #[error("cannot look at nginx's files: {0}")]
    Thread(#[from] io::Error),
}

async fn on_disk(work: impl FnOnce() -> Result<(), FilesError> + Send + 'static) -> Result<(), String> {
    match blocking(work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(error) => Err(format!("cannot work on nginx's files: {error}")),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, io::Error> {
    Ok(spawn_blocking(work).await?)
}

#[cfg(test)]
mod tests;
