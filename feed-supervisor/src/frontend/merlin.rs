//! `merlin`: virtual services of IPVS that Merlin manages. Each of them is a load balancer to us, and we are one of its
//! real servers: of weight 1 while we serve, 0 while we drain, and gone in the end.

mod servers;
#[rustfmt::skip]
#[expect(
    unreachable_pub,
    dead_code,
    clippy::enum_variant_names,
    clippy::pedantic,
    reason = "generated from proto/merlin.proto, for which tests/tidy vouches"
)]
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use feed_reconcile::desired::Scheme;
use feed_reconcile::membership::{Failure, Standing};
use feed_reconcile::options::Endpoint;
use tonic::Code;

use self::servers::{CallError, Servers};
use self::wire::real_server::{Config, HealthCheck, Key};
use self::wire::{ForwardMethod, RealServer};
use super::vip::{Vip, VipError};
use super::{Call, Frontend, Listing};
use crate::config::{MerlinForward, MerlinFrontend, MerlinService};

/// Virtual services that Merlin manages.
#[derive(Debug)]
pub struct Merlin {
    servers: Servers,
    /// What each virtual service should know of us, by its id.
    registrations: BTreeMap<String, RealServer>,
    vip: Option<Vip>,
    endpoints: BTreeSet<(Scheme, Endpoint)>,
}

impl Merlin {
    /// The virtual services that were asked for; nginx answers health checks on that port.
    pub fn new(frontend: &MerlinFrontend, health_port: u16) -> Self {
        let registrations = frontend
            .services
            .iter()
            .map(|service| (service.id.clone(), registration(frontend, service, health_port)));
        let vip = frontend.vip.as_ref().map(|vip| Vip {
            address: vip.address,
            interface: vip.interface.clone(),
            label: None,
        });
        Self {
            servers: Servers::new(frontend.servers.clone(), frontend.request_timeout),
            registrations: registrations.collect(),
            vip,
            endpoints: frontend.endpoints.clone(),
        }
    }

    fn registration(&self, service: &str) -> Result<RealServer, Failure> {
        self.registrations.get(service).cloned().ok_or_else(|| Failure {
            why: format!("{service} is none of the virtual services"),
            refused: true,
        })
    }

    async fn standing(&self, service: &str) -> Result<Standing, Failure> {
        let wanted = self.registration(service)?;
        let list = self.servers.call("List", |mut client| Box::pin(async move { client.list(()).await }));
        let list = list.await.map_err(|error| failed(&error))?;
        let mut ours = list.items.into_iter().flat_map(|item| {
            let of_service = item.service.is_some_and(|virtual_service| virtual_service.id == service);
            item.servers.into_iter().filter(move |server| of_service || server.service_id == service)
        });
        let found = ours.find(|server| server.key == wanted.key);
        let Some(found) = found else { return Ok(Standing::Absent) };
        if weight(&found) == Some(0) {
            return Ok(Standing::Draining);
        }
        if let Some(difference) = difference(&wanted, &found) {
            return Ok(Standing::Outdated(difference.to_owned()));
        }
        Ok(match &self.vip {
            Some(vip) if !vip.is_there().await.map_err(|error| not_sent(&error))? => {
                Standing::Outdated(format!("{} is missing on {}", vip.address, vip.interface))
            }
            _ => Standing::InService,
        })
    }

    async fn register(&self, service: &str) -> Result<(), Failure> {
        let server = self.registration(service)?;
        if let Some(vip) = &self.vip {
            vip.add().await.map_err(|error| not_sent(&error))?;
        }
        match self.create(&server).await {
            Err(error) if error.code() == Some(Code::AlreadyExists) => {
                // It may still send requests, whatever comes of this.
                self.update(&server).await.map_err(|error| Failure { refused: false, ..failed(&error) })
            }
            outcome => outcome.map_err(|error| failed(&error)),
        }
    }

