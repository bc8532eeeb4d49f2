//! A Route 53 that refuses exactly what Route 53 refuses, and fails when it is told to.
//!
//! It keeps names as Route 53 does (lower case, escaped, with a last dot), checks every change of a batch before it makes
//! any, holds to the limits of a call and to five requests a second, and lists in pages.

mod record;
mod server;
mod xml;
mod zone;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use record::{Data, Record};
use zone::Zone;

/// The server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Route53 {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    zones: BTreeMap<String, Zone>,
    calls: Vec<Call>,
    faults: VecDeque<(&'static str, Fault)>,
    /// What goes wrong with every request for an operation of a zone.
    lasting: Vec<(String, &'static str, Fault)>,
    denied: Vec<Denied>,
    /// Targets of aliases that are not known yet.
    unknown_targets: Vec<String>,
    /// Requests in the last second, to hold the account to its quota.
    recent: VecDeque<Instant>,
    throttled: usize,
    page_size: usize,
    latency: Duration,
    /// Access keys that are not taken.
    refused_keys: Vec<String>,
}

/// A request that was answered, well or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GetHostedZone`, `ListResourceRecordSets` or `ChangeResourceRecordSets`.
    pub operation: &'static str,
    /// The zone's id.
    pub zone: String,
    /// For a change: how many record sets it was about.
    pub changes: usize,
    /// The status of the answer.
    pub status: u16,
    /// When it came.
    pub at: Instant,
}

/// Changes that nobody may make: a call that has one of them is refused as a whole, without saying which it is.
struct Denied {
    zone: String,
    is_denied: IsDenied,
}

/// Whether a change is forbidden, by its action, name and type.
type IsDenied = Box<dyn Fn(&str, &str, &str) -> bool + Send>;

impl std::fmt::Debug for Denied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Denied").field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of that HTTP status and code, and nothing is done.
    Error(u16, &'static str),
    /// It is done, but the connection is closed before the answer.
    Unanswered,
    /// It is done, but answered with 502.
    Lost,
    /// It is not done, and never answered.
    Hang,
}

impl Route53 {
    /// A server without zones.
    pub async fn start() -> Self {
        Self::start_at([127, 0, 0, 1].into()).await
    }

    /// The same at another address of this machine.
    pub async fn start_at(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { page_size: 300, ..State::default() }));
        let server = tokio::spawn(server::serve(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// For `AWS_ENDPOINT_URL_ROUTE_53`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a zone, which has its NS and SOA records.
    pub fn create_zone(&self, id: &str, name: &str, private: bool) {
        self.with(|state| state.zones.insert(id.to_owned(), Zone::new(name, private)));
    }

    /// Nobody may change the zone any more.
    pub fn forbid_changes(&self, id: &str) {
        self.with(|state| state.zones.get_mut(id).unwrap().read_only = true);
    }

    /// Another writer: puts a record into a zone, whatever was there.
    pub fn put(&self, zone: &str, record: Record) {
        self.with(|state| state.zones.get_mut(zone).unwrap().put(record));
    }

    /// Another writer: removes what is there of a name and type.
    pub fn remove(&self, zone: &str, name: &str, kind: &str) {
        self.with(|state| state.zones.get_mut(zone).unwrap().remove(name, kind));
    }

    /// All records of a zone but its own NS and SOA, in the order in which they are listed, one a line.
    pub fn records(&self, zone: &str) -> Vec<String> {
        self.with(|state| {
            let zone = &state.zones[zone];
            let own =
                |record: &&Record| zone.is_apex(record) && ["NS", "SOA"].contains(&record.kind.as_str());
            zone.records().filter(|record| !own(record)).map(ToString::to_string).collect()
        })
    }

    /// The calls since this was asked last.
    pub fn calls(&self) -> Vec<Call> {
        self.with(|state| std::mem::take(&mut state.calls))
    }

    /// How many calls of an operation there were since the calls were taken last.
    pub fn count(&self, operation: &str) -> usize {
        self.with(|state| state.calls.iter().filter(|call| call.operation == operation).count())
    }

    /// Requests that were more than five a second.
    pub fn throttled(&self) -> usize {
        self.with(|state| state.throttled)
    }

    /// The next request for an operation goes wrong; several faults of one operation come one after another.
    pub fn fail_next(&self, operation: &'static str, fault: Fault) {
        self.with(|state| state.faults.push_back((operation, fault)));
    }

    /// Every request for an operation of a zone goes wrong until [`Route53::heal`].
    pub fn fail(&self, zone: &str, operation: &'static str, fault: Fault) {
        self.with(|state| state.lasting.push((zone.to_owned(), operation, fault)));
    }

    /// Changes of a zone are forbidden by their action, name and type, until [`Route53::heal`].
    pub fn deny(&self, zone: &str, is_denied: impl Fn(&str, &str, &str) -> bool + Send + 'static) {
        let denied = Denied { zone: zone.to_owned(), is_denied: Box::new(is_denied) };
        self.with(|state| state.denied.push(denied));
    }

    /// Aliases to this name are refused until [`Route53::heal`].
    pub fn forget_target(&self, name: &str) {
        self.with(|state| state.unknown_targets.push(record::stored_name(name)));
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.with(|state| {
            state.faults.clear();
            state.lasting.clear();
            state.denied.clear();
            state.unknown_targets.clear();
        });
    }

    /// Deletes a zone.
    pub fn delete_zone(&self, id: &str) {
        self.with(|state| state.zones.remove(id));
    }

    /// Does not take that access key any more.
    pub fn refuse_key(&self, id: &str) {
        self.state.lock().unwrap().refused_keys.push(id.to_owned());
    }

    /// Every answer takes so long from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.with(|state| state.latency = latency);
    }

    /// Gives out no more record sets than this at once; Route 53 itself gives 300.
    pub fn set_page_size(&self, page_size: usize) {
        self.with(|state| state.page_size = page_size);
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }
}

impl Drop for Route53 {
    fn drop(&mut self) {
        self.server.abort();
    }
}
