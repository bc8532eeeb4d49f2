//! From the cluster's state to a configuration, whenever that changes.

mod records;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::Reconciler;
use feed_reconcile::certificate::Digest;
use feed_reconcile::desired::DesiredState;
use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::key::ObjectName;
use feed_reconcile::nginx::{Rendered, Renderer, TemplateError};
use feed_reconcile::options::{NginxOptions, Options};
use feed_reconcile::quarantine::Quarantine;
use feed_reconcile::reconcile::Handover;
use feed_reconcile::snapshot::{ClusterSnapshot, Store};
use jiff::Timestamp;
use k8s_openapi::api::networking::v1::Ingress;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};
use tracing::{debug, info_span};

use self::records::Records;
use crate::certificates::default_pair::DefaultPair;
use crate::certificates::examiner::Examiner;
use crate::certificates::overview::Entry;
use crate::nginx::endpoints::Endpoints;
use crate::runtime::source::{SourceReader, SourceState};
use crate::traffic::Traffic;

/// For how long at most nothing is computed: the clock by which certificates begin and end may be set.
const LONGEST_REST: Duration = Duration::from_hours(1);

/// A certificate is valid during all of its last second.
const A_MOMENT: Duration = Duration::from_secs(1);

/// Why nothing can be computed.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The user's own template cannot be read.
    #[error("cannot read the nginx template {}: {source} (--nginx-template)", path.display())]
    Template {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A template cannot be rendered.
    #[error("{0} (--nginx-template)")]
    Render(#[from] TemplateError),
    /// The computation itself has failed.
    #[error("the computation of nginx's configuration has failed: {0}")]
    Failed(#[source] io::Error),
    /// Nobody wants to know any more.
    #[error("nobody takes what is computed")]
    Unheard,
}

/// What was computed from one state of the cluster.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The configuration, or why a user's own template cannot be rendered with this state.
    pub rendered: Result<Rendered, String>,
    /// The Ingresses that are served: those that nginx refuses are not among them.
    pub admitted: Store<Ingress>,
    /// Everything that is wrong with the cluster's objects.
    pub diagnostics: Arc<Diagnostics>,
    /// What passes from one Ingress to another with it.
    pub handovers: Vec<Handover>,
    /// How many Ingresses are kept away from nginx.
    pub quarantined: usize,
    /// Whether somebody innocent may be kept away as well, since the one at fault is still searched for.
    pub searching: bool,
    /// How many Ingresses are adopted.
    pub ingresses: usize,
    /// The certificates in use.
    pub certificates: Arc<[Entry]>,
    /// When the oldest change was seen that is in it; `None` when nothing has changed.
    pub changed_at: Option<Instant>,
}

/// What nginx thinks of what was computed.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It serves what was computed from these.
    Taken(Store<Ingress>),
    /// It refuses what was computed from these.
    Refused {
        /// The Ingresses.
        ingresses: Store<Ingress>,
        /// Who or what is at fault, as far as nginx says so.
        at_fault: AtFault,
        /// Its own text.
        text: String,
        /// Whether it serves something else meanwhile.
        serves: bool,
    },
}

/// What nginx says is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtFault {
    /// It names no line.
    Unknown,
    /// One of the Ingresses behind the line that it names.
    Ingresses(BTreeSet<ObjectName>),
    /// A line that no Ingress has asked for: a flag, nginx's modules, or a user's own template.
    NoIngress,
    /// The certificate whose file it names.
    Certificate(Digest),
}

/// How configurations are computed.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What to serve.
    pub options: Options,
    /// The user's own template's source.
    pub template: Option<String>,
    /// Where is remembered which Ingresses nginx refuses.
    pub records: PathBuf,
}

impl Recipe {
    /// Reads the user's own template, if there is one.
    pub fn new(options: Options, template: Option<PathBuf>, records: PathBuf) -> Result<Self, ComputeError> {
        let template = template
            .map(|path| fs::read_to_string(&path).map_err(|source| ComputeError::Template { path, source }));
        Ok(Self { options, template: template.transpose()?, records })
    }

    /// Checks that the template can be rendered at all.
    pub fn check(&self, nginx: NginxOptions) -> Result<(), ComputeError> {
        self.renderer(nginx)?.update(&DesiredState::default())?;
        Ok(())
    }

    fn renderer(&self, nginx: NginxOptions) -> Result<Renderer, TemplateError> {
        let defaults = self.options.defaults.clone();
        match &self.template {
            Some(template) => Renderer::with_template(template, nginx, defaults),
            None => Renderer::new(nginx, defaults),
        }
    }
}

