//! What is checked, opened and looked at before anything is started: each failure is one sentence.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use feed_reconcile::apply::{Found, Running, Settings};
use feed_reconcile::key::ObjectKind;
use kube::Client;
use tokio::sync::{mpsc, watch};

use super::tasks::Tasks;
use super::{AppError, certificates};
use crate::certificates::default_pair::DefaultPair;
use crate::compute::Recipe;
use crate::config::{self, Config};
use crate::metrics::{self, IngressMetrics};
use crate::nginx::content::Content;
use crate::nginx::executor::{Known, Mode, Nginx};
use crate::nginx::files::{Files, Lock};
use crate::nginx::logs::{Emergency, Follower, Logs};
use crate::nginx::master::Program;
use crate::nginx::name_server::NameServer;
use crate::nginx::ports::PortError;
use crate::nginx::probe::{self, Version};
use crate::nginx::requests::RequestLog;
use crate::nginx::status_port::StatusPort;
use crate::nginx::{facts, observed, ports};
use crate::runtime::admin::Admin;
use crate::runtime::health::{Condition, Health};
use crate::runtime::kubernetes;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::metrics::Metrics;
use crate::runtime::push::Pusher;
use crate::runtime::source::SourceReader;
use crate::runtime::source::kube::KubeSource;
use crate::runtime::source::manifests::ManifestSource;
use crate::traffic::Traffic;

/// Everything that the process begins with.
pub(super) struct Prepared {
    pub(super) nginx: Arc<Nginx>,
    pub(super) found: Found<Content>,
    pub(super) emergencies: mpsc::Receiver<Emergency>,
    pub(super) logs: Logs,
    pub(super) admin: Admin,
    pub(super) health: Health,
    pub(super) metrics: Metrics,
    pub(super) ingress_metrics: IngressMetrics,
    pub(super) pusher: Option<Pusher>,
    pub(super) requests: Option<Requests>,
    pub(super) name_server: NameServer,
    pub(super) recipe: Recipe,
    pub(super) default_pair: Option<DefaultPair>,
    pub(super) source: Source,
    pub(super) lock: Lock,
}

impl Prepared {
    /// What exists already is touched last, when nothing else can go wrong.
    pub(super) async fn new(config: &Config) -> Result<Self, AppError> {
        let version =
            if config.nginx.is_sidecar() { None } else { Some(probe::version(&config.nginx.binary).await?) };
        let recipe = Recipe::new(
            config.options.clone(),
            config.nginx.template.clone(),
            config.nginx.workdir().join("quarantine.json"),
        )?;
        recipe.check(facts::options(&config.nginx, version.unwrap_or(Version::OLDEST), None))?;
        observed::check_tracer(&config.nginx)?;
        let default_pair = certificates::read(config)?;
        let admin = Admin::bind(config.health_port).await?;

        let health = Health::new();
        // The board replaces this as soon as it is told something; until then nobody may be told to send requests.
        health.report("nginx", Condition::NotReady("feed-ingress is starting".into()));
        let mut metrics = Metrics::new("feed_ingress");
        let source = Source::open(config, &mut metrics, &health).await?;
        let ingress_metrics = IngressMetrics::register(&mut metrics, &health, source.reader().freshness());
        let push = config.push.as_ref();
        let pusher = push.map(|push| Pusher::new(push, "feed-ingress", &mut metrics)).transpose()?;

        let files = Files::new(config.nginx.workdir(), config.nginx.is_sidecar());
        files.prepare()?;
        observed::prepare_access_log(&config.nginx)?;
        let lock = files.lock()?;
        files.clear_drained()?;
        let requests = Requests::open(config, &files, &mut metrics)?;
        let name_server = NameServer::bind(&files.name_server_port()).await?;
        let (logs, follower, emergencies) = Logs::bind(&files.errors_socket())?;
        let nginx = Arc::new(nginx(config, files, version, follower));
        metrics::register_old_workers(&mut metrics, {
            let nginx = Arc::clone(&nginx);
            move || nginx.shutting_down_workers()
        });
        let found = nginx.take_over().await?;
        if matches!((&nginx.mode, found.running), (Mode::Child(_), Running::No)) {
            nginx.end_leftover_workers().await;
            check_ports(config)?;
        }
        Ok(Self {
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
        })
    }
}

fn check_ports(config: &Config) -> Result<(), PortError> {
    let nginx = &config.nginx;
    let named = [
        (nginx.http_port(), "--ingress-port"),
        (nginx.https_port(), "--ingress-https-port"),
        (Some(nginx.status_port()), "--ingress-health-port"),
    ];
    for (port, flag) in named {
        port.map_or(Ok(()), |port| ports::check_free(port, flag))?;
    }
    Ok(())
}

