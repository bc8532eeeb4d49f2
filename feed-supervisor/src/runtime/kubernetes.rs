//! Clients of the Kubernetes API.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

pub mod calls;
#[cfg(test)]
pub(crate) mod script;

use calls::ObserveLayer;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent while an answer is due: longer than a watch is, which the API server ends after two
/// minutes.
const READ_TIMEOUT: Duration = Duration::from_secs(150);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No file was given, and this is no pod.
    #[error(
        "no Kubernetes API server is known: this process does not run in a pod ({0}); give --kubeconfig FILE, or \
         --manifests DIR to do without a cluster"
    )]
    NotInCluster(#[source] kube::config::InClusterError),
    /// The file cannot be used.
    #[error("cannot use the kubeconfig file {path}: {reason}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Its certificates or credentials cannot be used.
    #[error("cannot set up the connection to the Kubernetes API server: {0}")]
    Setup(#[source] Box<kube::Error>),
}

/// How to reach the API server: as that kubeconfig file's current context says, or else as a pod does.
///
/// # Errors
///
/// When the file cannot be used, or when there is none and this is no pod.
pub async fn config(kubeconfig: Option<&Path>) -> Result<Config, ClientError> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await.map_err(|error| ClientError::Kubeconfig {
            path: path.to_owned(),
            reason: in_one_line(&error),
        })?,
        None => Config::incluster().map_err(ClientError::NotInCluster)?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Who calls retries too, knows for how long, and says so: see `source::kube`, `lease` and `status`.
    config.default_retry = false;
    Ok(config)
}

async fn from_file(path: &Path) -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read_from(path)?;
    let has_proxy = names_a_proxy(&kubeconfig);
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    if !has_proxy {
        // `HTTPS_PROXY` is for AWS; the API server is reached as the file says.
        config.proxy_url = None;
    }
    Ok(config)
}

/// Whether the cluster of the current context is behind a proxy.
fn names_a_proxy(kubeconfig: &Kubeconfig) -> bool {
    let current = kubeconfig.current_context.as_deref();
    let context = kubeconfig.contexts.iter().find(|it| Some(it.name.as_str()) == current);
    let cluster = context.and_then(|it| it.context.as_ref()).map(|it| it.cluster.as_str());
    let cluster = kubeconfig.clusters.iter().find(|it| Some(it.name.as_str()) == cluster);
    cluster.and_then(|it| it.cluster.as_ref()).is_some_and(|it| it.proxy_url.is_some())
}

fn in_one_line(error: &KubeconfigError) -> String {
    match error {
        // Its own text quotes the file, which holds credentials.
        KubeconfigError::Parse(error) => error.without_snippet().to_string(),
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

/// A client whose calls are observed.
///
/// # Errors
///
/// When the certificates or credentials of the configuration cannot be used.
pub fn client(config: Config, observe: &ObserveLayer) -> Result<Client, ClientError> {
    let builder = ClientBuilder::try_from(config).map_err(|error| ClientError::Setup(Box::new(error)))?;
    Ok(builder.with_layer(observe).build())
}

/// What is wrong, in one line: what the API server says, or why it did not say anything.
pub fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error
        && !status.message.is_empty()
    {
        return status.message.clone();
    }
    // What connecting failed of is at the end of the chain, and some errors repeat their source.
    let first: &dyn std::error::Error = match error {
        kube::Error::Service(error) => &**error,
        error => error,
    };
    let mut explained = first.to_string();
    let mut source = first.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !explained.contains(&text) {
            explained = format!("{explained}: {text}");
        }
        source = error.source();
    }
    explained
}

#[cfg(test)]
mod tests;
