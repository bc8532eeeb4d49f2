//! From the cluster's state to a configuration, whenever that changes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::Reconciler;
use feed_reconcile::desired::DesiredState;
use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::nginx::{Rendered, Renderer, TemplateError};
use feed_reconcile::options::{NginxOptions, Options};
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::runtime::source::{SourceReader, SourceState};
use crate::traffic::Traffic;

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
    /// Everything that is wrong with the cluster's objects.
    pub diagnostics: Arc<Diagnostics>,
    /// How many Ingresses are adopted.
    pub ingresses: usize,
    /// When the oldest change was seen that is in it; `None` when nothing has changed.
    pub changed_at: Option<Instant>,
}

/// How configurations are computed.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What to serve.
    pub options: Options,
    /// The user's own template's source.
    pub template: Option<String>,
}

impl Recipe {
    /// Reads the user's own template, if there is one.
    pub fn new(options: Options, template: Option<PathBuf>) -> Result<Self, ComputeError> {
        let template = template
            .map(|path| fs::read_to_string(&path).map_err(|source| ComputeError::Template { path, source }));
        Ok(Self { options, template: template.transpose()? })
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

/// Keeps what was computed before, so that a change costs no more than what it touches.
struct Engine {
    reconciler: Reconciler,
    renderer: Renderer,
}

impl Engine {
    fn new(recipe: &Recipe, nginx: NginxOptions) -> Result<Self, TemplateError> {
        Ok(Self { reconciler: Reconciler::new(recipe.options.clone()), renderer: recipe.renderer(nginx)? })
    }

    fn update(&mut self, state: &SourceState, traffic: Option<&Traffic>) -> Computed {
        let reconciled = self.reconciler.update(&state.snapshot);
        if let Some(traffic) = traffic {
            traffic.declare(&reconciled.state);
        }
        let diagnostics: BTreeSet<_> = reconciled.diagnostics.union(&state.diagnostics).cloned().collect();
        Computed {
            rendered: self.renderer.update(&reconciled.state).map_err(|error| error.to_string()),
            diagnostics: Arc::new(diagnostics),
            ingresses: reconciled.state.ingresses.len(),
            changed_at: state.changed_at,
        }
    }
}

/// Computes a configuration whenever the cluster's state, or what is known of nginx, has changed; and every
/// `resync_period` all of it anew. Nothing is computed before both are known. Who counts requests is told what is declared
/// before it can be served.
pub async fn run(
    mut source: SourceReader,
    recipe: Recipe,
    traffic: Option<Traffic>,
    mut nginx: watch::Receiver<Option<NginxOptions>>,
    resync_period: Duration,
    computed: mpsc::Sender<Computed>,
) -> Result<Infallible, ComputeError> {
    let mut resync = interval_at(Instant::now() + resync_period, resync_period);
    resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut options = known(&mut nginx).await?;
    let mut state = source.changed().await;
    let mut engine = Engine::new(&recipe, options.clone())?;
    loop {
        let traffic = traffic.clone();
        let update = move || (engine.update(&state, traffic.as_ref()), state, engine);
        let updated = spawn_blocking(update).await.map_err(|error| ComputeError::Failed(error.into()))?;
        let result;
        (result, state, engine) = updated;
        computed.send(result).await.map_err(|_| ComputeError::Unheard)?;
        tokio::select! {
            newer = source.changed() => state = newer,
            changed = known_differently(&mut nginx, &options) => {
                options = changed?;
                engine = Engine::new(&recipe, options.clone())?;
                state.changed_at = None;
            }
            _ = resync.tick() => {
                engine = Engine::new(&recipe, options.clone())?;
                state.changed_at = None;
            }
        }
    }
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
