//! Addresses of load balancers on this machine's interfaces, over netlink: requests that are routed or tunnelled here are
//! for the load balancer's address still.

use std::io;
use std::time::Duration;

use futures::TryStreamExt;
use ipnet::IpNet;
use nix::errno::Errno;
use rtnetlink::packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use rtnetlink::{Error, Handle};
use tokio::time::timeout;

/// How long the kernel may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// An address of a load balancer that an interface has while requests may come for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// With the length of its network's prefix.
    pub address: IpNet,
    /// The interface's name.
    pub interface: String,
    /// The name under which older tools show an IPv4 address: the interface's name, and what may follow a colon.
    pub label: Option<String>,
}

/// Why an address is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum VipError {
    /// There is no way to the kernel.
    #[error("cannot open a netlink socket: {0}")]
    Socket(#[source] io::Error),
    /// The interface is not there.
    #[error("there is no network interface {0}")]
    NoInterface(String),
    /// Only who has the capability may.
    #[error("may not change {address} on {interface}: the capability NET_ADMIN is missing")]
    Denied {
        /// The address.
        address: IpNet,
        /// The interface.
        interface: String,
    },
    /// The kernel refuses.
    #[error("cannot change or look up {address} on {interface}: {why}")]
    Failed {
        /// The address.
        address: IpNet,
        /// The interface.
        interface: String,
        /// What it says.
        why: String,
    },
}

impl Vip {
    /// Adds the address; one that is there already is kept.
    pub async fn add(&self) -> Result<(), VipError> {
        with_netlink(async |handle| {
            let index = self.interface_index(&handle).await?;
            let mut request = handle.address().add(index, self.address.addr(), self.address.prefix_len());
            let message = request.message_mut();
            if let Some(label) = &self.label {
                message.attributes.push(AddressAttribute::Label(label.clone()));
            }
            // Other machines have the same address, and should: it is not looked for before it is used.
            message.header.flags |= AddressHeaderFlags::Nodad;
            match request.execute().await {
                Err(error) if errno(&error) == Some(Errno::EEXIST) => Ok(()),
                outcome => outcome.map_err(|error| self.failed(&error)),
            }
        })
        .await
        .unwrap_or_else(|| Err(self.silent()))
    }

    /// Removes the address, whoever has added it; one that is gone already is no error.
    pub async fn remove(&self) -> Result<(), VipError> {
        with_netlink(async |handle| {
            let Some(message) = self.find(&handle).await? else { return Ok(()) };
            match handle.address().del(message).execute().await {
                Err(error) if errno(&error) == Some(Errno::EADDRNOTAVAIL) => Ok(()),
                outcome => outcome.map_err(|error| self.failed(&error)),
            }
        })
        .await
        .unwrap_or_else(|| Err(self.silent()))
    }

    /// Whether the interface has the address.
    pub async fn is_there(&self) -> Result<bool, VipError> {
        with_netlink(async |handle| Ok(self.find(&handle).await?.is_some()))
            .await
            .unwrap_or_else(|| Err(self.silent()))
    }

    async fn find(&self, handle: &Handle) -> Result<Option<AddressMessage>, VipError> {
        let index = self.interface_index(handle).await?;
        let request = handle.address().get().set_link_index_filter(index);
        let request = request.set_prefix_length_filter(self.address.prefix_len());
        let mut found = request.set_address_filter(self.address.addr()).execute();
        found.try_next().await.map_err(|error| self.failed(&error))
    }

    async fn interface_index(&self, handle: &Handle) -> Result<u32, VipError> {
        let mut links = handle.link().get().match_name(self.interface.clone()).execute();
        match links.try_next().await {
            Ok(Some(link)) => Ok(link.header.index),
            Ok(None) => Err(VipError::NoInterface(self.interface.clone())),
            Err(error) if errno(&error) == Some(Errno::ENODEV) => {
                Err(VipError::NoInterface(self.interface.clone()))
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &Error) -> VipError {
        let (address, interface) = (self.address, self.interface.clone());
        match errno(error) {
            Some(Errno::EPERM | Errno::EACCES) => VipError::Denied { address, interface },
            Some(errno) => VipError::Failed { address, interface, why: errno.desc().to_owned() },
            None => VipError::Failed { address, interface, why: error.to_string() },
        }
    }

    fn silent(&self) -> VipError {
        let why = format!("no answer within {TIME_LIMIT:?}");
        VipError::Failed { address: self.address, interface: self.interface.clone(), why }
    }
}

/// Talks to the kernel; `None` when it does not answer.
async fn with_netlink<T>(
    talk: impl AsyncFnOnce(Handle) -> Result<T, VipError>,
) -> Option<Result<T, VipError>> {
    let (connection, handle, _) = match rtnetlink::new_connection() {
        Ok(opened) => opened,
        Err(error) => return Some(Err(VipError::Socket(error))),
    };
    let talk = async {
        tokio::select! {
            outcome = talk(handle) => Some(outcome),
            () = connection => None,
        }
    };
    timeout(TIME_LIMIT, talk).await.ok().flatten()
}

fn errno(error: &Error) -> Option<Errno> {
    match error {
        Error::NetlinkError(message) => message.to_io().raw_os_error().map(Errno::from_raw),
        _ => None,
    }
}
