//! What an EC2 instance can know of itself: its metadata service, by version 2 of its protocol.

use std::time::Duration;

use aws_config::imds::Client;
use aws_config::imds::client::error::ImdsError;
use aws_config::provider_config::ProviderConfig;

use super::{chain, http};

/// How long a connection to the service may take to be made. Where there is none, nothing answers at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one try may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long all tries together may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The metadata service of the instance on which this process runs, or of `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
#[derive(Clone, Debug)]
pub struct MetadataService(Client);

impl Default for MetadataService {
    fn default() -> Self {
        Self::new()
    }
}

impl MetadataService {
    /// A client that has asked nothing yet.
    pub fn new() -> Self {
        let client = Client::builder()
            .configure(&ProviderConfig::default().with_http_client(http::direct()))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ATTEMPT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(TIMEOUT)
            .max_attempts(2)
            .build();
        Self(client)
    }

    /// The id of the instance.
    pub async fn instance_id(&self) -> Result<String, String> {
        self.get("/latest/meta-data/instance-id").await
    }

    /// The instance's first private IPv4 address.
    pub async fn local_ipv4(&self) -> Result<String, String> {
        self.get("/latest/meta-data/local-ipv4").await
    }

    /// A value, or why it cannot be had: part of a sentence.
    async fn get(&self, path: &str) -> Result<String, String> {
        match self.0.get(path).await {
            Ok(text) => Ok(text.as_ref().trim().to_owned()),
            Err(ImdsError::ErrorResponse(error)) => {
                Err(format!("{path} is answered with status {}", error.response().status().as_u16()))
            }
            Err(error) => Err(chain(&error)),
        }
    }
}