    async fn drain(&self, service: &str) -> Result<(), Failure> {
        let mut server = self.registration(service)?;
        // What is left out keeps its value.
        server.health_check = None;
        if let Some(config) = &mut server.config {
            config.weight = Some(0);
        }
        unless_gone(self.update(&server).await)
    }

    async fn delete(&self, service: &str) -> Result<(), Failure> {
        let server = RealServer { config: None, health_check: None, ..self.registration(service)? };
        let call = self.servers.call("DeleteServer", |mut client| {
            let server = server.clone();
            Box::pin(async move { client.delete_server(server).await })
        });
        unless_gone(call.await)
    }

    async fn create(&self, server: &RealServer) -> Result<(), CallError> {
        let call = self.servers.call("CreateServer", |mut client| {
            let server = server.clone();
            Box::pin(async move { client.create_server(server).await })
        });
        call.await
    }

    async fn update(&self, server: &RealServer) -> Result<(), CallError> {
        let call = self.servers.call("UpdateServer", |mut client| {
            let server = server.clone();
            Box::pin(async move { client.update_server(server).await })
        });
        call.await
    }
}

impl Frontend for Merlin {
    fn endpoints<'a>(&'a self, _: &'a BTreeSet<String>) -> Call<'a, Listing> {
        let listing = Listing {
            balancers: self.registrations.keys().cloned().collect(),
            endpoints: self.endpoints.clone(),
            ..Listing::default()
        };
        Box::pin(async { Ok(listing) })
    }

    fn observe<'a>(&'a self, name: &'a str) -> Call<'a, Standing> {
        Box::pin(self.standing(name))
    }

    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.register(name))
    }

    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.drain(name))
    }

    fn release<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.delete(name))
    }

    fn clean_up(&self) -> Call<'_, ()> {
        Box::pin(async {
            match &self.vip {
                Some(vip) => vip.remove().await.map_err(|error| not_sent(&error)),
                None => Ok(()),
            }
        })
    }
}

/// What a virtual service should know of us.
fn registration(frontend: &MerlinFrontend, service: &MerlinService, health_port: u16) -> RealServer {
    let forward = match frontend.forward {
        MerlinForward::Route => ForwardMethod::Route,
        MerlinForward::Tunnel => ForwardMethod::Tunnel,
        MerlinForward::Masq => ForwardMethod::Masq,
    };
    let check = &frontend.health_check;
    RealServer {
        service_id: service.id.clone(),
        key: Some(Key { ip: frontend.instance_ip.to_string(), port: service.port.into() }),
        config: Some(Config { weight: Some(1), forward: forward.into() }),
        health_check: Some(HealthCheck {
            endpoint: Some(format!("http://:{health_port}/health")),
            period: prost_types::Duration::try_from(check.period).ok(),
            timeout: prost_types::Duration::try_from(check.timeout).ok(),
            up_threshold: check.up_threshold,
            down_threshold: check.down_threshold,
        }),
    }
}

fn weight(server: &RealServer) -> Option<u32> {
    server.config.as_ref().and_then(|config| config.weight)
}

/// What a registration has other than it should.
fn difference(wanted: &RealServer, found: &RealServer) -> Option<&'static str> {
    let forward = |server: &RealServer| server.config.as_ref().map(|config| config.forward);
    if weight(wanted) != weight(found) {
        return Some("another weight");
    }
    if forward(wanted) != forward(found) {
        return Some("another forward method");
    }
    (wanted.health_check != found.health_check).then_some("another health check")
}

/// That there is nothing to be changed any more is fine.
fn unless_gone(outcome: Result<(), CallError>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.code() == Some(Code::NotFound) => Ok(()),
        outcome => outcome.map_err(|error| failed(&error)),
    }
}

/// A call has failed: where a server has answered, nothing has changed there.
fn failed(error: &CallError) -> Failure {
    Failure { why: error.to_string(), refused: error.code().is_some() }
}

/// Something has failed on this machine, before anything was sent.
fn not_sent(error: &VipError) -> Failure {
    Failure { why: error.to_string(), refused: true }
}
