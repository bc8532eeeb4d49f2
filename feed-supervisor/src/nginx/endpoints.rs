//! The ready endpoints of Services, and how nginx is told of them: as answers of a name server.
//!
//! nginx asks for the service records of an upstream's name, and then for the address behind each of them. Those names hold their
//! address, so that they mean the same for ever; the service records are to be asked for again at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feed_reconcile::desired::DesiredState;
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::time::Instant;

/// What stands before an upstream's name in a question for its endpoints.
const SERVICE: &str = "_http._tcp.";

/// Above all names of addresses.
const IPV4: &str = "ipv4";
const IPV6: &str = "ipv6";

/// An address that refuses each connection: nginx does not ask again soon after an answer without any address.
const NO_ENDPOINT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// For so long addresses keep their names, in seconds.
const ADDRESS_TIME_TO_LIVE: u32 = 3600;

/// So long an upstream is remembered that is no longer declared: an older configuration may still use it.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The endpoints of all upstreams that have some, or may have. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    addresses: Vec<SocketAddr>,
    /// Since when it is no longer declared.
    gone_since: Option<Instant>,
}

impl Endpoints {
    /// Takes over what is declared now.
    pub fn declare(&self, state: &DesiredState) {
        let now = Instant::now();
        let mut known = self.known();
        known.retain(|_, entry| entry.gone_since.is_none_or(|since| now - since < REMEMBERED));
        for entry in known.values_mut() {
            entry.gone_since.get_or_insert(now);
        }
        for upstream in state.upstreams.values().filter(|upstream| upstream.endpoints) {
            let entry = Entry { addresses: upstream.addresses.clone(), gone_since: None };
            known.insert(upstream.name.as_str().to_owned(), entry);
        }
    }

    /// The answer to a question, in its wire format; `None` where there is no question to answer. One that is longer than
    /// `limit` bytes is cut off, and says so.
    pub fn answer(&self, question: &[u8], limit: usize) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let answer = self.message(&question)?;
        let bytes = answer.to_vec().ok()?;
        if bytes.len() <= limit { Some(bytes) } else { answer.truncate().to_vec().ok() }
    }

    fn message(&self, question: &Message) -> Option<Message> {
        if question.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_queries(question.queries.iter().cloned());
        match &question.queries[..] {
            [query] if question.metadata.op_code == OpCode::Query && query.query_class == DNSClass::IN => {
                match self.records(&query.name, query.query_type) {
                    Some(records) => drop(answer.add_answers(records)),
                    // It makes nginx keep what it knows, and ask again.
                    None => answer.metadata.response_code = ResponseCode::ServFail,
                }
            }
            _ => answer.metadata.response_code = ResponseCode::NotImp,
        }
        Some(answer)
    }

    fn records(&self, name: &Name, kind: RecordType) -> Option<Vec<Record>> {
        let text = name.to_lowercase().to_ascii();
        let text = text.trim_end_matches('.');
        let record = |time_to_live, data| Record::from_rdata(name.clone(), time_to_live, data);
        if let Some(upstream) = text.strip_prefix(SERVICE) {
            let known = self.known();
            let entry = known.get(upstream)?;
            let addresses = if entry.addresses.is_empty() { &[NO_ENDPOINT][..] } else { &entry.addresses };
            let service = |address: &SocketAddr| {
                let target = Name::from_ascii(name_of(address.ip())).ok()?;
                Some(record(0, RData::SRV(SRV::new(0, 1, address.port(), target))))
            };
            return match kind {
                RecordType::SRV => addresses.iter().map(service).collect(),
                _ => Some(Vec::new()),
            };
        }
        Some(match (address_of(text)?, kind) {
            (IpAddr::V4(address), RecordType::A) => {
                vec![record(ADDRESS_TIME_TO_LIVE, RData::A(address.into()))]
            }
            (IpAddr::V6(address), RecordType::AAAA) => {
                vec![record(ADDRESS_TIME_TO_LIVE, RData::AAAA(address.into()))]
            }
            _ => Vec::new(),
        })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that stands for an address.
fn name_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{:08x}.{IPV4}.", address.to_bits()),
        IpAddr::V6(address) => format!("{:032x}.{IPV6}.", address.to_bits()),
    }
}

/// The address that a name stands for.
fn address_of(name: &str) -> Option<IpAddr> {
    match name.split_once('.')? {
        (digits, IPV4) => Some(Ipv4Addr::from_bits(u32::from_str_radix(digits, 16).ok()?).into()),
        (digits, IPV6) => Some(Ipv6Addr::from_bits(u128::from_str_radix(digits, 16).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
