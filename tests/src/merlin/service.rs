//! What each call does: validation, `ALREADY_EXISTS`, `NOT_FOUND`, and updates that keep what they leave out.

use tonic::{Code, Request, Response, Status, async_trait};

use super::wire::list_response::Item;
use super::wire::merlin_server;
use super::wire::real_server::{Config, HealthCheck, Key};
use super::wire::{ForwardMethod, ListResponse, RealServer, VirtualService};
use super::{Merlin, MerlinCall, State};

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl merlin_server::Merlin for Merlin {
    async fn create_service(&self, request: Request<VirtualService>) -> Answer<()> {
        let service = request.into_inner();
        let services = &mut self.state().services;
        if services.contains_key(&service.id) {
            return Err(Status::already_exists(service.id));
        }
        services.insert(service.id.clone(), service);
        Ok(Response::new(()))
    }

    async fn update_service(&self, request: Request<VirtualService>) -> Answer<()> {
        let service = request.into_inner();
        match self.state().services.get_mut(&service.id) {
            Some(known) => *known = service,
            None => return Err(Status::not_found(service.id)),
        }
        Ok(Response::new(()))
    }

    async fn delete_service(&self, request: Request<String>) -> Answer<()> {
        let id = request.into_inner();
        match self.state().services.remove(&id) {
            Some(_) => Ok(Response::new(())),
            None => Err(Status::not_found(id)),
        }
    }

    async fn create_server(&self, request: Request<RealServer>) -> Answer<()> {
        self.change("CreateServer", request.into_inner(), |state, server| {
            valid(server)?;
            if state.known(server).is_some() {
                return Err(Status::already_exists("there is such a server"));
            }
            state.servers.push(server.clone());
            Ok(())
        })
    }

    async fn update_server(&self, request: Request<RealServer>) -> Answer<()> {
        self.change("UpdateServer", request.into_inner(), |state, server| {
            let known = state.known(server).ok_or_else(|| Status::not_found("there is no such server"))?;
            let merged = merge(known.clone(), server);
            valid(&merged)?;
            *known = merged;
            Ok(())
        })
    }

    async fn delete_server(&self, request: Request<RealServer>) -> Answer<()> {
        self.change("DeleteServer", request.into_inner(), |state, server| {
            state.known(server).ok_or_else(|| Status::not_found("there is no such server"))?;
            state.servers.retain(|other| !is_same(other, server));
            Ok(())
        })
    }

    async fn list(&self, _: Request<()>) -> Answer<ListResponse> {
        let state = self.state();
        if let Some(code) = state.faults.get("List") {
            return Err(Status::new(*code, "as it was told"));
        }
        let item = |service: &VirtualService| Item {
            service: Some(service.clone()),
            servers: state.servers.iter().filter(|it| it.service_id == service.id).cloned().collect(),
        };
        Ok(Response::new(ListResponse { items: state.services.values().map(item).collect() }))
    }
}

impl Merlin {
    fn change(
        &self,
        name: &'static str,
        server: RealServer,
        change: impl FnOnce(&mut State, &RealServer) -> Result<(), Status>,
    ) -> Answer<()> {
        let look = self.state().look.clone();
        let note = look();
        let mut state = self.state();
        let fault = state.faults.get(name).or_else(|| state.service_faults.get(server.service_id.as_str()));
        let outcome = match fault {
            Some(code) => Err(Status::new(*code, "as it was told")),
            None => state.addressed(&server).and_then(|()| change(&mut state, &server)),
        };
        let code = outcome.as_ref().err().map_or(Code::Ok, Status::code);
        state.calls.push(MerlinCall { name, server, code, note });
        outcome.map(Response::new)
    }
}

impl State {
    /// Whether a call names a virtual service that there is, and a real server.
    fn addressed(&self, server: &RealServer) -> Result<(), Status> {
        let Some(Key { ip, port }) = &server.key else {
            return Err(Status::invalid_argument("a server needs a key"));
        };
        if server.service_id.is_empty()
            || ip.parse::<std::net::IpAddr>().is_err()
            || !(1..=65_535).contains(port)
        {
            return Err(Status::invalid_argument("a server needs a service, an IP address and a port"));
        }
        if self.services.contains_key(&server.service_id) {
            return Ok(());
        }
        Err(Status::not_found(format!("there is no service {}", server.service_id)))
    }

    fn known(&mut self, server: &RealServer) -> Option<&mut RealServer> {
        self.servers.iter_mut().find(|known| is_same(known, server))
    }
}

fn is_same(one: &RealServer, other: &RealServer) -> bool {
    (&one.service_id, &one.key) == (&other.service_id, &other.key)
}

/// Whether it has all that IPVS and the health checks need.
fn valid(server: &RealServer) -> Result<(), Status> {
    let Some(Config { weight: Some(_), forward }) = server.config else {
        return Err(Status::invalid_argument("a server needs a weight"));
    };
    if matches!(ForwardMethod::try_from(forward), Err(_) | Ok(ForwardMethod::UnsetForwardMethod)) {
        return Err(Status::invalid_argument("a server needs a forward method"));
    }
    let Some(HealthCheck { endpoint: Some(endpoint), period, timeout, up_threshold, down_threshold }) =
        &server.health_check
    else {
        return Ok(());
    };
    let is_positive = |duration: &Option<prost_types::Duration>| {
        duration.is_some_and(|duration| (duration.seconds, duration.nanos) > (0, 0))
    };
    // `http://:8081/health`: the host is the server's own address.
    let is_url = endpoint.strip_prefix("http://:").is_some_and(|rest| rest.contains('/'));
    if is_url && is_positive(period) && is_positive(timeout) && *up_threshold > 0 && *down_threshold > 0 {
        return Ok(());
    }
    Err(Status::invalid_argument("a health check needs a URL, a period, a timeout and thresholds"))
}

/// The known server with what is sent of a newer one.
fn merge(mut known: RealServer, newer: &RealServer) -> RealServer {
    if let Some(config) = newer.config {
        let into = known.config.get_or_insert_default();
        into.weight = config.weight.or(into.weight);
        if config.forward != i32::from(ForwardMethod::UnsetForwardMethod) {
            into.forward = config.forward;
        }
    }
    if let Some(check) = &newer.health_check {
        let into = known.health_check.get_or_insert_default();
        into.endpoint = check.endpoint.clone().or_else(|| into.endpoint.take());
        into.period = check.period.or(into.period);
        into.timeout = check.timeout.or(into.timeout);
        for (newer, into) in
            [(check.up_threshold, &mut into.up_threshold), (check.down_threshold, &mut into.down_threshold)]
        {
            if newer > 0 {
                *into = newer;
            }
        }
    }
    known
}
