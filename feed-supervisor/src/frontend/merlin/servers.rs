//! The servers of Merlin: all have the same state, and any may be asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Response, Status};

use super::wire::merlin_client::MerlinClient;
use crate::config::MerlinServer;

/// A client of one server.
pub(super) type Client = MerlinClient<Channel>;

/// A call under way.
pub(super) type Answer<T> = BoxFuture<'static, Result<Response<T>, Status>>;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// A server has answered, and does not do it.
    #[error("{call}: Merlin at {address} says {code:?}: {message}")]
    Refused {
        /// The call's name.
        call: &'static str,
        address: SocketAddr,
        code: Code,
        message: String,
    },
    /// None has answered.
    #[error("{call}: no Merlin answers: {why}")]
    NoAnswer {
        /// The call's name.
        call: &'static str,
        /// What happened with each.
        why: String,
    },
}

impl CallError {
    /// What a server has said, if one has.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NoAnswer { .. } => None,
        }
    }
}

/// For how long a server that did not answer is asked last.
const SILENCE: Duration = Duration::from_secs(30);

/// The servers, in turn. One that does not answer is passed over, and asked last for a while.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<MerlinServer>,
    /// How long a server may take for a call.
    time_limit: Duration,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    channels: BTreeMap<SocketAddr, Channel>,
    /// Those that did not answer, and when that was.
    silent: BTreeMap<SocketAddr, Instant>,
    /// What names meant last, for when they cannot be looked up.
    addresses: BTreeMap<MerlinServer, Vec<SocketAddr>>,
    turn: usize,
}

/// What came of asking one server.
enum Outcome<T> {
    Answered(Result<T, Status>),
    /// What happened instead.
    Silent(String),
}

impl Servers {
    pub(super) fn new(servers: Vec<MerlinServer>, time_limit: Duration) -> Self {
        Self { servers, time_limit, known: Mutex::default() }
    }

    /// Makes a call to the server whose turn it is, or to the next ones when it does not answer.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        begin: impl Fn(Client) -> Answer<T>,
    ) -> Result<T, CallError> {
        let (addresses, mut trouble) = self.addresses().await;
        for (address, authority) in addresses {
            match self.ask(address, &authority, &begin).await {
                Outcome::Answered(answer) => {
                    return answer.map_err(|status| CallError::Refused {
                        call,
                        address,
                        code: status.code(),
                        message: status.message().to_owned(),
                    });
                }
                Outcome::Silent(why) => trouble.push(format!("{address}: {why}")),
            }
        }
        Err(CallError::NoAnswer { call, why: trouble.join("; ") })
    }

    async fn ask<T>(
        &self,
        address: SocketAddr,
        authority: &str,
        begin: &impl Fn(Client) -> Answer<T>,
    ) -> Outcome<T> {
        let channel = match self.channel(address, authority) {
            Ok(channel) => channel,
            Err(error) => return Outcome::Silent(innermost(&error)),
        };
        let outcome = match timeout(self.time_limit, begin(MerlinClient::new(channel))).await {
            Ok(Ok(response)) => Outcome::Answered(Ok(response.into_inner())),
            Ok(Err(status)) if is_of_server(&status) => Outcome::Answered(Err(status)),
            Ok(Err(status)) => Outcome::Silent(innermost(&status)),
            Err(_) => Outcome::Silent(format!("no answer within {:?}", self.time_limit)),
        };
        self.with_known(|known| match outcome {
            Outcome::Answered(_) => {
                known.silent.remove(&address);
            }
            Outcome::Silent(_) => {
                known.silent.insert(address, Instant::now());
                known.channels.remove(&address);
            }
        });
        outcome
    }

    /// Whom to ask, the first one first, each with the name that it is known by; and what is wrong with the rest. Names
    /// are looked up each time, since they may come to mean others.
    async fn addresses(&self) -> (Vec<(SocketAddr, String)>, Vec<String>) {
        let (mut addresses, mut trouble) = (Vec::new(), Vec::new());
        for server in &self.servers {
            match self.look_up(server).await {
                Ok(found) => addresses.extend(found.into_iter().map(|it| (it, server.to_string()))),
                Err(why) => trouble.push(format!("{server}: {why}")),
            }
        }
        addresses.sort();
        addresses.dedup_by_key(|(address, _)| *address);
        self.with_known(|known| {
            let turn = known.turn.checked_rem(addresses.len()).unwrap_or_default();
            known.turn = turn + 1;
            addresses.rotate_left(turn);
            known.silent.retain(|_, since| since.elapsed() < SILENCE);
            addresses.sort_by_key(|(address, _)| known.silent.contains_key(address));
            let is_current = |address: &SocketAddr| addresses.iter().any(|(it, _)| it == address);
            known.channels.retain(|address, _| is_current(address));
            known.silent.retain(|address, _| is_current(address));
        });
        (addresses, trouble)
    }

    async fn look_up(&self, server: &MerlinServer) -> Result<Vec<SocketAddr>, String> {
        let found = timeout(self.time_limit, lookup_host((server.host.as_str(), server.port))).await;
        let why = match found {
            Ok(Ok(found)) => {
                let found: Vec<_> = found.collect();
                self.with_known(|known| known.addresses.insert(server.clone(), found.clone()));
                return Ok(found);
            }
            Ok(Err(error)) => format!("cannot be looked up: {error}"),
            Err(_) => "the name servers do not answer".to_owned(),
        };
        self.with_known(|known| known.addresses.get(server).cloned()).ok_or(why)
    }

    fn channel(&self, address: SocketAddr, authority: &str) -> Result<Channel, tonic::transport::Error> {
        if let Some(channel) = self.with_known(|known| known.channels.get(&address).cloned()) {
            return Ok(channel);
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        let endpoint = match format!("http://{authority}").parse::<Uri>() {
            Ok(origin) => endpoint.origin(origin),
            Err(_) => endpoint,
        };
        let channel = endpoint.connect_timeout(self.time_limit).connect_lazy();
        self.with_known(|known| known.channels.insert(address, channel.clone()));
        Ok(channel)
    }

    fn with_known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether it is a server's answer: what breaks on the way there has a cause here. One that says that it is unavailable
/// means that another should be asked.
fn is_of_server(status: &Status) -> bool {
    std::error::Error::source(status).is_none() && status.code() != Code::Unavailable
}

/// What is at the bottom of an error, such as `Connection refused`.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => innermost.to_string(),
    }
}
