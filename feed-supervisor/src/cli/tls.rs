//! TLS: the certificate for hosts that have none of their own.

use std::path::PathBuf;

use super::nginx::Ports;
use super::value;
use crate::config::TlsConfig;

#[derive(clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// The certificate for hosts without one of their own, and its key: this path with .crt and .key appended.
    #[arg(long, value_name = "PATH", default_value = "/etc/ssl/default-ssl/default-ssl", value_parser = value::file_stem)]
    ssl_path: PathBuf,
}

impl TlsArgs {
    /// What is asked for, where requests with TLS are taken.
    pub(super) fn resolve(self, ports: Ports) -> Option<TlsConfig> {
        ports.tls().then_some(TlsConfig { default_pair: self.ssl_path })
    }
}