/// What a configuration is computed from beside the cluster's objects.
#[derive(Debug)]
pub struct Surroundings {
    /// What the machine and the nginx on it can do.
    pub nginx: watch::Receiver<Option<NginxOptions>>,
    /// The default certificate, where there is TLS.
    pub default_pair: Option<watch::Receiver<DefaultPair>>,
    /// Who counts requests, if they are counted.
    pub traffic: Option<Traffic>,
    /// Where nginx finds the endpoints of Services.
    pub endpoints: Endpoints,
    /// An operator's wish that everything is computed again.
    pub look_again: Arc<Notify>,
}

/// Keeps what was computed before, so that a change costs no more than what it touches.
struct Engine {
    recipe: Recipe,
    reconciler: Reconciler,
    renderer: Renderer,
    quarantine: Quarantine,
    records: Records,
    examiner: Examiner,
    /// When a certificate begins or ends to be valid.
    look_again_at: Option<Timestamp>,
}

impl Engine {
    fn new(recipe: Recipe, nginx: NginxOptions) -> Result<Self, TemplateError> {
        let (reconciler, renderer) = (Reconciler::new(recipe.options.clone()), recipe.renderer(nginx)?);
        let (records, record) = Records::open(recipe.records.clone());
        Ok(Self {
            recipe,
            reconciler,
            renderer,
            quarantine: Quarantine::restore(record),
            records,
            examiner: Examiner::default(),
            look_again_at: None,
        })
    }

    /// Forgets what was computed, but not what nginx thinks of it.
    fn renew(&mut self, nginx: NginxOptions) -> Result<(), TemplateError> {
        self.renderer = self.recipe.renderer(nginx)?;
        self.examiner = Examiner::default();
        self.reconciler = Reconciler::new(self.recipe.options.clone());
        Ok(())
    }

    fn update(
        &mut self,
        state: &SourceState,
        default_pair: Option<&DefaultPair>,
        traffic: Option<&Traffic>,
        endpoints: &Endpoints,
    ) -> Computed {
        let _computing = info_span!("compute").entered();
        let admitted = self.quarantine.admit(&state.snapshot.ingresses);
        let mut snapshot = self.with_closed(&admitted, &state.snapshot);
        let options = &self.recipe.options;
        self.look_again_at = self.examiner.examine(&mut snapshot, options, Timestamp::now());
        snapshot.default_certificate = default_pair.map(|pair| pair.certificate.pair.clone());
        info_span!("reconcile").in_scope(|| self.reconciler.update(&snapshot));
        let reconciled = self.reconciler.reconciled();
        if let Some(traffic) = traffic {
            traffic.declare(&reconciled.state);
        }
        endpoints.declare(&reconciled.state);
        let mut diagnostics: BTreeSet<_> =
            reconciled.diagnostics.union(&state.diagnostics).cloned().collect();
        diagnostics.extend(self.quarantine.diagnostics());
        self.records.keep(self.quarantine.record());
        let rendered = info_span!("render").in_scope(|| self.renderer.update(&reconciled.state));
        Computed {
            rendered: rendered.map_err(|error| error.to_string()),
            admitted,
            diagnostics: Arc::new(diagnostics),
            handovers: self.reconciler.handovers().to_vec(),
            quarantined: self.quarantine.quarantined().count(),
            searching: self.quarantine.is_searching(),
            ingresses: reconciled.state.ingresses.len(),
            certificates: default_pair
                .map(DefaultPair::entry)
                .into_iter()
                .chain(self.examiner.entries())
                .collect(),
            changed_at: state.changed_at,
        }
    }

    /// The snapshot with those Ingresses, and those that only keep their paths.
    fn with_closed(&self, admitted: &Store<Ingress>, snapshot: &ClusterSnapshot) -> ClusterSnapshot {
        let mut ingresses = admitted.clone();
        let mut closed = BTreeSet::new();
        for ingress in self.quarantine.closed() {
            closed.insert(ObjectName::of(&ingress.metadata));
            ingresses.insert(Arc::clone(ingress));
        }
        ClusterSnapshot { ingresses, closed: Arc::new(closed), ..snapshot.clone() }
    }

    /// Hears what nginx thinks. Says whether something else is to be tried for it.
    fn hear(&mut self, verdict: Verdict) -> bool {
        let adopted = &self.reconciler.reconciled().state.ingresses;
        let goes_on = match verdict {
            Verdict::Taken(ingresses) => self.quarantine.taken(ingresses),
            Verdict::Refused { ingresses, at_fault, text, serves } => {
                let adopted = |name: &ObjectName| adopted.contains_key(name);
                let named = match at_fault {
                    AtFault::Unknown => BTreeSet::new(),
                    AtFault::Ingresses(named) => named,
                    AtFault::NoIngress => return false,
                    AtFault::Certificate(digest) => return self.examiner.refuse(digest, &text),
                };
                self.quarantine.refused(&ingresses, &named, &text, serves, adopted)
            }
        };
        self.records.keep(self.quarantine.record());
        goes_on
    }

