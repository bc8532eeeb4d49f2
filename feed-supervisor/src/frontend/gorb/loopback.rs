//! The virtual services' addresses on the loopback interface: requests that are routed here are for them still. Nobody on
//! the network may learn of them from us, so the kernel is told not to speak of them by ARP.

use std::io;
use std::path::PathBuf;

use ipnet::{IpNet, Ipv4Net};

use super::super::vip::{Vip, VipError};
use crate::config;

/// The loopback interface.
const INTERFACE: &str = "lo";

/// The kernel's `arp_ignore` and `arp_announce` (`ip-sysctl`): answer only for addresses of the interface that was asked,
/// and name as sender always the one that suits the target best.
const QUIET: [(&str, &str); 2] = [("arp_ignore", "1"), ("arp_announce", "2")];

/// As the kernel has them if nobody says otherwise.
const USUAL: [(&str, &str); 2] = [("arp_ignore", "0"), ("arp_announce", "0")];

/// Why the loopback interface is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoopbackError {
    #[error(transparent)]
    Vip(#[from] VipError),
    #[error("cannot write {file}: {error}")]
    Arp { file: String, error: io::Error },
}

/// The addresses, and where the kernel is told of them.
#[derive(Debug)]
pub(super) struct Loopback {
    vips: Vec<Vip>,
    arp: PathBuf,
}

impl Loopback {
    pub(super) fn new(loopback: &config::Loopback) -> Self {
        let vip = |(index, address): (usize, &std::net::Ipv4Addr)| Vip {
            address: IpNet::V4(Ipv4Net::from(*address)),
            interface: INTERFACE.to_owned(),
            label: Some(format!("{INTERFACE}:{index}")),
        };
        Self { vips: loopback.addresses.iter().enumerate().map(vip).collect(), arp: loopback.arp.clone() }
    }

    /// Adds what is missing of the addresses.
    pub(super) async fn set_up(&self) -> Result<(), LoopbackError> {
        // First, so that at no time the network learns of them.
        self.write(QUIET).await?;
        for vip in &self.vips {
            vip.add().await?;
        }
        Ok(())
    }

    /// Removes the addresses, as far as that is possible.
    pub(super) async fn take_down(&self) -> Result<(), LoopbackError> {
        let mut outcome = Ok(());
        for vip in &self.vips {
            outcome = outcome.and(vip.remove().await.map_err(LoopbackError::from));
        }
        outcome.and(self.write(USUAL).await)
    }

    /// A sentence on the first address that is missing, if one is.
    pub(super) async fn missing(&self) -> Result<Option<String>, LoopbackError> {
        for vip in &self.vips {
            if !vip.is_there().await? {
                return Ok(Some(format!("{} is missing on {}", vip.address, vip.interface)));
            }
        }
        Ok(None)
    }

    async fn write(&self, values: [(&str, &str); 2]) -> Result<(), LoopbackError> {
        for (name, value) in values {
            let file = self.arp.join(name);
            tokio::fs::write(&file, value)
                .await
                .map_err(|error| LoopbackError::Arp { file: file.display().to_string(), error })?;
        }
        Ok(())
    }
}
