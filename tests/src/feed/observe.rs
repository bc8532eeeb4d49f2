//! What it serves and what it says about itself.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::Feed;
use crate::certificate::TestCertificate;
use crate::client::{Request, Response, TlsClient};
use crate::{eventually, eventually_within};

impl Feed {
    /// Where nginx serves the Ingresses.
    pub fn address(&self) -> SocketAddr {
        local(self.ports.ingress)
    }

    /// Where nginx serves them over TLS, if it does.
    pub fn tls_address(&self) -> SocketAddr {
        local(self.ports.ingress_https)
    }

    /// The certificate that is shown to who asks for that name.
    pub async fn certificate(&self, server_name: &str) -> Result<Vec<u8>, String> {
        TlsClient::to(server_name).certificate(self.tls_address()).await.map_err(|error| error.to_string())
    }

    /// Waits until that certificate is shown to who asks for that name.
    #[track_caller]
    pub fn wait_certificate(
        &self,
        server_name: &str,
        expected: &TestCertificate,
    ) -> impl Future<Output = ()> {
        eventually(&format!("the certificate of {server_name}"), async move || {
            let shown = self.certificate(server_name).await?;
            if shown == expected.der { Ok(()) } else { Err("another one".to_owned()) }
        })
    }

    /// nginx's status port.
    pub fn status_address(&self) -> SocketAddr {
        local(self.ports.ingress_health)
    }

    /// The port of `/health`, `/readiness`, `/status` and `/metrics`.
    pub fn admin_address(&self) -> SocketAddr {
        local(self.ports.health)
    }

    /// Sends a request to nginx.
    pub async fn send(&self, request: &Request) -> io::Result<Response> {
        request.send(self.address()).await
    }

    /// `GET path` for a host, from nginx.
    pub async fn get(&self, host: &str, path: &str) -> Response {
        self.send(&Request::get(host, path)).await.unwrap_or_else(|error| panic!("GET {host}{path}: {error}"))
    }

    /// Waits until a request gets an answer from that backend.
    #[track_caller]
    pub fn wait_served_by(&self, backend: &str, host: &str, path: &str) -> impl Future<Output = ()> {
        let (request, backend) = (Request::get(host, path), backend.to_owned());
        eventually(&format!("{host}{path} is served by {backend}"), async move || {
            let response = self.send(&request).await.map_err(|error| error.to_string())?;
            match response.status {
                200 if response.echo().backend == backend => Ok(()),
                status => Err(format!("{status} {}", response.text())),
            }
        })
    }

    /// Waits until a request gets an answer with that status.
    #[track_caller]
    pub fn wait_status(&self, status: u16, host: &str, path: &str) -> impl Future<Output = ()> {
        let request = Request::get(host, path);
        eventually(&format!("{host}{path} is answered {status}"), async move || {
            let response = self.send(&request).await.map_err(|error| error.to_string())?;
            if response.status == status {
                Ok(())
            } else {
                Err(format!("{} {}", response.status, response.text()))
            }
        })
    }

    /// Waits until `/readiness` says 200.
    #[track_caller]
    pub fn wait_ready(&self) -> impl Future<Output = ()> {
        eventually_within(Duration::from_secs(30), "feed-ingress is ready", async || {
            match self.admin("/readiness").await {
                Ok(response) if response.status == 200 => Ok(()),
                Ok(response) => Err(format!("{} {}", response.status, response.text())),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    /// Asks one of the admin endpoints.
    pub async fn admin(&self, path: &str) -> io::Result<Response> {
        Request::get("localhost", path).send(self.admin_address()).await
    }

    /// `/status`.
    pub async fn status(&self) -> Value {
        let response = self.admin("/status").await.unwrap();
        serde_json::from_slice(&response.body)
            .unwrap_or_else(|error| panic!("/status: {error}: {}", response.text()))
    }

    /// `/metrics`, as text.
    pub async fn metrics(&self) -> String {
        self.admin("/metrics").await.unwrap().text()
    }

    /// The value of a sample, named as `/metrics` prints it, its labels included: `feed_ingress_reloads`.
    pub async fn metric(&self, sample: &str) -> Option<f64> {
        let metrics = self.metrics().await;
        metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
