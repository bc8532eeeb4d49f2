//! A real nginx in a directory of its own, for tests.

pub(crate) mod port;

use std::ffi::OsString;
use std::fs::Permissions;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::apply::{Command, Configuration, Event, Version as Applied};
use feed_reconcile::nginx::Generation;
use feed_reconcile::options::NginxOptions;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use self::port::Port;
use super::content::Content;
use super::executor::{Channels, Known, Mode, Nginx};
use super::files::Files;
use super::logs::Logs;
use super::master::{Program, read_pid};
use super::probe;
use super::process;
use super::status_port::StatusPort;
use crate::cli;
use crate::config::{Config, NginxFacts};

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory, two ports, and whatever nginx runs with them; that nginx is ended with it.
pub(crate) struct Place {
    _directory: TempDir,
    pub(crate) workdir: PathBuf,
    pub(crate) http_port: u16,
    pub(crate) status_port: u16,
    _ports: [Port; 2],
}

impl Place {
    pub(crate) fn new() -> Self {
        // nginx's workers are another user's processes when the test is root's.
        let directory =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap();
        let workdir = directory.path().join("workdir");
        let ports = [Port::claim(), Port::claim()];
        Self {
            _directory: directory,
            workdir,
            http_port: ports[0].number,
            status_port: ports[1].number,
            _ports: ports,
        }
    }

    pub(crate) fn files(&self) -> Files {
        Files::new(&self.workdir, false)
    }

    /// What `feed-ingress none` makes of flags for this place and these.
    pub(crate) fn config(&self, flags: &str) -> Config {
        let Self { workdir, http_port, status_port, .. } = self;
        let line = format!(
            "feed-ingress none --ingress-class=test --ingress-port={http_port} --ingress-health-port={status_port} \
             --nginx-workdir={} {flags}",
            workdir.display()
        );
        let command = cli::parse(line.split_ascii_whitespace().map(OsString::from), |_| None).unwrap();
        let cli::Command::Run(config) = command else { panic!("{command:?}") };
        *config
    }

    /// The options of a configuration for this place.
    pub(crate) fn options(&self) -> NginxOptions {
        self.config("").nginx.options(NginxFacts::default())
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.workdir.join("nginx.pid")
    }

    pub(crate) fn status(&self) -> StatusPort {
        StatusPort(self.status_port)
    }

    pub(crate) fn master(&self) -> Option<Pid> {
        read_pid(&self.pid_file()).filter(|pid| process::is_master(*pid, None))
    }

    pub(crate) async fn program(&self) -> Program {
        Program {
            binary: "nginx".into(),
            version: probe::version(Path::new("nginx")).await.unwrap(),
            configuration: self.files().live(),
            workdir: self.workdir.clone(),
        }
    }

    /// A configuration that answers `body` to everything; `extra` stands in `http{}`.
    pub(crate) fn text(&self, generation: u64, body: &str, extra: &str) -> String {
        let Self { workdir, http_port, status_port, .. } = self;
        let workdir = workdir.display();
        format!(
            "# feed generation={generation} routes=1\n\
            worker_processes 1;\npid {workdir}/nginx.pid;\n\
            error_log syslog:server=unix:{workdir}/errors.sock,nohostname warn;\n\
            events {{ worker_connections 64; }}\n\
            http {{\n access_log off;\n client_body_temp_path {workdir}/temp/a;\n proxy_temp_path {workdir}/temp/b;\n \
            fastcgi_temp_path {workdir}/temp/c;\n uwsgi_temp_path {workdir}/temp/d;\n scgi_temp_path {workdir}/temp/e;\n\
            {extra}\n\
            server {{\n listen {status_port};\n keepalive_timeout 0;\n \
            location = /generation {{ return 200 \"{generation} $nginx_version\\n\"; }}\n \
            location = /basic_status {{ stub_status; }}\n }}\n\
            server {{\n listen {http_port};\n location / {{ return 200 \"{body}\\n\"; }}\n \
            location = /slow {{ limit_rate 100; limit_rate_after 1; return 200 \"{}\"; }}\n }}\n}}\n",
            "x".repeat(200),
        )
    }

