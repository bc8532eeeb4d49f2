//! Flags of Merlin.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use feed_reconcile::desired::Scheme;
use feed_reconcile::host::Host;
use feed_reconcile::options::Endpoint;
use ipnet::IpNet;

use super::{ResyncArgs, Surroundings};
use crate::cli::{UsageError, value};
use crate::config::{
    Frontend, InterfaceAddress, Joining, MerlinForward, MerlinFrontend, MerlinHealthCheck, MerlinServer,
    MerlinService,
};

/// The port of `dns:///name`, as gRPC has it.
const DEFAULT_PORT: u16 = 443;

/// More good or bad answers in a row than anybody waits for.
const MOST_ANSWERS: u32 = 1000;

/// A name of an interface has 15 bytes at the most.
const LONGEST_INTERFACE: usize = 15;

#[derive(clap::Args)]
#[command(next_help_heading = "Merlin")]
pub(in crate::cli) struct MerlinArgs {
    /// Where Merlin is: HOST:PORT, or dns:///NAME:PORT, several separated by commas. A name may mean several addresses;
    /// all are asked in turn. Required.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', value_parser = server)]
    merlin_endpoint: Vec<MerlinServer>,
    /// How long one of them may take for a call.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    merlin_request_timeout: Duration,
    /// Id of the virtual service for --ingress-port. Required with that.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    merlin_service_id: Option<String>,
    /// Id of the virtual service for --ingress-https-port. Without it, that is not joined.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    merlin_https_service_id: Option<String>,
    /// Address of this machine, at which IPVS reaches it. Required.
    #[arg(long, value_name = "IP", value_parser = value::address)]
    merlin_instance_ip: Option<IpAddr>,
    /// How IPVS sends requests on: route, tunnel or masq.
    #[arg(long, value_name = "METHOD", default_value = "route", value_parser = forward)]
    merlin_forward_method: MerlinForward,
    /// How long requests may still come after the weight was set to 0; then the entry is deleted.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = value::delay)]
    merlin_drain_delay: Duration,
    /// Merlin sends requests after so many good health checks in a row.
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = value::number(1, MOST_ANSWERS))]
    merlin_health_up_threshold: u32,
    /// Merlin sends none after so many bad health checks in a row.
    #[arg(long, value_name = "COUNT", default_value = "2", value_parser = value::number(1, MOST_ANSWERS))]
    merlin_health_down_threshold: u32,
    /// How often Merlin checks /health on --ingress-health-port.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    merlin_health_period: Duration,
    /// How long the answer may take.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = value::duration)]
    merlin_health_timeout: Duration,
    /// The virtual services' address, for route and tunnel: the interface has it from before the registration until after
    /// the end. A single address unless a prefix length is given. Needs the capability NET_ADMIN.
    #[arg(long, value_name = "IP", value_parser = value::network)]
    merlin_vip: Option<IpNet>,
    /// The interface that is given the address.
    #[arg(long, value_name = "NAME", default_value = "lo", value_parser = interface)]
    merlin_vip_interface: String,
    /// Name or IP address written to the status of Ingresses whose sky.uk/frontend-scheme is internal.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    merlin_internal_hostname: Option<Endpoint>,
    /// Name or IP address written to the status of Ingresses whose sky.uk/frontend-scheme is internet-facing.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    merlin_internet_facing_hostname: Option<Endpoint>,
    #[command(flatten)]
    resync: ResyncArgs,
}

