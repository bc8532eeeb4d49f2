//! kube-apiserver and etcd on loopback: the real API, with its validation, watches and versions.
//!
//! Nothing else of Kubernetes runs: no controller makes `EndpointSlice`s or default service accounts. The range of the
//! `ClusterIP`s is 127.96.0.0/16, so that a backend can listen on the very address of its Service.

mod audit;
mod kubectl;
mod namespace;
mod servers;

use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;

use tokio::sync::OnceCell;

use crate::client::Request;
use crate::sandbox::Sandbox;
use crate::tools::{self, ControlPlaneBinaries};

pub use audit::Write;
pub use namespace::Namespace;

/// A running control plane.
#[derive(Debug)]
pub struct ControlPlane {
    sandbox: Sandbox,
    binaries: &'static ControlPlaneBinaries,
    ports: Ports,
    api_server: Mutex<Child>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    etcd: u16,
    etcd_peer: u16,
    api_server: u16,
}

impl ControlPlane {
    /// The one that the tests of this process share, each in a [`Namespace`] and with an ingress class of its own. `None`
    /// when its binaries cannot be had.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Option<ControlPlane>> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await.as_ref()
    }

    /// One for a test that breaks it.
    pub async fn start() -> Option<Self> {
        let binaries = tokio::task::spawn_blocking(tools::control_plane_binaries).await.unwrap()?;
        let sandbox = Sandbox::new("control-plane");
        let ports =
            Ports { etcd: crate::free_port(), etcd_peer: crate::free_port(), api_server: crate::free_port() };
        servers::write_files(&sandbox, ports);
        servers::start_etcd(&sandbox, binaries, ports);
        let api_server = Mutex::new(servers::start_api_server(&sandbox, binaries, ports));
        let control_plane = Self { sandbox, binaries, ports, api_server };
        control_plane.wait_ready().await;
        Some(control_plane)
    }

    /// A kubeconfig file of an administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.sandbox.join("kubeconfig")
    }

    /// A client of an administrator, for the runtime of the calling test.
    pub async fn client(&self) -> kube::Client {
        let kubeconfig = kube::config::Kubeconfig::read_from(self.kubeconfig()).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        kube::Client::try_from(config).unwrap()
    }

    /// A namespace and an ingress class that no other test has.
    pub async fn namespace(&self) -> Namespace<'_> {
        Namespace::create(self).await
    }

    /// Ends the API server with SIGKILL. etcd keeps what was written.
    pub fn kill_api_server(&self) {
        let mut child = self.api_server.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts the API server again after [`Self::kill_api_server`]; it knows no event from before, so that a watch from an
    /// older version may be answered `410 Expired`.
    pub async fn start_api_server(&self) {
        *self.api_server.lock().unwrap() =
            servers::start_api_server(&self.sandbox, self.binaries, self.ports);
        self.wait_ready().await;
    }

    /// Makes etcd forget all versions but the current one.
    pub async fn compact(&self) {
        let status = self.etcd("/v3/maintenance/status", "{}").await;
        let revision = status["header"]["revision"].as_str().unwrap();
        self.etcd("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#)).await;
    }

    async fn etcd(&self, path: &str, body: &str) -> serde_json::Value {
        let request =
            Request::new("POST", path).header("Host", "etcd").header("Connection", "close").body(body);
        let response = request.send(([127, 0, 0, 1], self.ports.etcd).into()).await.unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
        serde_json::from_slice(&response.body).unwrap()
    }

    async fn wait_ready(&self) {
        let deadline = std::time::Duration::from_mins(1);
        crate::eventually_within(deadline, "the API server is ready", async || self.is_ready().await).await;
    }

    async fn is_ready(&self) -> Result<(), String> {
        // Its certificate is made when it starts for the first time.
        let log = || servers::last_lines(&self.sandbox, "kube-apiserver.log");
        if !self.sandbox.join("certs/apiserver.crt").exists() {
            return Err(log());
        }
        let readyz = http::Request::get("/readyz").body(Vec::new()).unwrap();
        match self.client().await.request_text(readyz).await {
            Ok(text) if text == "ok" => Ok(()),
            Ok(text) => Err(text),
            Err(error) => Err(format!("{error}\n{}", log())),
        }
    }
}