    pub(crate) fn version(&self, generation: u64, body: &str, extra: &str) -> Applied<Content> {
        let bytes = self.text(generation, body, extra).into_bytes().into();
        let generation = Generation(generation);
        let content = Content::File { generation, bytes };
        Applied { generation, configuration: Configuration { content, routes: 1 } }
    }

    /// What a request is answered with; empty if it is not answered.
    pub(crate) async fn get(&self) -> String {
        let answer = async {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http_port)).await?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = answer.await.unwrap_or_default();
        answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.trim_end().to_owned())
    }

    /// A process that carries commands out, as if `feed-ingress` had just been started.
    pub(crate) fn process(&self, mode: Mode) -> Process {
        self.files().prepare().unwrap();
        let (logs, follower, emergencies) = Logs::bind(&self.files().errors_socket()).unwrap();
        let (known, _) = watch::channel(Known::default());
        let nginx = Arc::new(Nginx {
            mode,
            files: Arc::new(self.files()),
            pid_file: self.pid_file(),
            status: self.status(),
            request_ports: vec![self.http_port],
            confirm_timeout: PATIENCE,
            follower,
            known,
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        let (events, outcomes) = mpsc::channel(16);
        let running = Running {
            nginx: Arc::clone(&nginx),
            channels: Some(Channels { commands: receiver, emergencies, events }),
        };
        let tasks = vec![tokio::spawn(async move { logs.run().await.unwrap() })];
        Process { nginx, running, commands, outcomes, tasks }
    }

    pub(crate) async fn child(&self) -> Process {
        let mut process = self.process(Mode::Child(self.program().await));
        process.run();
        process
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let group = read_pid(&self.pid_file());
        let workers = process::leftover_workers(group, &self.workdir);
        for pid in self.master().into_iter().chain(workers) {
            let _gone = kill(pid, Signal::SIGKILL);
        }
        for process in process::all().into_iter().filter(|process| Some(process.group) == group) {
            let _gone = kill(process.pid, Signal::SIGKILL);
        }
    }
}

struct Running {
    nginx: Arc<Nginx>,
    channels: Option<Channels>,
}

/// What a `feed-ingress` does to nginx; killed when dropped.
pub(crate) struct Process {
    pub(crate) nginx: Arc<Nginx>,
    running: Running,
    pub(crate) commands: mpsc::UnboundedSender<Command<Content>>,
    pub(crate) outcomes: mpsc::Receiver<Event<Content>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Process {
    /// Begins to carry out commands.
    pub(crate) fn run(&mut self) {
        if let Some(channels) = self.running.channels.take() {
            let nginx = Arc::clone(&self.running.nginx);
            self.tasks.push(tokio::spawn(async move { nginx.run(channels).await }));
        }
    }

    /// Gives a command, and waits for what comes of it.
    pub(crate) async fn command(&mut self, command: Command<Content>) -> Event<Content> {
        self.commands.send(command).unwrap();
        self.outcome().await
    }

    pub(crate) async fn outcome(&mut self) -> Event<Content> {
        timeout(PATIENCE, self.outcomes.recv()).await.expect("an outcome in time").expect("a running task")
    }

    /// Brings a configuration to a stopped nginx.
    pub(crate) async fn start(&mut self, version: Applied<Content>) {
        let generation = version.generation;
        for command in [Command::Write(version), Command::Test(generation), Command::Name(generation)] {
            assert_eq!(self.command(command).await, Event::Finished(Ok(())));
        }
        let started = self.command(Command::Start(Some(generation))).await;
        assert_eq!(started, Event::Started { confirmed: true });
        assert_eq!(self.command(Command::Keep(generation)).await, Event::Finished(Ok(())));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Polls until it is true.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
