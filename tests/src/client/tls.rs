//! The same client over TLS; it believes whatever certificate it is shown, and remembers it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme, SupportedProtocolVersion,
};

use super::response::status;
use super::{Request, Response};
use crate::http1::{Body, read_body, read_head};

/// Longer than a handshake takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How to shake hands.
#[derive(Debug, Clone)]
pub struct TlsClient {
    server_name: Option<String>,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<Vec<u8>>,
    preface: Vec<u8>,
}

impl TlsClient {
    /// Asks for that name (SNI).
    pub fn to(server_name: &str) -> Self {
        Self { server_name: Some(server_name.to_owned()), ..Self::without_name() }
    }

    /// Asks for no name.
    pub fn without_name() -> Self {
        Self { server_name: None, versions: vec![&TLS12, &TLS13], protocols: Vec::new(), preface: Vec::new() }
    }

    /// Speaks TLS 1.2 alone.
    #[must_use]
    pub fn tls_1_2(mut self) -> Self {
        self.versions = vec![&TLS12];
        self
    }

    /// Offers these protocols (ALPN).
    #[must_use]
    pub fn protocols(mut self, names: &[&str]) -> Self {
        self.protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Sends this before the handshake, for instance a line of the PROXY protocol.
    #[must_use]
    pub fn preface(mut self, preface: impl Into<Vec<u8>>) -> Self {
        self.preface = preface.into();
        self
    }

    /// Connects and shakes hands. Fails after 30 seconds.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<TlsConnection> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&self.versions)
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_no_client_auth();
        config.enable_sni = self.server_name.is_some();
        config.alpn_protocols.clone_from(&self.protocols);
        let name = self.server_name.clone().unwrap_or_else(|| "no.name".to_owned());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let handshake = async {
            let mut stream = TcpStream::connect(to).await?;
            stream.write_all(&self.preface).await?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        let stream = tokio::time::timeout(TIMEOUT, handshake).await.map_err(io::Error::other)??;
        Ok(TlsConnection { stream: BufStream::new(stream) })
    }

    /// The certificate that the server shows.
    pub async fn certificate(&self, of: SocketAddr) -> io::Result<Vec<u8>> {
        Ok(self.connect(of).await?.certificate())
    }
}

/// A TLS connection that speaks HTTP/1.1 until it is taken apart.
#[derive(Debug)]
pub struct TlsConnection {
    stream: BufStream<TlsStream<TcpStream>>,
}

impl TlsConnection {
    /// The server's own certificate.
    pub fn certificate(&self) -> Vec<u8> {
        self.chain().swap_remove(0)
    }

    /// All certificates that it sent.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        let (_, session) = self.stream.get_ref().get_ref();
        session.peer_certificates().unwrap().iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// Whether it is TLS 1.3.
    pub fn is_tls_1_3(&self) -> bool {
        self.stream.get_ref().get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// The protocol that was agreed on.
    pub fn protocol(&self) -> Option<String> {
        let protocol = self.stream.get_ref().get_ref().1.alpn_protocol();
        protocol.map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Sends a request and reads its answer; an error when the connection ends before the answer is complete.
    pub async fn send(&mut self, request: &Request) -> io::Result<Response> {
        self.stream.write_all(&request.to_bytes()).await?;
        self.stream.flush().await?;
        let head = read_head(&mut self.stream).await?;
        let head = head.ok_or_else(|| io::Error::new(io::ErrorKind::ConnectionAborted, "no answer"))?;
        let body = match status(&head)? {
            101 | 204 | 304 => Body::default(),
            _ => read_body(&mut self.stream, &head, true).await?,
        };
        Response::new(head, body)
    }

    /// The stream itself, for what is no HTTP/1.1.
    pub fn stream(&mut self) -> &mut BufStream<TlsStream<TcpStream>> {
        &mut self.stream
    }
}

/// Believes everything.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