impl MerlinArgs {
    pub(in crate::cli) fn resolve(self, around: Surroundings<'_>) -> Result<Frontend, UsageError> {
        let needed = |flag, meaning| UsageError::MissingOfFrontend { kind: "merlin", flag, meaning };
        if self.merlin_endpoint.is_empty() {
            return Err(needed("merlin-endpoint", "the address of Merlin"));
        }
        let services = services(self.merlin_service_id, self.merlin_https_service_id, around)?;
        let instance_ip = self.merlin_instance_ip;
        let instance_ip = instance_ip.ok_or(needed("merlin-instance-ip", "the address of this machine"))?;
        let vip = match (self.merlin_vip, self.merlin_forward_method) {
            (Some(_), MerlinForward::Masq) => return Err(UsageError::VipOfMasquerade),
            (vip, _) => vip.map(|address| InterfaceAddress { address, interface: self.merlin_vip_interface }),
        };
        let internal = self.merlin_internal_hostname.map(|endpoint| (Scheme::Internal, endpoint));
        let external =
            self.merlin_internet_facing_hostname.map(|endpoint| (Scheme::InternetFacing, endpoint));
        let resync_period = self.resync.frontend_resync_period;
        Ok(Frontend::Merlin(MerlinFrontend {
            servers: self.merlin_endpoint,
            request_timeout: self.merlin_request_timeout,
            instance_ip,
            forward: self.merlin_forward_method,
            health_check: MerlinHealthCheck {
                period: self.merlin_health_period,
                timeout: self.merlin_health_timeout,
                up_threshold: self.merlin_health_up_threshold,
                down_threshold: self.merlin_health_down_threshold,
            },
            vip,
            joining: Joining {
                resync_period,
                // Merlin does not say whether it sends requests, only that it knows us.
                ready_timeout: resync_period,
                drain_delay: self.merlin_drain_delay,
                expected: services.len(),
            },
            services,
            endpoints: internal.into_iter().chain(external).collect::<BTreeSet<_>>(),
        }))
    }
}

/// The virtual services, each of the port that it is for.
fn services(
    http: Option<String>,
    https: Option<String>,
    around: Surroundings<'_>,
) -> Result<Vec<MerlinService>, UsageError> {
    let needed = |flag| UsageError::MissingOfFrontend {
        kind: "merlin",
        flag,
        meaning: "the id of the virtual service to join",
    };
    let of = |id: Option<String>, flag, port: Option<u16>, port_flag| match (id, port) {
        (Some(_), None) => Err(UsageError::ServiceWithoutPort { service: flag, port: port_flag }),
        (id, port) => Ok(id.zip(port).map(|(id, port)| MerlinService { id, port })),
    };
    let http = of(http, "merlin-service-id", around.ports.http(), "ingress-port")?;
    // Without the port there is nothing to register, whatever its id.
    let https = https.zip(around.ports.https()).map(|(id, port)| MerlinService { id, port });
    match (http, https) {
        (None, _) if around.ports.http().is_some() => Err(needed("merlin-service-id")),
        (None, None) => Err(needed("merlin-https-service-id")),
        (Some(http), Some(https)) if http.id == https.id => Err(UsageError::SameVirtualService),
        (http, https) => Ok(http.into_iter().chain(https).collect()),
    }
}

fn forward(text: &str) -> Result<MerlinForward, &'static str> {
    match text {
        "route" => Ok(MerlinForward::Route),
        "tunnel" => Ok(MerlinForward::Tunnel),
        "masq" => Ok(MerlinForward::Masq),
        _ => Err("must be route, tunnel or masq"),
    }
}

/// An address and its port, or a name and, where `dns:///` stands before it, perhaps its port.
fn server(text: &str) -> Result<MerlinServer, &'static str> {
    const EXPECTED: &str = "must be HOST:PORT or dns:///NAME:PORT, several separated by commas";
    let name = text.trim().strip_prefix("dns:///");
    let authority = name.unwrap_or(text.trim());
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, value::port(port).map_err(|_| EXPECTED)?),
        _ if name.is_some() => (authority, DEFAULT_PORT),
        _ => return Err(EXPECTED),
    };
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_valid = match bare {
        Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            host.parse::<std::net::Ipv4Addr>().is_ok()
                || Host::new(host).is_ok_and(|host| host.wildcard_suffix().is_none())
        }
    };
    is_valid.then(|| MerlinServer { host: bare.unwrap_or(host).to_owned(), port }).ok_or(EXPECTED)
}

fn interface(text: &str) -> Result<String, &'static str> {
    let is_valid = (1..=LONGEST_INTERFACE).contains(&text.len())
        && !text.contains(|letter: char| letter == '/' || letter.is_whitespace());
    is_valid.then(|| text.to_owned()).ok_or("must be the name of a network interface")
}
