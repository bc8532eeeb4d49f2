//! Flags of Gorb.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::{DrainArgs, DrainDelay, ResyncArgs, Surroundings};
use crate::cli::{UsageError, value};
use crate::config::{Frontend, GorbFrontend, GorbHealthCheck, GorbService, Joining, Loopback};

/// The heaviest that IPVS has.
const MOST_WEIGHT: u32 = 65_535;

#[derive(clap::Args)]
#[command(next_help_heading = "Gorb")]
pub(in crate::cli) struct GorbArgs {
    /// Where Gorb is: http://HOST:PORT.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:80", value_parser = endpoint)]
    gorb_endpoint: String,
    /// Address of this machine, at which IPVS reaches it.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", value_parser = value::address)]
    gorb_ingress_instance_ip: IpAddr,
    /// The virtual services, as NAME:PORT separated by commas, each with the port on which it is served here.
    #[arg(
        long,
        value_name = "SERVICES",
        value_delimiter = ',',
        default_value = "http-proxy:80,https-proxy:443",
        value_parser = service
    )]
    gorb_services_definition: Vec<GorbService>,
    /// How IPVS sends requests on: dr, nat, tunnel or ipip.
    #[arg(long, value_name = "METHOD", default_value = "dr", value_parser = ["dr", "nat", "tunnel", "ipip"])]
    gorb_backend_method: String,
    /// Weight of this machine while it serves.
    #[arg(long, value_name = "WEIGHT", default_value = "1000", value_parser = value::number(1, MOST_WEIGHT))]
    gorb_backend_weight: u32,
    /// The virtual services' IPv4 addresses, separated by commas.
    #[arg(long, value_name = "IPS", value_delimiter = ',', value_parser = ipv4)]
    gorb_vip_loadbalancer: Vec<Ipv4Addr>,
    /// Give those addresses to lo from before the registration until after the end, and keep ARP from speaking of them.
    /// Needs the capability NET_ADMIN.
    #[arg(long, value_name = "BOOL", default_value = "true", value_parser = value::boolean, action = clap::ArgAction::Set)]
    gorb_management_loopback: bool,
    /// Directory of the kernel's files arp_ignore and arp_announce.
    #[arg(long, value_name = "DIR", default_value = "/host-ipv4-proc/")]
    gorb_interface_proc_fs_path: PathBuf,
    /// How often Gorb checks whether this machine answers.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = value::duration)]
    gorb_backend_healthcheck_interval: Duration,
    /// How Gorb checks it: tcp, http or none.
    #[arg(long, value_name = "TYPE", default_value = "http", value_parser = health_check)]
    gorb_backend_healthcheck_type: GorbHealthCheck,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    resync: ResyncArgs,
}

impl GorbArgs {
    pub(in crate::cli) fn resolve(self, _: Surroundings<'_>) -> Result<Frontend, UsageError> {
        let addresses = self.gorb_vip_loadbalancer;
        let is_managed = self.gorb_management_loopback && !addresses.is_empty();
        let names: BTreeSet<_> = self.gorb_services_definition.iter().map(|service| &service.name).collect();
        if names.len() < self.gorb_services_definition.len() {
            return Err(UsageError::SameService);
        }
        let resync_period = self.resync.frontend_resync_period;
        Ok(Frontend::Gorb(GorbFrontend {
            endpoint: self.gorb_endpoint,
            instance_ip: self.gorb_ingress_instance_ip,
            method: self.gorb_backend_method,
            weight: self.gorb_backend_weight,
            health_check: self.gorb_backend_healthcheck_type,
            health_check_interval: self.gorb_backend_healthcheck_interval,
            loopback: is_managed.then_some(Loopback { addresses, arp: self.gorb_interface_proc_fs_path }),
            joining: Joining {
                resync_period,
                // Gorb does not say whether it sends requests, only that it knows us.
                ready_timeout: resync_period,
                drain_delay: self.drain.delay(DrainDelay::Asked),
                expected: self.gorb_services_definition.len(),
            },
            services: self.gorb_services_definition,
        }))
    }
}

/// A URL, without the slash at its end.
fn endpoint(text: &str) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text).ok().filter(|url| {
        url.scheme() == "http" && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    let url = url.ok_or("must be a URL such as http://127.0.0.1:80")?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn service(text: &str) -> Result<GorbService, &'static str> {
    const EXPECTED: &str = "must be names and ports such as http-proxy:80,https-proxy:443";
    let (name, port) = text.trim().split_once(':').ok_or(EXPECTED)?;
    // The name is a part of a URL's path.
    let is_valid = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && name.bytes().any(|byte| byte != b'.');
    let port = value::port(port).map_err(|_| EXPECTED)?;
    is_valid.then(|| GorbService { name: name.to_owned(), port }).ok_or(EXPECTED)
}

fn ipv4(text: &str) -> Result<Ipv4Addr, &'static str> {
    text.trim().parse().map_err(|_| "must be IPv4 addresses separated by commas")
}

fn health_check(text: &str) -> Result<GorbHealthCheck, &'static str> {
    match text {
        "tcp" => Ok(GorbHealthCheck::Tcp),
        "http" => Ok(GorbHealthCheck::Http),
        "none" => Ok(GorbHealthCheck::None),
        _ => Err("must be tcp, http or none"),
    }
}