/// What counts requests.
pub(super) struct Requests {
    pub(super) traffic: Traffic,
    pub(super) log: RequestLog,
}

impl Requests {
    fn open(config: &Config, files: &Files, metrics: &mut Metrics) -> Result<Option<Self>, AppError> {
        if !config.nginx.counts_requests() {
            return Ok(None);
        }
        let log = RequestLog::open(files.request_log(), files.is_shared())?;
        Ok(Some(Self { traffic: Traffic::register(metrics, &config.request_buckets), log }))
    }
}

fn nginx(config: &Config, files: Files, version: Option<Version>, follower: Follower) -> Nginx {
    let (known, _) = watch::channel(Known { master: None, version });
    Nginx {
        mode: mode(config, &files, version),
        files: Arc::new(files),
        pid_file: config.nginx.pid_file().to_owned(),
        status: StatusPort(config.nginx.status_port()),
        request_ports: config.nginx.request_ports(),
        confirm_timeout: config.reload.confirm_timeout,
        follower,
        known,
    }
}

fn mode(config: &Config, files: &Files, version: Option<Version>) -> Mode {
    match version {
        None => Mode::Sidecar,
        Some(version) => Mode::Child(Program {
            binary: absolute(&config.nginx.binary),
            version,
            configuration: files.live(),
            workdir: files.workdir().to_owned(),
        }),
    }
}

/// A relative path is meant from our directory, not from nginx's; a mere name is looked for in `PATH`.
pub(super) fn absolute(binary: &Path) -> std::path::PathBuf {
    let is_name = binary.components().count() == 1 && binary.parent() == Some(Path::new(""));
    if is_name {
        binary.to_owned()
    } else {
        std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned())
    }
}

/// What the machine that applies configurations has to know.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        sidecar: config.nginx.is_sidecar(),
        confirm_timeout: config.reload.confirm_timeout,
        max_restarts: config.reload.max_restarts,
        allow_empty: config.reload.allow_empty,
    }
}

/// Where the cluster's objects come from.
pub(super) enum Source {
    Kubernetes(KubeSource, SourceReader, Client),
    Manifests(ManifestSource, SourceReader),
}

impl Source {
    async fn open(config: &Config, metrics: &mut Metrics, health: &Health) -> Result<Self, AppError> {
        match &config.source {
            config::Source::Manifests(directory) => {
                let (source, reader) = ManifestSource::open(directory.clone()).await?;
                Ok(Self::Manifests(source, reader))
            }
            config::Source::Kubernetes { kubeconfig } => {
                let api = kubernetes::config(kubeconfig.as_deref()).await?;
                let calls = ApiCalls::register(metrics);
                let client = kubernetes::client(api.clone(), &ObserveLayer::new(calls.clone()))?;
                let (mut source, reader) = KubeSource::new(api, kinds(config), calls, health.clone())?;
                if !config.options.tls {
                    source = source.without_keys();
                }
                Ok(Self::Kubernetes(source, reader, client))
            }
        }
    }

    pub(super) fn reader(&self) -> &SourceReader {
        match self {
            Self::Kubernetes(_, reader, _) | Self::Manifests(_, reader) => reader,
        }
    }

    /// A client of the API that the objects come from, if they do.
    pub(super) fn client(&self) -> Option<Client> {
        match self {
            Self::Kubernetes(_, _, client) => Some(client.clone()),
            Self::Manifests(..) => None,
        }
    }

    /// Begins to follow the objects' changes.
    pub(super) fn spawn(self, tasks: &mut Tasks) -> SourceReader {
        match self {
            Self::Kubernetes(source, reader, _) => {
                tasks.spawn("the watch of the Kubernetes API", source.run());
                reader
            }
            Self::Manifests(source, reader) => {
                tasks.spawn("the watch of the manifests", source.run());
                reader
            }
        }
    }
}

/// The kinds of objects that decide what is served. Namespaces only where they are selected by label.
fn kinds(config: &Config) -> BTreeSet<ObjectKind> {
    let mut kinds = BTreeSet::from([
        ObjectKind::Ingress,
        ObjectKind::IngressClass,
        ObjectKind::Service,
        ObjectKind::Secret,
        ObjectKind::EndpointSlice,
    ]);
    if !config.options.adoption.namespace_selectors.is_empty() {
        kinds.insert(ObjectKind::Namespace);
    }
    kinds
}
