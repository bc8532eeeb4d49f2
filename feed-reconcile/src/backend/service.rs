//! What a Service says of one of its ports.

use std::net::{IpAddr, Ipv4Addr};

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::networking::v1::ServiceBackendPort;

use crate::host::{Host, InvalidHost};
use crate::options::{BackendMode, Options};
use crate::report::Quoted;

/// Stands for an address that is not assigned yet: one for documentation (RFC 5737).
pub(super) const ASSUMED_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// One port of a Service, and where its requests go.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// The Service's port, 1 to 65,535.
    pub(super) port: u16,
    /// The port's name, empty where it has none.
    pub(super) port_name: &'a str,
    /// The port's `appProtocol`, empty where it has none.
    pub(super) app_protocol: &'a str,
    pub(super) location: Location,
}

/// Where the requests for a Service go.
#[derive(Debug)]
pub(super) enum Location {
    /// To its cluster IP.
    Address(IpAddr),
    /// To its endpoints.
    Endpoints,
    /// To a name outside the cluster.
    External(Host),
}

/// Why a Service cannot be a backend; to be read after the Service's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceProblem {
    #[error("is named without a port")]
    NoPortNamed,
    #[error("is named with both a port's name and a port's number")]
    AmbiguousPort,
    #[error("has no TCP port {port}")]
    PortNotFound { port: String },
    #[error("has no cluster IP")]
    NoAddress,
    #[error("is of type ExternalName, which is not allowed here")]
    ExternalNameNotAllowed,
    #[error("cannot be resolved, since its external name {name} {reason}")]
    InvalidExternalName { name: String, reason: InvalidHost },
}

/// Where requests for that port of the Service go.
pub(super) fn target<'a>(
    service: &'a Service,
    reference: Option<&ServiceBackendPort>,
    options: &Options,
) -> Result<Target<'a>, ServiceProblem> {
    let wanted = Wanted::new(reference)?;
    let Some(spec) = &service.spec else { return Err(wanted.not_found()) };
    let ports = spec.ports.as_deref().unwrap_or_default();
    if spec.type_.as_deref() == Some("ExternalName") {
        if !options.allow_external_name {
            return Err(ServiceProblem::ExternalNameNotAllowed);
        }
        let location = Location::External(external_host(spec.external_name.as_deref().unwrap_or_default())?);
        // The API lets such a Service do without ports: any number will do then.
        return match wanted.number().filter(|_| ports.is_empty()) {
            Some(port) => Ok(Target { port, port_name: "", app_protocol: "", location }),
            None => Ok(wanted.find(ports)?.target(location)),
        };
    }
    let port = wanted.find(ports)?;
    let location = match (options.backend_mode, spec.cluster_ip.as_deref().unwrap_or_default()) {
        (BackendMode::Endpoints, _) | (BackendMode::ServiceIp, "None") => Location::Endpoints,
        (BackendMode::ServiceIp, "") if options.assume_assigned => Location::Address(ASSUMED_ADDRESS),
        (BackendMode::ServiceIp, address) => {
            Location::Address(address.parse().map_err(|_| ServiceProblem::NoAddress)?)
        }
    };
    Ok(port.target(location))
}

fn external_host(name: &str) -> Result<Host, ServiceProblem> {
    let host = Host::new(name.strip_suffix('.').unwrap_or(name));
    host.and_then(|host| if host.wildcard_suffix().is_some() { Err(InvalidHost::NotDns) } else { Ok(host) })
        .map_err(|reason| ServiceProblem::InvalidExternalName { name: Quoted(name).to_string(), reason })
}

/// The port that an Ingress names.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Name(&'a str),
    Number(i32),
}

impl<'a> Wanted<'a> {
    /// An empty name and the number 0 are absent ones, as in the Kubernetes API.
    fn new(reference: Option<&'a ServiceBackendPort>) -> Result<Self, ServiceProblem> {
        let name = reference.and_then(|it| it.name.as_deref()).filter(|name| !name.is_empty());
        let number = reference.and_then(|it| it.number).filter(|number| *number != 0);
        match (name, number) {
            (Some(name), None) => Ok(Self::Name(name)),
            (None, Some(number)) => Ok(Self::Number(number)),
            (None, None) => Err(ServiceProblem::NoPortNamed),
            (Some(_), Some(_)) => Err(ServiceProblem::AmbiguousPort),
        }
    }

    /// The number, where one is named that a port can have.
    fn number(self) -> Option<u16> {
        match self {
            Self::Name(_) => None,
            Self::Number(number) => u16::try_from(number).ok().filter(|number| *number > 0),
        }
    }

    fn find(self, ports: &[ServicePort]) -> Result<UsablePort<'_>, ServiceProblem> {
        let usable = || ports.iter().filter_map(UsablePort::new);
        let number = match self {
            Self::Number(_) => self.number(),
            Self::Name(name) => usable().find(|it| it.port.name.as_deref() == Some(name)).map(|it| it.number),
        };
        // A number stands for one port only, even in a manifest that has it twice: upstreams are named by it.
        usable().find(|it| Some(it.number) == number).ok_or_else(|| self.not_found())
    }

    fn not_found(self) -> ServiceProblem {
        let port = match self {
            Self::Name(name) => Quoted(name).to_string(),
            Self::Number(number) => number.to_string(),
        };
        ServiceProblem::PortNotFound { port }
    }
}

/// A port that requests can be sent to.
#[derive(Clone, Copy)]
struct UsablePort<'a> {
    number: u16,
    port: &'a ServicePort,
}

impl<'a> UsablePort<'a> {
    fn new(port: &'a ServicePort) -> Option<Self> {
        let is_tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
        let number = u16::try_from(port.port).ok().filter(|number| *number > 0)?;
        is_tcp.then_some(Self { number, port })
    }

    fn target(self, location: Location) -> Target<'a> {
        Target {
            port: self.number,
            port_name: self.port.name.as_deref().unwrap_or_default(),
            app_protocol: self.port.app_protocol.as_deref().unwrap_or_default(),
            location,
        }
    }
}