    /// How long nothing can change by itself.
    fn rests_for(&self) -> Duration {
        let until = self.look_again_at.map(|at| at.duration_since(Timestamp::now()));
        until
            .map_or(LONGEST_REST, |until| Duration::try_from(until).unwrap_or_default() + A_MOMENT)
            .min(LONGEST_REST)
    }
}

/// Computes a configuration whenever the cluster's state, what it is computed from beside that, or what nginx thinks of an
/// Ingress has changed; and every `resync_period`, or when an operator wants it, all of it anew. Nothing is computed before the cluster and nginx are known. Who
/// counts requests is told what is declared before it can be served.
pub async fn run(
    mut source: SourceReader,
    recipe: Recipe,
    surroundings: Surroundings,
    resync_period: Duration,
    mut verdicts: mpsc::UnboundedReceiver<Verdict>,
    computed: mpsc::Sender<Computed>,
) -> Result<Infallible, ComputeError> {
    let Surroundings { mut nginx, mut default_pair, traffic, endpoints, look_again } = surroundings;
    let mut resync = interval_at(Instant::now() + resync_period, resync_period);
    resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut options = known(&mut nginx).await?;
    let mut state = source.changed().await;
    let mut engine = Engine::new(recipe, options.clone())?;
    loop {
        let pair = default_pair.as_mut().map(|pair| pair.borrow_and_update().clone());
        let (traffic, endpoints) = (traffic.clone(), endpoints.clone());
        let update =
            move || (engine.update(&state, pair.as_ref(), traffic.as_ref(), &endpoints), state, engine);
        let begun = Instant::now();
        let updated = spawn_blocking(update).await.map_err(|error| ComputeError::Failed(error.into()))?;
        let result;
        (result, state, engine) = updated;
        debug!(took = ?begun.elapsed(), changed = state.changed_at.is_some(), "Computed.");
        computed.send(result).await.map_err(|_| ComputeError::Unheard)?;
        state.changed_at = None;
        let rest = engine.rests_for();
        tokio::select! {
            newer = source.changed() => state = newer,
            changed = known_differently(&mut nginx, &options) => {
                options = changed?;
                engine.renew(options.clone())?;
            }
            () = something_else_to_try(&mut engine, &mut verdicts) => {}
            () = all_of_it(&mut resync, &look_again) => {
                engine.renew(options.clone())?;
                engine.quarantine.doubt();
            }
            changed = replaced(default_pair.as_mut()) => changed?,
            () = sleep(rest) => {}
        }
    }
}

/// Waits until all of it is to be computed anew.
async fn all_of_it(resync: &mut Interval, look_again: &Notify) {
    tokio::select! {
        _ = resync.tick() => {}
        () = look_again.notified() => {}
    }
}

async fn replaced(pair: Option<&mut watch::Receiver<DefaultPair>>) -> Result<(), ComputeError> {
    match pair {
        Some(pair) => pair.changed().await.map_err(|_| ComputeError::Unheard),
        None => std::future::pending().await,
    }
}

/// Hears what nginx thinks until something else is to be tried for it.
async fn something_else_to_try(engine: &mut Engine, verdicts: &mut mpsc::UnboundedReceiver<Verdict>) {
    while let Some(verdict) = verdicts.recv().await {
        if engine.hear(verdict) {
            return;
        }
    }
    std::future::pending::<()>().await;
}

async fn known(nginx: &mut watch::Receiver<Option<NginxOptions>>) -> Result<NginxOptions, ComputeError> {
    let known = nginx.wait_for(Option::is_some).await.map_err(|_| ComputeError::Unheard)?;
    known.clone().ok_or(ComputeError::Unheard)
}

async fn known_differently(
    nginx: &mut watch::Receiver<Option<NginxOptions>>,
    options: &NginxOptions,
) -> Result<NginxOptions, ComputeError> {
    let is_new = |known: &Option<NginxOptions>| known.as_ref().is_some_and(|known| known != options);
    let known = nginx.wait_for(is_new).await.map_err(|_| ComputeError::Unheard)?;
    known.clone().ok_or(ComputeError::Unheard)
}

#[cfg(test)]
mod tests;
