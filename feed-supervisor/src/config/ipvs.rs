//! Virtual services of IPVS, and who manages them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;
use ipnet::IpNet;

use super::Joining;

/// Virtual services that Merlin manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerlinFrontend {
    /// Where Merlin is; at least one.
    pub servers: Vec<MerlinServer>,
    /// How long one of them may take for a call.
    pub request_timeout: Duration,
    /// The virtual services, each with the port on which nginx serves it; at least one.
    pub services: Vec<MerlinService>,
    /// The address at which IPVS reaches us.
    pub instance_ip: IpAddr,
    /// How IPVS sends requests on.
    pub forward: MerlinForward,
    /// How it is checked whether we answer.
    pub health_check: MerlinHealthCheck,
    /// The virtual services' address, where requests come for that.
    pub vip: Option<InterfaceAddress>,
    /// How they are joined and left.
    pub joining: Joining,
    /// Their names or addresses, with the `sky.uk/frontend-scheme` of the Ingresses that they serve.
    pub endpoints: BTreeSet<(Scheme, Endpoint)>,
}

/// Where Merlin is: a name that may mean several addresses, or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MerlinServer {
    /// An address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for MerlinServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A virtual service that Merlin knows by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerlinService {
    /// Its id.
    pub id: String,
    /// The port on which nginx serves it.
    pub port: u16,
}

/// How IPVS sends requests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MerlinForward {
    /// To our link-layer address, for the virtual service's address still.
    Route,
    /// In a tunnel to our address, for the virtual service's address still.
    Tunnel,
    /// To our address.
    Masq,
}

/// How Merlin checks whether we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MerlinHealthCheck {
    /// How often.
    pub period: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// So many good answers in a row bring us back.
    pub up_threshold: u32,
    /// So many bad ones in a row take us out.
    pub down_threshold: u32,
}

/// An address that an interface is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// With the length of its network's prefix.
    pub address: IpNet,
    /// The interface's name.
    pub interface: String,
}

/// Virtual services that Gorb manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GorbFrontend {
    /// Where Gorb is: `http://`, without a slash at the end.
    pub endpoint: String,
    /// The address at which IPVS reaches us.
    pub instance_ip: IpAddr,
    /// The virtual services, each with the port on which we serve it; at least one.
    pub services: Vec<GorbService>,
    /// How IPVS sends requests on, as Gorb calls it.
    pub method: String,
    /// Our weight while we serve.
    pub weight: u32,
    /// How it is checked whether we answer.
    pub health_check: GorbHealthCheck,
    /// How often.
    pub health_check_interval: Duration,
    /// The virtual services' addresses, where requests come for those.
    pub loopback: Option<Loopback>,
    /// How they are joined and left.
    pub joining: Joining,
}

/// A virtual service that Gorb knows by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GorbService {
    /// Its name.
    pub name: String,
    /// The port on which we serve it.
    pub port: u16,
}

/// How Gorb checks whether we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GorbHealthCheck {
    /// It connects.
    Tcp,
    /// It asks for a path that nobody has.
    Http,
    /// It does not.
    None,
}

/// Addresses that the loopback interface is given, and that are not spoken of on the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    /// The addresses; at least one.
    pub addresses: Vec<Ipv4Addr>,
    /// The directory of the kernel's files `arp_ignore` and `arp_announce`.
    pub arp: PathBuf,
}
