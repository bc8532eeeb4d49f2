//! Merlin: the virtual services of IPVS, without IPVS. Any number of servers may speak for the same services, as they do
//! for one etcd.

mod service;
mod transport;
#[rustfmt::skip]
#[expect(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::enum_variant_names,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/merlin.proto, for which tests/tidy vouches"
)]
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Code;

pub use wire::RealServer;
use wire::VirtualService;
pub use wire::real_server::HealthCheck;

/// The virtual services, and what was done with them.
#[derive(Clone)]
pub struct Merlin {
    state: Arc<Mutex<State>>,
}

/// One server that speaks for them; it dies, connections and all, when this is dropped.
#[derive(Debug)]
pub struct MerlinPeer {
    address: SocketAddr,
    calls: Arc<Mutex<usize>>,
    server: JoinHandle<()>,
}

/// A call that changes something, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MerlinCall {
    /// `CreateServer`, …
    pub name: &'static str,
    /// What was sent.
    pub server: RealServer,
    /// How it was answered.
    pub code: Code,
    /// What [`Merlin::at_each_call`] said at that moment.
    pub note: String,
}

/// Looks at the world when something is about to change.
type Look = Arc<dyn Fn() -> String + Send + Sync>;

struct State {
    services: BTreeMap<String, VirtualService>,
    servers: Vec<RealServer>,
    calls: Vec<MerlinCall>,
    faults: BTreeMap<&'static str, Code>,
    service_faults: BTreeMap<&'static str, Code>,
    look: Look,
}

impl fmt::Debug for Merlin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merlin").field("servers", &self.state().servers).finish_non_exhaustive()
    }
}

impl Merlin {
    /// Virtual services with these ids, and no real server.
    pub fn new(services: &[&str]) -> Self {
        let service = |id: &&str| {
            let service = VirtualService { id: (*id).to_owned(), key: None, config: None };
            ((*id).to_owned(), service)
        };
        let state = State {
            services: services.iter().map(service).collect(),
            servers: Vec::new(),
            calls: Vec::new(),
            faults: BTreeMap::new(),
            service_faults: BTreeMap::new(),
            look: Arc::new(String::new),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A server that speaks for them, at a port of that address that the kernel chooses if it is 0.
    pub async fn listen(&self, address: impl Into<SocketAddr>) -> MerlinPeer {
        let listener = TcpListener::bind(address.into()).await.unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::<Mutex<usize>>::default());
        let server = tokio::spawn(transport::serve(listener, self.clone(), Arc::clone(&calls)));
        MerlinPeer { address, calls, server }
    }

    /// The real servers of a virtual service.
    pub fn servers(&self, service: &str) -> Vec<RealServer> {
        self.state().servers.iter().filter(|server| server.service_id == service).cloned().collect()
    }

    /// The weights of the real servers of a virtual service.
    pub fn weights(&self, service: &str) -> Vec<Option<u32>> {
        self.servers(service).into_iter().map(|server| server.config.and_then(|it| it.weight)).collect()
    }

    /// Forgets all real servers, as after a start without its storage.
    pub fn forget(&self) {
        self.state().servers.clear();
    }

    /// Changes the real servers by somebody else's hand.
    pub fn meddle(&self, change: impl FnMut(&mut RealServer)) {
        self.state().servers.iter_mut().for_each(change);
    }

    /// Answers all calls of that name so, until it is told otherwise.
    pub fn fail(&self, call: &'static str, code: Option<Code>) {
        match code {
            Some(code) => self.state().faults.insert(call, code),
            None => self.state().faults.remove(call),
        };
    }

    /// Answers all calls so that would change something of a virtual service, until it is told otherwise.
    pub fn fail_service(&self, service: &'static str, code: Option<Code>) {
        match code {
            Some(code) => self.state().service_faults.insert(service, code),
            None => self.state().service_faults.remove(service),
        };
    }

    /// Has something looked at before each call is carried out that changes something: see [`MerlinCall::note`].
    pub fn at_each_call(&self, look: impl Fn() -> String + Send + Sync + 'static) {
        self.state().look = Arc::new(look);
    }

    /// Every call so far that would have changed something.
    pub fn calls(&self) -> Vec<MerlinCall> {
        self.state().calls.clone()
    }

    /// The names of these calls, each with the virtual service and the weight, if one was sent: `UpdateServer web 0`.
    pub fn trace(&self) -> Vec<String> {
        let text = |call: MerlinCall| {
            let weight = call.server.config.and_then(|config| config.weight);
            let weight = weight.map_or_else(String::new, |weight| format!(" {weight}"));
            format!("{} {}{weight}", call.name, call.server.service_id)
        };
        self.calls().into_iter().map(text).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl MerlinPeer {
    /// For `--merlin-endpoint`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many calls it has answered, those included that change nothing.
    pub fn answered(&self) -> usize {
        *self.calls.lock().unwrap()
    }
}

impl Drop for MerlinPeer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
