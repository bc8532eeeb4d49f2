//! Elastic Load Balancing, both of its APIs, whose targets take their time, and that fails when it is told to.
//!
//! A target is `initial` before it is healthy, and `draining` before it is gone, for as long as the test says. Listings come in
//! pages of 400, and tags are told for 20 load balancers a call, as AWS has it.

mod answer;
mod server;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use state::{Balancer, FaultOf, Group, State, Target};

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Elb {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElbCall {
    /// What was called, as the SDK has it: `DescribeTags`. Both APIs have operations of this name.
    pub operation: String,
    /// Whether it was for classic load balancers.
    pub classic: bool,
    /// The load balancer or target group that it was about, if it was about one.
    pub subject: Option<String>,
    /// How many load balancers were asked for by name.
    pub names: usize,
    /// Whether it asked for a page that is not the first.
    pub goes_on: bool,
    /// The region for which it was signed.
    pub region: String,
    /// The id of the access key with which it was signed.
    pub key: String,
    /// The status of the answer.
    pub status: u16,
    /// When it came.
    pub at: Instant,
}

/// What goes wrong with requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElbFault {
    /// An error of that HTTP status and code, and nothing is done.
    Error(u16, &'static str),
    /// It is done at once, and answered so much later.
    Late(Duration),
}

impl Elb {
    /// Without load balancers; targets are healthy at once, and gone at once.
    pub async fn start() -> Self {
        Self::start_at([127, 0, 0, 1].into()).await
    }

    /// The same at another address of this machine.
    pub async fn start_at(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a classic load balancer.
    pub fn create_classic(&self, name: &str, scheme: &str, tags: &[(&str, &str)]) {
        self.create(name, "classic", scheme, tags);
    }

    /// Makes a network load balancer.
    pub fn create_network(&self, name: &str, scheme: &str, tags: &[(&str, &str)]) {
        self.create(name, "network", scheme, tags);
    }

    /// Makes an application load balancer.
    pub fn create_application(&self, name: &str, scheme: &str) {
        self.create(name, "application", scheme, &[]);
    }

    fn create(&self, name: &str, kind: &'static str, scheme: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let balancer = Balancer { kind, scheme: scheme.to_owned(), tags, targets: BTreeMap::new() };
        self.with(|state| state.balancers.insert(name.to_owned(), balancer));
    }

    /// Makes a target group that these load balancers use.
    pub fn create_group(&self, name: &str, target_type: &str, balancers: &[&str]) {
        let group = Group {
            target_type: target_type.to_owned(),
            balancers: balancers.iter().map(|name| (*name).to_owned()).collect(),
            targets: BTreeMap::new(),
        };
        self.with(|state| state.groups.insert(name.to_owned(), group));
    }

    /// Changes a load balancer's tags.
    pub fn tag(&self, name: &str, key: &str, value: &str) {
        self.with(|state| {
            state.balancers.get_mut(name).unwrap().tags.insert(key.to_owned(), value.to_owned());
        });
    }

    /// Removes a load balancer's tag.
    pub fn untag(&self, name: &str, key: &str) {
        self.with(|state| state.balancers.get_mut(name).unwrap().tags.remove(key));
    }

    /// Deletes a load balancer; its target groups stay.
    pub fn delete(&self, name: &str) {
        self.with(|state| {
            state.balancers.remove(name);
            state.groups.values_mut().for_each(|group| {
                group.balancers.remove(name);
            });
        });
    }

    /// Has a target group be used by these load balancers from now on.
    pub fn attach_group(&self, name: &str, balancers: &[&str]) {
        let balancers = balancers.iter().map(|name| (*name).to_owned()).collect();
        self.with(|state| state.groups.get_mut(name).unwrap().balancers = balancers);
    }

    /// Registers a target by hand.
    pub fn put_in(&self, name: &str, target: &str) {
        self.with(|state| state.register(name, &[target.to_owned()]).unwrap());
    }

    /// Tells the health of an instance that is not registered without words, as an emulator does.
    pub fn is_wordless(&self) {
        self.with(|state| state.wordless = true);
    }

    /// How long targets take from now on until they are healthy, and until they are gone.
    pub fn targets_take(&self, to_settle: Duration, to_drain: Duration) {
        self.with(|state| (state.settling, state.draining) = (to_settle, to_drain));
    }

    /// Somebody else takes a target out.
    pub fn take_out(&self, name: &str, target: &str) {
        self.with(|state| state.targets(name).unwrap().remove(target));
    }

    /// The targets of a classic load balancer or a target group, with their states: `initial`, `healthy`, `draining`.
    pub fn targets(&self, name: &str) -> BTreeMap<String, &'static str> {
        self.with(|state| {
            let times = (state.settling, state.draining);
            let targets = state.targets(name).unwrap();
            let shown = targets.iter().map(|(id, target)| (id.clone(), target.state(times)));
            shown.filter(|(_, state)| *state != "unused").collect()
        })
    }

    /// The targets to which a target group sends: the healthy ones, and, as news take a moment to reach all parts of a load
    /// balancer, those that left it less than `lag` ago.
    pub fn receivers(&self, name: &str, lag: Duration) -> Vec<String> {
        self.with(|state| {
            let times = (state.settling, state.draining);
            let receives = |target: &Target| match target.left {
                Some(left) => left.elapsed() < lag,
                None => target.state(times) == "healthy",
            };
            let targets = state.targets(name).unwrap();
            targets.iter().filter(|(_, target)| receives(target)).map(|(id, _)| id.clone()).collect()
        })
    }

    /// Requests for an operation go wrong from now on, so many times, or until [`Elb::heal`].
    pub fn fail(&self, operation: &'static str, fault: ElbFault, times: Option<usize>) {
        self.with(|state| state.faults.push(FaultOf { operation, subject: None, fault, times }));
    }

    /// Requests for an operation that are about this load balancer or target group, perhaps among others, go wrong until
    /// [`Elb::heal`].
    pub fn fail_for(&self, operation: &'static str, subject: &str, fault: ElbFault) {
        let subject = Some(subject.to_owned());
        self.with(|state| state.faults.push(FaultOf { operation, subject, fault, times: None }));
    }

    /// Does not take that access key any more.
    pub fn refuse_key(&self, id: &str) {
        self.with(|state| state.refused_keys.insert(id.to_owned()));
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.with(|state| state.faults.clear());
    }

    /// The calls since this was asked last.
    pub fn calls(&self) -> VecDeque<ElbCall> {
        self.with(|state| std::mem::take(&mut state.calls))
    }

    /// How many calls of an operation there were since the calls were taken last.
    pub fn count(&self, operation: &str) -> usize {
        self.with(|state| state.calls.iter().filter(|call| call.operation == operation).count())
    }

    fn with<T>(&self, access: impl FnOnce(&mut State) -> T) -> T {
        access(&mut self.state.lock().unwrap())
    }
}

impl Drop for Elb {
    fn drop(&mut self) {
        self.server.abort();
    }
}
